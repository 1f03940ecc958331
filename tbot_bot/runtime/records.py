"""What the bot tells the audit log of things that have happened: they cannot be undone for want of a record, so neither
trading nor a kill ever waits for one."""

import time
from collections.abc import Mapping
from typing import Any

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.engine import commands as c
from tbot_bot.interface.published import Published
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.support.audit_anchors import keep_anchor, now_anchor
from tbot_bot.support.codec import to_json
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths

log = get_logger("records")
INTERVAL = 60.0
"""Real seconds that a decision waits for others to be recorded with."""
_A_RECORD = 100
_MOST_WAITING = 2000


def record_fact(audit: AuditLog, event: str, detail: Mapping[str, Any], actor: str = "bot") -> bool:
    """Record what has happened already; False, and a line in the log, when that fails."""
    try:
        audit.record(event, actor, detail)
    except AuditUnavailable as error:
        log.critical("an event could not be audited", extra={"fields": {"event": event, "why": str(error)}})
        return False
    return True


class Decisions:
    """Candidates taken and refused, and orders cancelled, each with its reason, recorded together once a minute.

    Entries are on record with their order before they are sent; what dies unrecorded with the process is in the
    session's decisions.jsonl."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._waiting: list[Mapping[str, Any]] = []
        self._since: float | None = None
        self._left_out = 0

    def decided(self, told: c.Decide) -> None:
        self._add({name: value for name, value in to_json(told).items() if value not in (None, "", 0)})

    def cancelled(self, what: str, why: str) -> None:
        """`what`: a client order id, or everything."""
        self._add({"cancel": what, "reason": why})

    def flush_due(self) -> None:
        over = self._since is not None and time.monotonic() - self._since >= INTERVAL
        if over or len(self._waiting) >= _A_RECORD:
            self.flush()

    def flush(self) -> None:
        """Record what waits; while that fails the newest go on waiting, for another interval."""
        self._since = None
        while self._waiting:
            part = self._waiting[:_A_RECORD]
            detail: dict[str, Any] = {"decisions": part}
            if self._left_out:
                detail["left_out"] = self._left_out
            if not record_fact(self._audit, "decisions", detail):
                self._since = time.monotonic()
                return
            self._left_out = 0
            del self._waiting[: len(part)]

    def _add(self, row: Mapping[str, Any]) -> None:
        self._waiting.append(row)
        self._since = time.monotonic() if self._since is None else self._since
        if len(self._waiting) > _MOST_WAITING:
            self._left_out += len(self._waiting) - _MOST_WAITING
            del self._waiting[:-_MOST_WAITING]


def anchor_audit_log(paths: Paths, wall: Clock) -> None:
    """Keep the end of the audit log as the runner published it, under the bot's own user: the runner cannot write
    there, so neither can a thief of its log."""
    snapshot = Published(paths, wall).read("system")
    seen = snapshot.body.get("audit") if snapshot is not None else None
    if not isinstance(seen, dict) or not isinstance(seen.get("seq"), int) or not isinstance(seen.get("hash"), str):
        return
    try:
        keep_anchor(paths.output, now_anchor("the bot", (seen["seq"], seen["hash"]), wall.now()))
    except OSError as error:
        log.error("an anchor of the audit log could not be kept", extra={"fields": {"why": error.strerror}})
