"""Who may see which page. Every view declares it; one that does not is refused to everyone.

This decides what is shown. Authority itself is the runner's: it checks every request again from its own database."""

from collections.abc import Callable
from enum import IntEnum
from typing import ParamSpec, TypeVar

from flask import Flask, abort, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from tbot_web.support.session_manager import current_login, token
from tbot_web.support.utils_web import installation

P = ParamSpec("P")
R = TypeVar("R")


class Access(IntEnum):
    """Least power needed; a greater one includes the smaller ones."""

    ANYONE = 0
    FIRST_RUN = 1
    """Anyone while no user exists, an admin afterwards."""
    VIEWER = 2
    TRADER = 3
    ADMIN = 4


ROLE_ACCESS = {"viewer": Access.VIEWER, "trader": Access.TRADER, "admin": Access.ADMIN}
_MARK = "tbot_access"


def needs(access: Access) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare who may call the view."""

    def mark(view: Callable[P, R]) -> Callable[P, R]:
        setattr(view, _MARK, access)
        return view

    return mark


def access_of(app: Flask, endpoint: str) -> Access | None:
    """What the endpoint's view declares; None when it declares nothing."""
    if endpoint == "static":
        return Access.ANYONE
    return getattr(app.view_functions.get(endpoint), _MARK, None)


def role_access() -> Access:
    """What the present visitor may do."""
    login = current_login()
    return Access.ANYONE if login is None else ROLE_ACCESS.get(login.role, Access.ANYONE)


def guard() -> BaseResponse | None:
    """Before every request: let it pass, or answer it with the login page or a refusal."""
    if request.endpoint is None:
        return None
    wanted = access_of(current_app, request.endpoint)
    if wanted is None:
        abort(403)
    held = role_access()
    if wanted is Access.FIRST_RUN:
        if installation().users is False:
            return None
        wanted = Access.ADMIN
    if held >= wanted:
        return None
    if current_login() is not None:
        abort(403, f"This needs the {wanted.name.lower()} role. Nothing was changed.")
    if request.method != "GET" or request.path.endswith(".json"):
        abort(401)
    return redirect(url_for("login.login", next=request.full_path.rstrip("?"), ended=1 if token() else None))


def require_login(app: Flask) -> None:
    app.before_request(guard)
