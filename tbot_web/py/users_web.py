"""Users, for admins: who may log in, with which role; adding, changing and removing them."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_web.services import services
from tbot_web.support.ask import READ_SECONDS, Told, ask, proof, refusal, rows, status_of
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.session_manager import current_login
from tbot_web.support.utils_web import plain

pages = Blueprint("users", __name__)
ROLES = {
    "viewer": "sees everything, may stop and kill",
    "trader": "may also start, build the universe and run backtests",
    "admin": "may also change settings, keys and users",
}
DONE = {
    "added": "The user is added. Hand over the password by a safe way; it can be changed under Account.",
    "changed": "Saved. A change of role, password or access ends that user's logins at once.",
    "removed": "The user is removed and logged out everywhere.",
}


@pages.get("/users")
@needs(Access.ADMIN)
def users() -> Response | tuple[str, int]:
    return _page(Told(notice=DONE.get(request.args.get("done", ""), "")), request.args.get("change", ""))


@pages.post("/users/add")
@needs(Access.ADMIN)
def add() -> Response | tuple[str, int]:
    names = ("username", "email", "role", "new_password")
    body = {name: request.form.get(name, "") for name in names}
    reply = ask("user_add", {**body, **proof()})
    if reply.ok:
        return redirect(url_for("users.users", done="added"), 303)
    return _page(refusal("add", reply, names), status=status_of(reply))


@pages.post("/users/change")
@needs(Access.ADMIN)
def change() -> Response | tuple[str, int]:
    """Only what differs from what is stored is sent: role, new password, disabled; the app is only ever removed."""
    form = request.form
    username = form.get("username", "")
    body: dict[str, Any] = {"username": username}
    if form.get("role") and form["role"] != form.get("role_before"):
        body["role"] = form["role"]
    if form.get("new_password"):
        body["new_password"] = form["new_password"]
    if form.get("remove_totp") == "true":
        body["remove_totp"] = True
    disabled = form.get("disabled") == "true"
    if disabled != (form.get("disabled_before") == "true"):
        body["disabled"] = disabled
    reply = ask("user_change", {**body, **proof()})
    if reply.ok:
        return redirect(url_for("users.users", done="changed"), 303)
    return _page(refusal("change", reply, ("role", "new_password", "disabled")), username, status_of(reply))


@pages.post("/users/remove")
@needs(Access.ADMIN)
def remove() -> Response | tuple[str, int]:
    username = request.form.get("username", "")
    reply = ask("user_remove", {"username": username, **proof()})
    if reply.ok:
        return redirect(url_for("users.users", done="removed"), 303)
    return _page(refusal("remove", reply), username, status_of(reply))


def redraw_add(message: str) -> str:
    return _page(Told("add", message))[0]


def _page(told: Told, chosen: str = "", status: int = 200) -> tuple[str, int]:
    reply = ask("users", timeout=READ_SECONDS)
    everyone = rows(reply.body, "users")
    login = current_login()
    page = render_template(
        "users.html",
        title="Users",
        state=services().state(),
        told=told,
        silent="" if reply.ok else reply.message,
        users=everyone,
        chosen=next((user for user in everyone if user.get("username") == chosen), None),
        myself=login.user if login else "",
        roles=ROLES,
        default_role=plain(reply.body.get("default_role")) or "viewer",
        rbac=reply.body.get("rbac") is not False,
        typed=request.form if told.form else {},
    )
    return page, status if reply.ok else status_of(reply)
