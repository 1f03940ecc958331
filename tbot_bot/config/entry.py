"""Letting someone in: a new token each time, and a device that is known from then on."""

from collections.abc import Mapping
from typing import Any

from tbot_bot.config.access import Opened
from tbot_bot.config.devices import device_digest
from tbot_bot.config.security_users import User
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.envelope import Reply, Request


def let_in(opened: Opened, audit: AuditLog, user: User, request: Request, device: str, by: str) -> Reply:
    """A new login from the device of this cookie; the login that came along, if any, is dead from here on."""
    audit.record("login", user.username, {"ip": request.ip, "role": user.role, "by": by})
    trusted = opened.users.logged_in(user, device, request.ip)
    if trusted.new:
        audit.record("device_trusted", user.username, {"ip": request.ip})
    if request.token is not None and opened.sessions.check(request.token) is not None:
        opened.sessions.end(request.token)
    token = begin(opened, user, request.ip, device_digest(trusted.cookie))
    rest = {"device": trusted.cookie, "device_expires_at": trusted.expires_at.isoformat()}
    return Reply(ok=True, code="ok", message="", body={**token, **rest})


def begin(opened: Opened, user: User, ip: str, device: str) -> Mapping[str, Any]:
    """A new token for a user whose logins are to go on; `device`: the digest of where they are."""
    issued = opened.sessions.begin(user, opened.rules.lasting, ip=ip, device=device)
    return {
        "token": issued.token,
        "user": user.username,
        "role": user.role,
        "expires_at": issued.expires_at.isoformat(),
    }
