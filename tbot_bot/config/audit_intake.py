"""Entering the audit events that other processes dropped as files."""

import json
from typing import Any

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.atomic_file import ensure_folder
from tbot_bot.support.audit_drop import DROP_SUFFIX
from tbot_bot.support.inbox import Claimed, Evicted, Inbox
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths

_log = get_logger("audit")
_LONGEST_NAME = 64

TOLD_BY_OTHERS = frozenset(
    {
        *("order", "fill", "decisions", "trade_confirmed", "session_closed", "transition_refused"),
        *("universe_built", "backtest_done", "key_use", "restore_drill", "unit_failed", "broker_failover"),
        *("backup_made", "backup_failed", "backup_copied", "backup_copy_failed", "backups_thinned"),
    }
)
"""What processes that cannot write the audit log may say under its own name. A login or a change of users is the
runner's to tell: who may only drop files must not be able to make one up."""


class AuditIntake:
    """Moves dropped events into the log: recorded first, forgotten after, so that a crash can double one, never lose
    one; the drop's name is recorded with it, which shows a double."""

    def __init__(self, paths: Paths, audit: AuditLog, owners: frozenset[int] | None) -> None:
        ensure_folder(paths.audit_inbox, 0o770)
        self._audit = audit
        self._inbox = Inbox(
            paths.audit_inbox,
            paths.runner_private / "events",
            paths.runner_private / "refused",
            wanted=lambda name: name.endswith(DROP_SUFFIX) and not name.startswith("."),
            leave=lambda name: name.startswith("."),
            owners=owners,
        )

    def take(self) -> None:
        """Enter everything that is there; what cannot be entered now waits for the next round."""
        waiting = self._inbox.leftovers()
        claimed, evicted = self._inbox.take()
        try:
            for one in sorted((*waiting, *claimed), key=lambda one: one.name):
                self._enter(one)
            for bad in evicted:
                self._refuse(bad)
        except AuditUnavailable as error:
            _log.error("audit events wait", extra={"fields": {"why": str(error)}})

    def _enter(self, claimed: Claimed) -> None:
        event = _event(claimed.data)
        if event is None:
            self._inbox.refuse(claimed)
            self._refuse(Evicted(claimed.name, "it is no audit event"))
            return
        name, actor, detail = event
        if name not in TOLD_BY_OTHERS:
            name, actor, detail = f"claimed:{name}", "unknown", {**detail, "actor": actor}
        self._audit.record(name, actor, {**detail, "drop": claimed.name})
        self._inbox.finish(claimed)

    def _refuse(self, bad: Evicted) -> None:
        self._audit.record("event_refused", "unknown", {"name": bad.name, "why": bad.why})


def _event(data: bytes) -> tuple[str, str, dict[str, Any]] | None:
    """(event, actor, detail with the time it happened) of a dropped file; None when it is none."""
    try:
        row = json.loads(data)
        json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    event, actor, at, detail = row.get("event"), row.get("actor"), row.get("at"), row.get("detail")
    if not isinstance(event, str) or not isinstance(actor, str) or not isinstance(at, str):
        return None
    if not isinstance(detail, dict):
        return None
    return event[:_LONGEST_NAME], actor[:_LONGEST_NAME], {**detail, "happened_at": at[:_LONGEST_NAME]}
