"""What the installer asks of systemd, and how it tells which units there are."""

import re
import time
from collections.abc import Iterable
from pathlib import Path

from tools.child import Finished, run_program
from tools.installer.faults import InstallRefused

READY_SECONDS = 120.0
_INSTALLABLE = re.compile(r"(?m)^\[Install\]$")
_PATIENCE = 300.0


def running() -> bool:
    """Whether this machine is run by systemd; otherwise only files can be put in place."""
    return Path("/run/systemd/system").is_dir()


def systemctl(*words: str, seconds: float = _PATIENCE) -> Finished:
    return _tool("systemctl", *words, seconds=seconds)


def require(*words: str, what: str) -> None:
    """Run a program that must succeed. Raises InstallRefused with what it said."""
    done = _tool(*words)
    if done.code:
        raise InstallRefused(f"{what} failed ({' '.join(words[:2])}):\n{done.last_lines}")


def reload_units() -> None:
    if running():
        require("systemctl", "daemon-reload", what="Making systemd read its units again")


def active(units: Iterable[str]) -> tuple[str, ...]:
    """Those of `units` that are running, starting or listening."""
    return tuple(unit for unit in units if systemctl("is-active", "--quiet", unit).code == 0)


def property_of(unit: str, name: str) -> str:
    """What `systemctl show` says; "" when it says nothing."""
    return systemctl("show", "--value", "-p", name, unit).output.strip()


def wait_active(unit: str, seconds: float) -> bool:
    """Whether `unit` is up before the time is over, and has not failed meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = property_of(unit, "ActiveState")
        if state == "active":
            return True
        if state == "failed":
            return False
        time.sleep(0.2)
    return False


def can_be_enabled(name: str, text: str) -> bool:
    """Whether the unit says what starts it, and, for a template, with which instance."""
    return bool(_INSTALLABLE.search(text)) and ("@." not in name or "\nDefaultInstance=" in text)


def _tool(*words: str, seconds: float = _PATIENCE) -> Finished:
    try:
        return run_program(words, seconds=seconds)
    except FileNotFoundError as error:
        raise InstallRefused(f"{words[0]} is not on this machine: tbot's units need systemd.") from error
