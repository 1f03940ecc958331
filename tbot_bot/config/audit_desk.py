"""What admins ask about the audit log: a search and its verification."""

from collections.abc import Mapping
from typing import Any, Protocol

from tbot_bot.config.desk_kind import Kind, Kinds, Lane, Outcome, done, name_of, refused, text_of
from tbot_bot.config.security_users import User
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.envelope import Request

_LONGEST_FILTER = 200


class AuditReader(Protocol):
    """The audit log as its readers see it."""

    def search(self, *, text: str, event: str, actor: str, before: int | None) -> Mapping[str, Any]:
        """{rows: [{seq, at, event, actor, detail}], more, next}; newest first, at most 100."""
        ...

    def verify(self) -> Mapping[str, Any]:
        """{records, problem, level, anchors: [{where, seq, at, ok, count}]}."""
        ...


class FirstKeySealer(Protocol):
    """Puts the audit log's first key out of the reach of whoever takes this machine."""

    def seal_first_key(self, recipient: str) -> bool:
        """Seal it to an age recipient; False when it was sealed before, to the recovery key of that time. Raises
        AuditUnavailable."""
        ...


class AuditDesk:
    """Answers `audit_search` and `audit_verify`; a verification and what it found is itself on record."""

    def __init__(self, reader: AuditReader, audit: AuditLog) -> None:
        self._reader = reader
        self._audit = audit

    def kinds(self) -> Kinds:
        return {
            "audit_search": Kind(self._search, Lane.WORK),
            "audit_verify": Kind(self._verify, Lane.WORK),
        }

    def _search(self, request: Request, _: User | None) -> Outcome:
        before = request.body.get("before")
        if before in (None, "", 0):
            before = None
        elif not isinstance(before, int) or isinstance(before, bool) or before < 1:
            return Outcome(refused("invalid", "`before` is the number of a record."))
        text, event, actor = (text_of(request, key, _LONGEST_FILTER) for key in ("text", "event", "actor"))
        return done(body=self._reader.search(text=text, event=event, actor=actor, before=before))

    def _verify(self, request: Request, user: User | None) -> Outcome:
        found = self._reader.verify()
        facts = {name: found[name] for name in ("records", "level", "problem")}
        self._audit.record("audit_verified", name_of(user), {"ip": request.ip, **facts})
        return done(body=found)
