"""tbot's processes as the installer sees them: stopping them, starting them one by one, and proof that they serve."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from tools.installer import system
from tools.installer.faults import InstallRefused

SERVING = ("tbot-paper.service", "tbot-provisioning.service", "tbot-web.service", "tbot-bot.service")
"""Those that stay, in the order of their start; the others come and go."""
SOCKET = "tbot-web.socket"
TARGET = "tbot.target"
MIGRATION = "tbot-migrate@{}.service"
SETTLED_SECONDS = 5.0
_ADDRESS = re.compile(r"((?:\d+\.){3}\d+:\d+|\[[0-9a-f:]+\]:\d+) \(Stream\)")

Say = Callable[[str], None]


def under_way(units: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `units` that run, start or listen, or are being started again after they died."""
    states = {unit: system.property_of(unit, "ActiveState") for unit in units}
    return tuple(unit for unit, state in states.items() if state in {"active", "activating", "reloading"})


def stop(units: tuple[str, ...], say: Say) -> None:
    """Stop everything but the socket, which keeps callers waiting meanwhile: triggers first, then the bot, the web,
    the runner and the venue. Raises InstallRefused when one does not stop."""
    triggers = [unit for unit in units if unit.endswith((".timer", ".path"))]
    comers = [unit for unit in units if unit.endswith(".service") and unit not in SERVING]
    stayers = [unit for unit in reversed(SERVING) if unit in units]
    for unit in (*triggers, *comers, *stayers):
        say(f"stopping {unit}")
        system.require("systemctl", "stop", unit, what=f"Stopping {unit}")


def start(units: tuple[str, ...], say: Say, seconds: float) -> None:
    """Start what was under way, each proven before the next. Raises InstallRefused naming the first that is not."""
    serving = [unit for unit in SERVING if unit in units]
    for unit in serving:
        say(f"starting {unit}")
        system.systemctl("reset-failed", unit)
        # Restarted, not started: the socket may have woken the web process with the code of before.
        done = system.systemctl("restart", unit, seconds=seconds)
        if done.code:
            raise InstallRefused(f"{unit} did not become ready; journalctl -u {unit} says why.")
        if unit == "tbot-web.service" and SOCKET in units:
            require_page(seconds)
    _require_settled(serving)
    rest = [unit for unit in units if unit not in SERVING and unit.endswith((".socket", ".timer", ".path", ".target"))]
    for unit in rest:
        system.require("systemctl", "start", unit, what=f"Starting {unit}")


def require_page(seconds: float) -> None:
    """Raises InstallRefused unless the web socket answers /health with ok."""
    address = page_address()
    if address is None:
        raise InstallRefused(f"{SOCKET} listens nowhere: systemctl status {SOCKET} says why.")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answers(address):
            return
        time.sleep(0.3)
    raise InstallRefused(f"http://{address}/health did not answer within {seconds:.0f} s; journalctl -u tbot-web.")


def page_address() -> str | None:
    """Where the web socket listens, as host:port."""
    found = _ADDRESS.search(system.property_of(SOCKET, "Listen"))
    return found.group(1) if found else None


def migrate(to: str, say: Say) -> None:
    """Run a migration with the runner's rights, by the code that `current` leads to. Raises InstallRefused."""
    unit = MIGRATION.format(to)
    say(f"migrating the state folder ({to})")
    system.systemctl("reset-failed", unit)
    if system.systemctl("restart", unit).code:
        raise InstallRefused(f"The state folder could not be migrated; journalctl -u {unit} says why.")


def answers(address: str) -> bool:
    """Whether the page's process says that it is there."""
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=5) as reply:
            return bool(reply.read(16) == b"ok\n")
    except (OSError, urllib.error.URLError):
        return False


def _require_settled(units: list[str]) -> None:
    """Ready is not enough: each must still be the same process some seconds later."""
    first = {unit: system.property_of(unit, "MainPID") for unit in units}
    time.sleep(SETTLED_SECONDS if units else 0)
    for unit, pid in first.items():
        if system.property_of(unit, "ActiveState") != "active" or system.property_of(unit, "MainPID") != pid:
            raise InstallRefused(f"{unit} was ready and died again; journalctl -u {unit} says why.")
