"""What every process does to itself before it handles a secret, so that no one else on the machine comes by it.

Tested is what is promised: another process of the same user reads neither memory nor environment, a crash leaves no
core, and a file is nobody else's unless its mode says so. Memory is not wiped: Python cannot promise that."""

import ctypes
import os
import resource
from pathlib import Path

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
UMASK = 0o077
"""Files and folders are ours alone; what others are to read gets its mode by name, in support/atomic_file."""


def harden() -> None:
    """No core, no reading through /proc or ptrace by others of the same user, files born private.

    Raises OSError when the kernel refuses: a process that cannot protect its secrets does not open them."""
    os.umask(UMASK)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) was refused")


def is_hardened() -> bool:
    """Whether this process can neither be dumped nor leave a core."""
    dumpable = ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    return dumpable == 0 and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)


def in_memory_only(folder: Path) -> bool:
    """Whether `folder` lies in a file system that never reaches a disk by itself (tmpfs, ramfs)."""
    best, kind = "", ""
    place = folder.resolve()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        mounted = fields[4].encode().decode("unicode_escape")
        if place.is_relative_to(mounted) and len(mounted) >= len(best):
            best, kind = mounted, fields[fields.index("-") + 1]
    return kind in {"tmpfs", "ramfs"}
