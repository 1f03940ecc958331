"""Other users of the machine, as the kernel shows them to this process."""

import contextlib
import functools
import grp
import pwd
from pathlib import Path

HIDDEN = 65534
"""The user id by which the kernel names an owner that it does not show."""


@functools.cache
def others_are_hidden() -> bool:
    """Whether every other user looks like one and the same to us (PrivateUsers= of a unit)."""
    try:
        rows = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return False
    return not any(int(first) <= HIDDEN < int(first) + int(count) for first, _, count in rows)


@functools.cache
def members(group: int) -> frozenset[int]:
    """User ids of the group's members; users unknown to the machine are none."""
    found = set()
    with contextlib.suppress(KeyError):
        for name in grp.getgrgid(group).gr_mem:
            with contextlib.suppress(KeyError):
                found.add(pwd.getpwnam(name).pw_uid)
    return frozenset(found)
