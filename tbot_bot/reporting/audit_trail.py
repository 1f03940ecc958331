"""What admins may ask of the audit log: looking things up, and proof that nothing was changed."""

from collections.abc import Mapping
from typing import Any

from tbot_bot.reporting.audit_search import Wanted, search
from tbot_bot.reporting.audit_verify import Checked, verify
from tbot_bot.support.audit_anchors import known_anchors
from tbot_bot.support.path_resolver import Paths

_SHOWN_BAD = 20


class AuditTrail:
    """Reads the log beside its writer, never holding it up."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def search(self, *, text: str, event: str, actor: str, before: int | None) -> Mapping[str, Any]:
        """{rows: [{seq, at, event, actor, detail}], more, next}; newest first; `next` is the `before` of the rest."""
        page = search(self._paths, Wanted(text, event, actor, before))
        return {"rows": list(page.rows), "more": page.more, "next": page.next}

    def verify(self) -> Mapping[str, Any]:
        """{records, problem ("" = none), level, anchors: [{where, seq, at, ok, count}]}: of each place that kept
        anchors the newest, how many it has, and those that the log contradicts."""
        found = verify(self._paths, anchors=known_anchors(self._paths))
        return {
            "records": found.last,
            "problem": found.problem or "",
            "level": found.level,
            "anchors": _shown(found.anchors),
        }


def _shown(checked: tuple[Checked, ...]) -> list[dict[str, Any]]:
    places: dict[str, list[Checked]] = {}
    for one in checked:
        places.setdefault(one.anchor.where, []).append(one)
    shown = []
    for found in places.values():
        newest = max(found, key=lambda one: one.anchor.seq)
        bad = [one for one in found if not one.ok and one is not newest][:_SHOWN_BAD]
        shown += [_facts(one, len(found)) for one in (newest, *bad)]
    return shown


def _facts(one: Checked, count: int) -> dict[str, Any]:
    anchor = one.anchor
    return {"where": anchor.where, "seq": anchor.seq, "at": anchor.at, "ok": one.ok, "count": count}
