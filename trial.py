import sys,time
from pathlib import Path
from tools.lab.lab import Lab, missing
print(missing())
t=time.monotonic()
lab=Lab(Path("/tmp/lab-trial"))
try:
    lab.boot(); print("boot", time.monotonic()-t)
    print(lab.run("systemctl","is-system-running"), lab.run("ps","ax").output[:1500])
    print(lab.run("id", user="nobody"))
    t=time.monotonic(); lab.reboot(); print("reboot", time.monotonic()-t)
    t=time.monotonic(); lab.reboot(power_cut=True); print("cut", time.monotonic()-t)
    print(len(lab.journal()), lab.run("journalctl","--list-boots").output)
    print(lab.systemctl("--failed").output)
finally:
    t=time.monotonic(); lab.down(); print("down",time.monotonic()-t)
    print(lab.last_words)
