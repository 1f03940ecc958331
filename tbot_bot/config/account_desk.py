"""What users ask about themselves: their name, password, second factor and logins."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tbot_bot.config.access import Access, Opened
from tbot_bot.config.desk_kind import Kind, Kinds, Lane, Outcome, done, fault, refused, text_of
from tbot_bot.config.entry import begin
from tbot_bot.config.passwords import email_fault, name_fault, password_fault
from tbot_bot.config.security_users import Change, ChangeRefusal, User
from tbot_bot.config.steps import FAILURES, words
from tbot_bot.config.totp import enrolment_uri, matching_step, new_recovery_codes, new_secret, recovery_digest
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.support.envelope import Reply, Request
from tbot_bot.support.logs import add_secret

_PENDING = timedelta(minutes=10)
_GONE = Outcome(refused("expired", "Your login has ended. Log in again; what you asked for was not done."))
_TAKEN = "this name is taken"
_CORRECT = "Correct what is marked."


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A second factor that waits for its first right code; in memory only."""

    secret: str = field(repr=False)
    begun_at: datetime


class AccountDesk:
    """Each act is on record before it is done, and ends every other login where it changes who can log in."""

    def __init__(self, access: Access, audit: AuditLog, clock: Clock) -> None:
        self._access = access
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._enrolments: dict[int, Enrolment] = {}

    def kinds(self) -> Kinds:
        return {
            "account": Kind(self._account),
            "change_account": Kind(self._change, Lane.WORK),
            "totp_begin": Kind(self._totp_begin, Lane.WORK),
            "totp_confirm": Kind(self._totp_confirm, Lane.WORK),
            "totp_remove": Kind(self._totp_remove, Lane.WORK),
            "end_login": Kind(self._end_login, Lane.WORK),
        }

    def _account(self, request: Request, user: User | None) -> Outcome:
        opened = self._access.open()
        facts = None if opened is None or user is None else opened.users.facts(user)
        if opened is None or user is None or facts is None or request.token is None:
            return _GONE
        present = opened.sessions.row_of(request.token)
        logins = [
            {
                "id": row.id,
                "created_at": row.created_at,
                "seen_at": row.seen_at,
                "ip": row.ip,
                "current": present is not None and row.id == present.id,
            }
            for row in opened.sessions.rows_of(user)
        ]
        body = {
            "user": user.username,
            "role": user.role,
            "email": facts.email,
            "totp": facts.user.totp,
            "recovery_codes_left": facts.codes_left,
            "logins": logins,
        }
        return done(body=body)

    def _change(self, request: Request, user: User | None) -> Outcome:
        opened = self._access.open()
        facts = None if opened is None or user is None else opened.users.facts(user)
        if opened is None or user is None or facts is None:
            return _GONE
        name, email, password = (text_of(request, key) for key in ("username", "email", "new_password"))
        name, email = name or user.username, email or facts.email
        wrong = {
            "username": _new_name_fault(opened, user, name),
            "email": email_fault(email),
            "new_password": password_fault(password, name, email) if password else "",
        }
        if any(wrong.values()):
            return Outcome(refused("invalid", _CORRECT, tuple(fault(key, why) for key, why in wrong.items() if why)))
        change = Change(
            username=name if name != user.username else None,
            email=email if email != facts.email else None,
            password_hash=opened.users.hash(password) if password else None,
        )
        self._note_change(request, user, change)
        device = _device(opened, request)
        if opened.users.change(user, change, keep_device=device) is ChangeRefusal.NAME_TAKEN:
            self._audit.record("account_not_changed", user.username, {"ip": request.ip, "why": "the name is taken"})
            return Outcome(refused("invalid", _CORRECT, (fault("username", _TAKEN),)))
        return self._renewed(opened, request, user, device, {})

    def _note_change(self, request: Request, user: User, change: Change) -> None:
        detail = {
            "ip": request.ip,
            "name": user.username if change.username is None else f"{user.username} → {change.username}",
            "email": "as before" if change.email is None else "changed",
            "credentials_changed": change.password_hash is not None,
        }
        self._audit.record("account_changed", user.username, detail)

    def _totp_begin(self, request: Request, user: User | None) -> Outcome:
        """A secret to put into an authenticator; it counts once a code from there was right."""
        if user is None:
            return _GONE
        secret = new_secret()
        add_secret(secret)
        self._audit.record("totp_begun", user.username, {"ip": request.ip})
        now = self._clock.now()
        with self._lock:
            alive = {key: one for key, one in self._enrolments.items() if now - one.begun_at < _PENDING}
            self._enrolments = {**alive, user.id: Enrolment(secret, now)}
        return done(body={"secret": secret, "uri": enrolment_uri(secret, user.username)})

    def _totp_confirm(self, request: Request, user: User | None) -> Outcome:
        opened = self._access.open()
        if opened is None or user is None:
            return _GONE
        now = self._clock.now()
        with self._lock:
            waiting = self._enrolments.get(user.id)
        if waiting is None or not timedelta(0) <= now - waiting.begun_at < _PENDING:
            return Outcome(refused("invalid", "Begin again: this enrolment has ended. Nothing was changed."))
        step = matching_step(waiting.secret, text_of(request, "code"), now)
        if step is None:
            self._audit.record("totp_refused", user.username, {"ip": request.ip, "why": "wrong code"})
            words = "The code is wrong. Check that the clocks of both devices are right, then type the next one."
            return Outcome(refused("invalid", words, (fault("code", words),)))
        codes = new_recovery_codes()
        digests = tuple(digest for digest in map(recovery_digest, codes) if digest is not None)
        self._audit.record("totp_enrolled", user.username, {"ip": request.ip, "recovery_codes": len(codes)})
        device = _device(opened, request)
        opened.users.enrol(user, waiting.secret, step, digests)
        with self._lock:
            self._enrolments.pop(user.id, None)
        return self._renewed(opened, request, user, device, {"recovery_codes": list(codes)})

    def _totp_remove(self, request: Request, user: User | None) -> Outcome:
        opened = self._access.open()
        if opened is None or user is None:
            return _GONE
        self._audit.record("totp_removed", user.username, {"ip": request.ip, "user": user.username})
        device = _device(opened, request)
        opened.users.change(user, Change(remove_totp=True))
        return self._renewed(opened, request, user, device, {})

    def _end_login(self, request: Request, user: User | None) -> Outcome:
        opened = self._access.open()
        if opened is None or user is None or request.token is None:
            return _GONE
        number = text_of(request, "id")
        which = "all others" if number == "others" else "one"
        self._audit.record("logins_ended", user.username, {"ip": request.ip, "user": user.username, "which": which})
        if number == "others":
            opened.sessions.end_others(user, request.token)
        else:
            opened.sessions.end_of(user, number)
        return done()

    def _renewed(self, opened: Opened, request: Request, user: User, device: str, body: dict[str, object]) -> Outcome:
        """The database has ended all of the user's logins; the one who asked goes on with a new token."""
        try:
            opened.sessions.prune()
            now = opened.users.by_id(user.id)
            if now is None:
                return _GONE
            return done(body={**body, **begin(opened, now, request.ip, device)})
        except FAILURES as error:
            # To be told that it failed, and yet to need the new password, would lock the user out; so would recovery
            # codes that count and that nobody has seen.
            told = f"It is changed; a new login failed: {words(error)}. Log in again."
            return Outcome(Reply(ok=False, code="changed", message=told, body=body))


def _new_name_fault(opened: Opened, user: User, name: str) -> str:
    other = opened.users.find(name)
    if other is not None and other.id != user.id:
        return _TAKEN
    return "" if name == user.username else name_fault(name)


def _device(opened: Opened, request: Request) -> str:
    """The digest of the device from which this login was made."""
    row = None if request.token is None else opened.sessions.row_of(request.token)
    return "" if row is None else row.device
