"""The runner's desk: takes each opened request to the one who handles its kind, if the sender may ask for it.

Authority is checked here and nowhere else, from the runner's own database: whatever the web believes counts nothing."""

import contextlib
import sqlite3

from tbot_bot.config.access import Access
from tbot_bot.config.desk_kind import Kinds, Lane, Outcome, name_of, refused, text_of
from tbot_bot.config.ephemeral import frozen
from tbot_bot.config.permissions import PERMISSIONS, Needs, Permission, StepUp, allowed, role_needed
from tbot_bot.config.security_users import User
from tbot_bot.domain.errors import AuditUnavailable, TbotError
from tbot_bot.domain.settings import UserRole
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.envelope import Reply, Request
from tbot_bot.support.logs import redact

_ASKED_WHILE_TYPING = frozenset({"validate"})
_ON_RECORD = frozenset({"step_up", "expired", "not_allowed"})
"""Refusals that whoever made them has recorded in words of their own."""
_LONGEST_WHY = 300


class Desk:
    """Answers requests. `handle` never raises for anything a request can hold."""

    def __init__(self, access: Access, audit: AuditLog, kinds: Kinds) -> None:
        self._access = access
        self._audit = audit
        self._kinds = kinds

    def knows(self, kind: str) -> bool:
        return kind in self._kinds and kind in PERMISSIONS

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind that has a handler."""
        return frozenset(self._kinds)

    def lane(self, request: Request) -> Lane:
        """A login from a device that is known does not wait behind the strangers'."""
        lane = self._kinds[request.kind].lane
        try:
            known = lane is Lane.LOGIN and self._access.trusts(text_of(request, "device"))
        except (TbotError, OSError, sqlite3.Error):
            known = False
        return Lane.WORK if known else lane

    def changes_facts(self, kind: str) -> bool:
        return self._kinds[kind].facts

    def handle(self, request: Request) -> Outcome:
        """The outcome of one request that was opened, is fresh and of a known kind."""
        try:
            kind, turns = self._kinds[request.kind], self._access.turns
            with turns.together():
                user = self._access.who(request.token)
                denied = self._objection(request, user, PERMISSIONS[request.kind])
            if denied is not None:
                return Outcome(denied)
            with turns.alone() if kind.alone else turns.together():
                outcome = kind.handle(request, user)
            self._note_refusal(request, user, outcome.reply)
            return outcome
        except TbotError as error:
            return Outcome(refused("failed", redact(str(error))))
        except OSError as error:
            return Outcome(refused("failed", f"The runner could not do this: {error.strerror}. Look at its log."))
        except sqlite3.Error as error:
            return Outcome(refused("failed", f"The user database failed: {redact(str(error))}. Look at its log."))

    def _objection(self, request: Request, user: User | None, permission: Permission) -> Reply | None:
        first_run = self._access.count() == 0
        needed = role_needed(permission.needs, first_run=first_run)
        if needed is not None and not allowed(user, needed):
            return self._turn_away(request, user, needed)
        unchangeable = frozen(self._access.paths, request.kind)
        if unchangeable is not None:
            return unchangeable
        if permission.step_up is StepUp.ALWAYS and user is not None:
            return self._access.step_up(request, user)
        return None

    def _note_refusal(self, request: Request, user: User | None, reply: Reply) -> None:
        """A wish that was not granted is on record too; where that fails it stays refused all the same."""
        asked_by_anyone = PERMISSIONS[request.kind].needs is Needs.ANYONE
        if reply.ok or asked_by_anyone or request.kind in _ASKED_WHILE_TYPING or reply.code in _ON_RECORD:
            return
        detail = {"kind": request.kind, "code": reply.code, "why": reply.message[:_LONGEST_WHY], "ip": request.ip}
        with contextlib.suppress(AuditUnavailable):
            self._audit.record("request_refused", name_of(user), detail)

    def _turn_away(self, request: Request, user: User | None, needed: UserRole) -> Reply:
        self._audit.record("request_not_allowed", name_of(user), {"kind": request.kind, "ip": request.ip})
        if user is None:
            return refused("expired", "Your login has ended. Log in again; what you asked for was not done.")
        return refused("not_allowed", f"This needs the role {needed}; you are {user.role}. Ask an admin.")
