"""What every process of tbot has: privacy, JSON logs, a stop signal, the notify socket of systemd, an exit code."""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tbot_bot.domain.errors import TbotError
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.hygiene import harden
from tbot_bot.support.key_use import KEY_USE
from tbot_bot.support.logs import TailHandler, configure, get_logger, report_uncaught
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.sd_notify import SdNotify


@dataclass(frozen=True, slots=True)
class Process:
    """`stop` is set by SIGTERM and SIGINT; `tail` holds the newest log lines."""

    stop: threading.Event
    notify: SdNotify
    tail: TailHandler


def run(unit: str, body: Callable[[Process], None]) -> int:
    """Run `body` as the process `unit`. Returns 0, the exit code of a TbotError, or 1 for what nobody foresaw."""
    harden()
    process = Process(threading.Event(), SdNotify(KEY_USE.flush_due), configure(unit))
    report_uncaught()
    KEY_USE.attach(unit, AuditDrop(Paths(root_from_environment()), SystemClock()))
    log = get_logger(unit)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.stop.set())
    try:
        body(process)
    except TbotError as error:
        log.critical("the process cannot work", extra={"fields": {"why": str(error)}})
        return error.exit_code
    except Exception:
        log.critical("the process failed and will be restarted", exc_info=True)
        return 1
    finally:
        KEY_USE.flush()
        process.notify.stopping()
    return 0
