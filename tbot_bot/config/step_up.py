"""Proving anew who one is, before what cannot be undone: the password, and a code where a second factor is enrolled."""

from typing import Any

from tbot_bot.config.desk_kind import fault
from tbot_bot.config.lockout import LockoutRule
from tbot_bot.config.security_users import Attempt, LoginRefusal, User, UserStore
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.envelope import Reply, Request

LOCKED_WORDS = "Too many failed tries. Wait {minutes} minutes, or use a device you logged in from before."
WRONG_CODE = "The code is wrong or was used already. Wait for the next one."


def prove(
    users: UserStore, rule: LockoutRule, audit: AuditLog, request: Request, user: User, device: str
) -> Reply | None:
    """None when the request's `step_up` proves that `user` sent it; else what to type, and where.

    `device`: the digest of the device that the login was made from; failures count there."""
    password, code = _typed(request)
    if not password:
        return _ask(user, "step_up_password", "Type your password to confirm this.")
    attempt = users.try_password(user.username, password, device, rule)
    if attempt.user is None:
        _note(audit, request, user, attempt, rule, "password")
        return _refuse(user, "step_up_password", attempt, rule, "The password is wrong.")
    if attempt.user.totp:
        if not code:
            return _ask(attempt.user, "step_up_code", "Type the code that your authenticator shows.")
        attempt = users.try_code(attempt.user, code, device, rule)
        if attempt.user is None:
            _note(audit, request, user, attempt, rule, "code")
            return _refuse(user, "step_up_code", attempt, rule, WRONG_CODE)
    _note(audit, request, user, attempt, rule, "")
    return None


def note_lockout(audit: AuditLog, username: str, ip: str, attempt: Attempt, rule: LockoutRule) -> None:
    """On record when this failure began a lockout."""
    if attempt.locks:
        where = "unknown devices" if attempt.strangers else "a known device"
        audit.record("lockout", username, {"ip": ip, "from": where, "minutes": rule.minutes})


def _typed(request: Request) -> tuple[str, str]:
    given: Any = request.body.get("step_up")
    fields = given if isinstance(given, dict) else {}
    password, code = fields.get("password"), fields.get("code")
    return (password if isinstance(password, str) else ""), (code if isinstance(code, str) else "")


def _note(audit: AuditLog, request: Request, user: User, attempt: Attempt, rule: LockoutRule, wrong: str) -> None:
    if attempt.user is None:
        detail = {"ip": request.ip, "kind": request.kind, "wrong": wrong, "why": attempt.refusal}
        audit.record("step_up_refused", user.username, detail)
        note_lockout(audit, user.username, request.ip, attempt, rule)
        return
    proof = "password" if attempt.code is None else f"password and {attempt.code}"
    audit.record("step_up", user.username, {"ip": request.ip, "kind": request.kind, "by": proof})


def _refuse(user: User, key: str, attempt: Attempt, rule: LockoutRule, words: str) -> Reply:
    return _ask(
        user, key, LOCKED_WORDS.format(minutes=rule.minutes) if attempt.refusal is LoginRefusal.LOCKED else words
    )


def _ask(user: User, key: str, words: str) -> Reply:
    """`totp` in the body: whether a code must come with the password."""
    return Reply(ok=False, code="step_up", message=words, body={"totp": user.totp}, faults=(fault(key, words),))
