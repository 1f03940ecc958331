"""Words to the humans: logged, kept in a durable log, and published for the dashboard."""

import threading
from collections import deque
from typing import Any

from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import LineLog, json_line, read_lines
from tbot_bot.support.logs import get_logger, redact
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher

ROUTINE = "routine"
CRITICAL = "critical"
ROWS_KEPT = 200
SNAPSHOT_SECONDS = 86_400.0
_MOST_TEXT = 2_000

_log = get_logger("alerts")


class AlertBook:
    """ports.Notifier: one log line, one durable row and one snapshot an alert. Safe between threads, never raises.

    Secrets known to `support.logs` are replaced in all three. The last 200 alerts survive a restart; what other
    processes wrote into the log meanwhile is published with the next alert."""

    def __init__(self, paths: Paths, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock
        self._lock = threading.Lock()
        self._path = paths.alerts_log
        self._rows: deque[dict[str, Any]] = deque(maxlen=ROWS_KEPT)
        self._size = 0
        self._file = LineLog(paths.alerts_log)
        self._catch_up()
        self._publish()

    def notify(self, level: str, subject: str, text: str) -> None:
        """`level`: routine or critical; anything else counts as critical. Long texts are cut."""
        known = level if level in {ROUTINE, CRITICAL} else CRITICAL
        row = {
            "at": self._clock.now().isoformat(),
            "level": known,
            "subject": redact(subject)[:_MOST_TEXT],
            "text": redact(text)[:_MOST_TEXT],
        }
        write = _log.warning if known == CRITICAL else _log.info
        write("alert", extra={"fields": {"alert": known, "subject": row["subject"], "text": row["text"]}})
        with self._lock:
            self._catch_up()
            self._rows.append(row)
            try:
                self._file.append(row)
                self._size += len(json_line(row))
            except OSError as error:
                _log.warning("the alert could not be kept on disk", extra={"fields": {"why": error.strerror}})
            self._publish()

    def rows(self) -> tuple[dict[str, Any], ...]:
        """The last alerts, newest first."""
        with self._lock:
            return tuple(reversed(self._rows))

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _catch_up(self) -> None:
        """Take over what another process added: a unit's failure, a backup's."""
        try:
            size = self._path.stat().st_size
            if size == self._size:
                return
            kept = read_lines(self._path)[-ROWS_KEPT:]
        except OSError as error:
            _log.warning("the alerts of others could not be read", extra={"fields": {"why": error.strerror}})
            return
        unkept = [row for row in self._rows if row not in kept]
        self._rows = deque(sorted([*unkept, *kept], key=lambda row: str(row.get("at"))), maxlen=ROWS_KEPT)
        self._size = size

    def _publish(self) -> None:
        try:
            self._publisher.publish("alerts", {"rows": list(reversed(self._rows))}, SNAPSHOT_SECONDS)
        except OSError as error:
            _log.warning("the alerts could not be published", extra={"fields": {"why": error.strerror}})
