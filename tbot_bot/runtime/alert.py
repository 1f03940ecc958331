"""`python -m tbot_bot.runtime.alert UNIT`: tell the humans that a unit failed, run by systemd (OnFailure=).

It depends on nothing that may be dead: the alert is kept in the alerts' log, where the dashboard and the bot find it,
and in the journal; the audit event is entered when the runner works again."""

import argparse
import os
import re
import sys
from collections.abc import Mapping

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting.alerts import CRITICAL, AlertBook
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run
from tbot_bot.support.snapshot import Publisher

_log = get_logger("alert")
_UNIT = re.compile(r"[A-Za-z0-9@:._\\-]{1,200}")
_RESULTS: Mapping[str, str] = {
    "start-limit-hit": "it failed too often in a row and is not started again by itself",
    "watchdog": "it no longer answered and was ended",
    "oom-kill": "the machine had no memory left for it",
    "timeout": "it took too long to start or to stop",
    "signal": "it was killed",
    "core-dump": "it crashed",
    "exit-code": "it ended with an error",
    "resources": "systemd could not start it",
}
"""systemd's word for what happened (SERVICE_RESULT) in ours."""
_CODES: Mapping[str, str] = {
    "65": "a state file, a backup or market data is damaged",
    "71": "another process does this on the same folder, or there is no valid universe",
    "73": "a booking would break the books",
    "74": "an act could not be recorded; look at the disk",
    "75": "the broker gave no usable answer",
    "77": "a key, a secret or the broker's credentials are refused",
    "78": "a setting, or plaintext secrets on the disk; it is not started again by itself",
}
"""What our own exit codes mean; the errors' classes say more."""


def unit_name(text: str) -> str:
    if not _UNIT.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a unit")
    return text


def words(unit: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """(subject, text) from what systemd (251 and newer) tells a unit that it starts for another's failure."""
    result = environment.get("MONITOR_SERVICE_RESULT", "")
    status = environment.get("MONITOR_EXIT_STATUS", "")
    what = _RESULTS.get(result, "it failed")
    code = f" ({environment.get('MONITOR_EXIT_CODE', 'exited')}, {status})" if status else ""
    meaning = _CODES.get(status, "") if environment.get("MONITOR_EXIT_CODE") == "exited" else ""
    code = f"{code}: {meaning}" if meaning else code
    return f"{unit} failed", f"{what}{code}. Look at: journalctl -u {unit} -n 50; then: systemctl restart {unit}"


def tell(process: Process) -> None:
    parser = argparse.ArgumentParser(prog="tbot_bot.runtime.alert")
    parser.add_argument("unit", type=unit_name, help="the unit that failed")
    unit = str(parser.parse_args().unit)
    process.notify.ready()
    paths, clock = Paths(root_from_environment()), SystemClock()
    subject, text = words(unit, os.environ)
    book = AlertBook(paths, Publisher(paths, "alert", clock), clock)
    book.notify(CRITICAL, subject, text)
    book.close()
    try:
        AuditDrop(paths, clock).record("unit_failed", "systemd", {"unit": unit, "why": text})
    except AuditUnavailable as error:
        _log.error("the failure is not on record", extra={"fields": {"why": str(error)}})


if __name__ == "__main__":
    sys.exit(run("alert", tell))
