"""Entering every state transition into the audit log: the runner's own, the bot's, and those made while it was away.

`control/state_log.jsonl` is written by whoever moves the state, before the state word. The runner follows it; the audit
log itself says how far it came, so that a crash at any moment neither loses a transition nor enters one twice."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tbot_bot.config.published_facts import AnchoredAuditLog
from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths

_log = get_logger("audit")
EVENT = "state"
_MOST_AT_ONCE = 500
_Placed = tuple[tuple[int, str], Mapping[str, Any]]
_LONGEST = {"from": 64, "to": 64, "why": 500}


class StateFollower:
    """Call `take` often: while nothing moved it costs one look at the file's date."""

    def __init__(self, paths: Paths, audit: AnchoredAuditLog) -> None:
        self._file = paths.state_log
        self._audit = audit
        self._looked_at: tuple[int, int, int] | None = None
        newest = audit.newest(EVENT)
        self._last = None if newest is None else _place(newest["detail"])
        self._since = "" if newest is None or self._last is not None else str(newest["at"])

    def take(self) -> None:
        """Enter what came since; what cannot be entered now waits for the next round."""
        try:
            facts = os.stat(self._file)
            look = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if look != self._looked_at:
                self._enter(read_lines(self._file))
                self._looked_at = look
        except FileNotFoundError:
            return
        except (AuditUnavailable, OSError) as error:
            _log.error("state transitions wait to be audited", extra={"fields": {"why": str(error)}})

    def _enter(self, rows: Sequence[Mapping[str, Any]]) -> None:
        fresh = self._after_last([(place, row) for row in rows if (place := _place(row)) is not None])
        if len(fresh) > _MOST_AT_ONCE:
            self._audit.record("state_rows_left_out", "runner", {"count": len(fresh) - _MOST_AT_ONCE})
        for place, row in fresh[-_MOST_AT_ONCE:]:
            detail = {name: str(row.get(name) or "")[:longest] for name, longest in _LONGEST.items()}
            self._audit.record(EVENT, str(row.get("by", ""))[:64], {**detail, "seq": place[0], "at": place[1]})
            self._last = place

    def _after_last(self, rows: Sequence[_Placed]) -> Sequence[_Placed]:
        """The rows behind the last one entered. A log that no longer holds it was replaced: all of it is news."""
        places = [place for place, _ in rows]
        if self._last is None:
            # Releases before this one noted their own moves without a number; what came before theirs is history.
            return [(place, row) for place, row in rows if place[1] > self._since]
        if self._last in places:
            return rows[places.index(self._last) + 1 :]
        self._audit.record("state_log_replaced", "runner", {"expected": self._last[0], "found": len(rows)})
        return rows


def _place(row: Mapping[str, Any]) -> tuple[int, str] | None:
    """What tells one transition from all others."""
    seq, at = row.get("seq"), row.get("at")
    if isinstance(seq, int) and not isinstance(seq, bool) and isinstance(at, str) and len(at) <= 64:
        return seq, at
    return None
