"""The login cookie: set at login, read on each request, cleared at logout. Its meaning is the runner's."""

from datetime import datetime
from typing import cast

from flask import g, request
from werkzeug.wrappers import Response

from tbot_bot.interface.sessions import Login
from tbot_web.services import services

COOKIE = "tbot_session"
DEVICE = "tbot_device"
"""Marks a browser that logged in before, so that others' failed attempts cannot lock it out."""
_CACHED = "tbot_login"


def token() -> str | None:
    """The login cookie exactly as the browser sent it."""
    return request.cookies.get(COOKIE)


def current_login() -> Login | None:
    """The live login behind this request, looked up once per request; None when there is none."""
    if _CACHED not in g:
        cookie = token()
        setattr(g, _CACHED, services().sessions.lookup(cookie) if cookie else None)
    return cast("Login | None", g.get(_CACHED))


def give_cookie(response: Response, value: str, expires_at: datetime) -> None:
    """Hand the runner's token to the browser until the login itself ends."""
    response.set_cookie(
        COOKIE, value, expires=expires_at, path="/", secure=request.is_secure, httponly=True, samesite="Strict"
    )


def device() -> str:
    """The long-lived mark of this browser as it sent it; empty when it has none."""
    return request.cookies.get(DEVICE, "")


def give_device(response: Response, value: str, expires_at: datetime) -> None:
    response.set_cookie(
        DEVICE, value, expires=expires_at, path="/", secure=request.is_secure, httponly=True, samesite="Strict"
    )


def drop_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", secure=request.is_secure, httponly=True, samesite="Strict")
