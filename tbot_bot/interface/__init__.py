"""All that the web may use: sealed requests, published facts, live logins, the state word, stop and kill."""

from tbot_bot.ports.clock import Clock
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.hygiene import harden
from tbot_bot.support.logs import configure, report_uncaught
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.sd_notify import SdNotify

__all__ = ["Clock", "Paths", "SdNotify", "SystemClock", "protect", "root"]


def root() -> Paths:
    """The paths below `TBOT_ROOT`, else below the checkout."""
    return Paths(root=root_from_environment())


def protect() -> None:
    """What the web process does before anything else: it is closed to others of its user, and its log is redacted."""
    harden()
    configure("web")
    report_uncaught()
