"""A private machine with a real systemd: its own processes, users, network and disk, gone without a trace at the end.

Needs root, overlayfs and the distribution's systemd; about a fifth of a second to boot."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.child import Finished, Process, run_program, start_dialogue
from tools.lab.door import Door
from tools.lab.keeper import SYSTEMD
from tools.lab.kernel import CAPABILITIES, alive

_TOOLS = ("nsenter", "setpriv", "systemctl", "journalctl")
_BOOT_SECONDS = 60.0
_VARIABLES = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "HOME=/root",
    "SYSTEMD_PAGER=",
    "SYSTEMD_COLORS=0",
    "SYSTEMD_URLIFY=0",
    "PYTHONDONTWRITEBYTECODE=1",
)
_NOTHING: Mapping[str, str] = {}


def missing() -> str:
    """Why no lab can be made here; empty when one can."""
    if os.geteuid() != 0:
        return "a lab needs root"
    if not SYSTEMD.exists():
        return "systemd is not installed (apt-get install systemd)"
    absent = [name for name in _TOOLS if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} cannot be found (apt-get install util-linux systemd)"
    if "overlay" not in Path("/proc/filesystems").read_text() and not _loads_overlay():
        return "the kernel has no overlayfs"
    return ""


def _loads_overlay() -> bool:
    return shutil.which("modprobe") is not None and run_program(["modprobe", "overlay"]).code == 0


class Lab:
    """`folder`: what is said on its console, for whoever looks for a fault."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.init = 0
        """Its first process as this machine sees it; 0 while it is off."""
        self._doors: list[Door] = []
        words = ["-m", "tools.lab.keeper", str(self.folder)]
        self._keeper: Process | None = start_dialogue(words, folder / "keeper.txt")
        self.keeper = self._keeper.pid

    # Power.

    def boot(self) -> None:
        """Up, with every job of the start done. Raises OSError."""
        answer = self._tell("boot")
        if not answer.startswith("up "):
            raise OSError(f"the lab did not start: {answer}; {self.last_words}")
        self.init = int(answer.split()[1])
        end = time.monotonic() + _BOOT_SECONDS
        while not (self.root / "run/systemd/private").exists():
            if time.monotonic() > end or not alive(self.init):
                raise OSError(f"the lab's systemd did not come up: {self.last_words}")
            time.sleep(0.02)
        self.run("systemctl", "is-system-running", "--wait", seconds=_BOOT_SECONDS)

    def reboot(self, *, power_cut: bool = False) -> None:
        """`power_cut`: nobody is told to stop; what was written stays."""
        self.switch_off(power_cut=power_cut)
        self.boot()

    def switch_off(self, *, power_cut: bool = False) -> None:
        self.init = 0
        answer = self._tell("pull" if power_cut else "off")
        if answer != "done":
            raise OSError(f"the lab did not end: {answer}")

    def down(self) -> None:
        """Gone, with its disk."""
        self.init = 0
        for door in self._doors:
            door.close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            assert keeper.stdin is not None
            assert keeper.stdout is not None
            keeper.stdin.close()
            keeper.wait(120)
            keeper.stdout.close()
            (self.folder / "disk").rmdir()

    # Its disk.

    @property
    def root(self) -> Path:
        """Its / as this machine sees it. Raises OSError while it is off, for an empty path would be this machine's."""
        if not self.init:
            raise OSError("the lab is off")
        return Path(f"/proc/{self.init}/root")

    def path(self, inside: str | Path) -> Path:
        return self.root / str(inside).lstrip("/")

    def place(self, source: Path, inside: str) -> None:
        """Before a boot: a copy of a folder on the lab's disk. Raises OSError."""
        if self.init:
            raise OSError("the lab is up: use run")
        self._tell("ready")
        target = Path(f"/proc/{self.keeper}/root{self.folder}/disk/upper{inside}")
        target.parent.mkdir(parents=True, exist_ok=True)
        copied = run_program(["cp", "-a", "--", str(source), str(target)])
        if copied.code:
            raise OSError(f"{source} was not copied into the lab: {copied.last_lines}")

    # Work inside.

    def run(
        self,
        *words: str,
        user: str = "",
        seconds: float = 60.0,
        folder: str = "/",
        more: Mapping[str, str] | None = None,
    ) -> Finished:
        """As root, or as `user`, which has a group of its name, with all its groups. `more`: further variables."""
        enter = ["nsenter", "-t", str(self._required_init()), "-m", "-u", "-i", "-p", "-C", "-n"]
        bounds = ["setpriv", "--bounding-set", ",".join(f"-{name}" for name in CAPABILITIES), "--"]
        become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"] if user else []
        variables = [
            "env",
            "-i",
            "-C",
            folder,
            *_VARIABLES,
            *(f"{name}={value}" for name, value in (more or {}).items()),
        ]
        return run_program([*enter, *bounds, *variables, *become, *words], seconds=seconds)

    def systemctl(self, *words: str, seconds: float = 120.0) -> Finished:
        return self.run("systemctl", *words, seconds=seconds)

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        said = self.systemctl("show", unit, *(f"--property={name}" for name in names)).output
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def property_of(self, unit: str, name: str) -> str:
        return self.properties(unit, name).get(name, "")

    def state(self, unit: str) -> str:
        """active, inactive, activating, deactivating or failed."""
        return self.property_of(unit, "ActiveState")

    def pid(self, unit: str) -> int:
        """Its main process as seen inside; 0 when it has none."""
        return int(self.property_of(unit, "MainPID") or 0)

    def kill(self, unit: str, signal: str = "SIGKILL") -> None:
        """Its main process alone. Raises OSError."""
        done = self.systemctl("kill", "--kill-who=main", f"--signal={signal}", unit)
        if done.code:
            raise OSError(f"{unit} was not killed: {done.last_lines}")

    def journal(self, unit: str = "", *more: str) -> tuple[dict[str, Any], ...]:
        """Rows with all their fields, the oldest first. `more`: such as `-b` or `-p err`."""
        chosen = ("-u", unit) if unit else ()
        said = self.run("journalctl", "-q", "-o", "json", "--all", "--no-pager", *chosen, *more)
        rows = (json.loads(line) for line in said.output.splitlines() if line.startswith("{"))
        return tuple(dict(row) for row in rows)

    def door(self, port: int) -> int:
        """A port of this machine that leads to `port` of the lab, also after a reboot."""
        door = Door(self._required_init, port)
        self._doors.append(door)
        return door.port

    @property
    def last_words(self) -> str:
        texts = (self.folder / name for name in ("keeper.txt", "console.txt"))
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in texts if path.exists())

    def _required_init(self) -> int:
        if not self.init:
            raise OSError("the lab is off")
        return self.init

    def _tell(self, word: str) -> str:
        keeper = self._keeper
        if keeper is None or keeper.stdin is None or keeper.stdout is None:
            raise OSError("the lab is gone")
        keeper.stdin.write(word.encode() + b"\n")
        keeper.stdin.flush()
        return keeper.stdout.readline().decode().strip()
