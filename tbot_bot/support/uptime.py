"""How long the machine has been running: time that no one can set."""

import functools
import time
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Uptime:
    """`boot` names this run of the machine, "" when unknown; `seconds` since it began, those asleep included."""

    boot: str
    seconds: float


def uptime() -> Uptime:
    """Two readings of the same boot tell the time really elapsed between them, across processes."""
    return Uptime(_boot(), time.clock_gettime(time.CLOCK_BOOTTIME))


@functools.cache
def _boot() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""
