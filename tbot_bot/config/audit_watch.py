"""Verifying the audit log beside the runner's other work: soon after the start, once a day, and when an admin asks."""

import threading
from collections.abc import Mapping
from typing import Any

from tbot_bot.config.audit_desk import AuditReader
from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.logs import get_logger

_log = get_logger("audit")
FIRST_AFTER = 30.0
EVERY = 24 * 3600.0


class AuditWatch:
    """A reader of the audit log that remembers what its last verification found. Thread-safe."""

    def __init__(self, reader: AuditReader, audit: AuditLog) -> None:
        self._reader = reader
        self._audit = audit
        self._lock = threading.Lock()
        self._problem = ""

    @property
    def problem(self) -> str:
        """What the last verification found; "" when it found nothing, or there was none yet."""
        return self._problem

    def search(self, *, text: str, event: str, actor: str, before: int | None) -> Mapping[str, Any]:
        return self._reader.search(text=text, event=event, actor=actor, before=before)

    def verify(self) -> Mapping[str, Any]:
        """The log's verification; one at a time."""
        with self._lock:
            found = self._reader.verify()
            self._problem = str(found["problem"])
        return found

    def start(self, stop: threading.Event) -> None:
        """Verify by itself from now on, in a thread that ends with the process or with `stop`."""
        threading.Thread(target=self._run, args=(stop,), name="audit-watch", daemon=True).start()

    def _run(self, stop: threading.Event) -> None:
        pause = FIRST_AFTER
        while not stop.wait(pause):
            pause = EVERY
            found = self.verify()
            if self._problem:
                _log.critical("the audit log was changed", extra={"fields": {"problem": self._problem}})
            facts = {name: found[name] for name in ("records", "level", "problem")}
            try:
                self._audit.record("audit_verified", "runner", facts)
            except AuditUnavailable as error:
                _log.error("a verification is not on record", extra={"fields": {"why": str(error)}})
