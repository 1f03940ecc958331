"""Control groups of a lab: one folder of its own per hierarchy, below this process's own; nothing else is touched."""

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from tools.lab.kernel import alive

_TOP = Path("/sys/fs/cgroup")
_MARK = "tbotlab-"
_SYSTEMD = "name=systemd"
_CONTROLLERS = ("memory", "pids", "cpu", "cpuacct", "blkio", "devices")
"""Of cgroup v1. Without cpuset: its groups start without a processor and refuse every process."""


@dataclass(frozen=True, slots=True)
class Group:
    """`folder` on this machine is the root of the hierarchy that the lab sees at `mounted`."""

    folder: Path
    mounted: Path
    kind: str
    options: str


@dataclass(frozen=True, slots=True)
class Groups:
    """`hybrid`: limits by v1, processes followed in v2, as on machines that mount both."""

    hybrid: bool
    groups: tuple[Group, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        return tuple(group.folder for group in self.groups)


def make_groups() -> Groups:
    """Raises FileNotFoundError where no cgroup2 is mounted."""
    sweep()
    planned = _planned(f"{_MARK}{os.getpid()}-{secrets.token_hex(3)}")
    for folder in planned.folders:
        folder.mkdir()
    return planned


def join(folders: tuple[Path, ...]) -> None:
    for folder in folders:
        (folder / "cgroup.procs").write_text(str(os.getpid()))


def remove_groups(folders: tuple[Path, ...], seconds: float = 8.0) -> None:
    """Bottom up, while the kernel still reaps their last members. Raises TimeoutError."""
    end = time.monotonic() + seconds
    left = [folder for folder in folders if folder.exists()]
    while left:
        for top in left:
            for name, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(name)
        left = [folder for folder in left if folder.exists()]
        if left and time.monotonic() > end:
            raise TimeoutError(f"control groups are still in use: {left}")
        if left:
            time.sleep(0.02)


def sweep() -> None:
    """Remove what keepers that were killed have left."""
    for parent in _parents().values():
        for folder in parent.glob(f"{_MARK}*"):
            if not alive(int(folder.name.split("-")[1])):
                with contextlib.suppress(TimeoutError):
                    remove_groups((folder,), seconds=1.0)


def _planned(name: str) -> Groups:
    parents = _parents()
    newest = Group(parents[""] / name, _mount_of_v2(), "cgroup2", "")
    if _SYSTEMD not in parents:
        return Groups(False, (newest,))
    followed = Group(parents[_SYSTEMD] / name, _TOP / "systemd", "cgroup", f"none,{_SYSTEMD}")
    limits = (Group(parents[each] / name, _TOP / each, "cgroup", each) for each in _CONTROLLERS if each in parents)
    return Groups(True, (newest, followed, *limits))


def _parents() -> dict[str, Path]:
    """This process's own place by hierarchy: "" for cgroup2, "name=systemd", "memory", ..."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, place = line.split(":", 2)
        for name in names.split(","):
            top = _mount_of_v2() if not name else _TOP / name.removeprefix("name=")
            if (top / "cgroup.procs").exists():
                found[name] = Path(os.path.normpath(f"{top}/{place}"))
    return found


def _mount_of_v2() -> Path:
    for folder in (_TOP, _TOP / "unified"):
        if (folder / "cgroup.controllers").exists():
            return folder
    raise FileNotFoundError("no cgroup2 is mounted below /sys/fs/cgroup")
