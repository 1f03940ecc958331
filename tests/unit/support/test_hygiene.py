"""What a process of ours gives away to another process of the same user: nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tbot_bot.support.hygiene import in_memory_only
from tbot_bot.support.path_resolver import CODE_ROOT

SPY = """
import ctypes, json, os, sys
from tbot_bot.support.hygiene import harden, is_hardened
libc = ctypes.CDLL(None, use_errno=True)

if os.geteuid() == 0:  # root may read everything; the promise is about an ordinary user
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
libc.prctl(4, 1, 0, 0, 0)  # dumpable, as after exec

def readable(pid):
    found = []
    for name in ("environ", "mem", "maps", "fd"):
        try:
            if name == "fd":
                os.listdir(f"/proc/{pid}/fd")
            else:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    name == "mem" or file.read(10)
            found.append(name)
        except OSError:
            pass
    if libc.ptrace(16, pid, 0, 0) == 0:  # PTRACE_ATTACH
        os.waitpid(pid, 0)
        libc.ptrace(17, pid, 0, 0)
        found.append("ptrace")
    return found

def victim(hardened):
    ready, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        if hardened:
            harden()
        os.write(write, b"1" if is_hardened() == hardened else b"0")
        import time; time.sleep(60)
    assert os.read(ready, 1) == b"1"
    found = readable(pid)
    os.kill(pid, 9), os.waitpid(pid, 0)
    return found

print(json.dumps([victim(False), victim(True)]))
"""


def run(code: str, **more: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(CODE_ROOT), **more}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60, check=False)


def test_a_process_of_the_same_user_reads_neither_memory_nor_environment() -> None:
    done = run(SPY)

    open_to_all, closed = json.loads(done.stdout)
    assert {"environ", "mem", "maps", "fd"} <= set(open_to_all), "the spy finds what is there to be found"
    assert closed == []


PROCESS = """
import os, resource, sys, threading, warnings
from tbot_bot.support import process
from tbot_bot.support.hygiene import is_hardened
from tbot_bot.support.logs import add_secret

class Bad:
    def __del__(self):
        raise ValueError("unraisable canary-in-the-mine")

def body(mine):
    add_secret("canary-in-the-mine")
    with open("made", "w"):
        pass
    os.mkdir("folder")
    assert is_hardened() and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
    warnings.warn("warned canary-in-the-mine")
    thread = threading.Thread(target=lambda: int("thread canary-in-the-mine"))
    thread.start(); thread.join()
    Bad()
    import logging
    logging.getLogger("tbot.x").info("%d", "canary-in-the-mine")
    raise KeyError("body canary-in-the-mine\\n{}")

sys.exit(process.run("unit", body))
"""


def test_whatever_goes_wrong_in_a_process_is_one_redacted_line(tmp_path: Path) -> None:
    done = run(f"import os; os.chdir({str(tmp_path)!r}); os.umask(0)\n{PROCESS}")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert done.stderr == b""
    assert b"canary" not in done.stdout
    assert [row["event"].split(":")[0] for row in rows if row["level"] in {"error", "critical"}] == [
        "uncaught exception in a thread",
        "an exception that nobody could catch",
        "a log line could not be written",
        "the process failed and will be restarted",
    ]
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("made", "folder")] == [0o600, 0o700]


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no tmpfs to look at")
def test_a_folder_in_memory_is_told_from_one_on_a_disk() -> None:
    assert in_memory_only(Path("/dev/shm"))
    assert not in_memory_only(Path("/proc/self"))


STILL_ABLE = """
import os
from tbot_bot.support.hygiene import harden
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
ready, write = os.pipe()
harden()
os.write(os.open(f"/dev/fd/{write}", os.O_WRONLY), b"own fds open; ")
print(os.read(ready, 99).decode(), len(os.listdir("/proc/self/fd")) > 2, bool(open("/proc/self/maps").read()))
"""


def test_a_process_that_is_no_root_s_can_still_reach_its_own_descriptors() -> None:
    """supervisord gives some programs `/dev/fd/1` as their log."""
    done = run(STILL_ABLE)

    assert done.stdout == b"own fds open;  True True\n", done.stderr
