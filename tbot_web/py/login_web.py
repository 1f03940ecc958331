"""Login and logout."""

from datetime import datetime

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from tbot_bot.interface.requests import Reply
from tbot_web.services import services
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.session_manager import current_login, drop_cookie, give_cookie, token
from tbot_web.support.utils_web import client_ip, installation, own_path

pages = Blueprint("login", __name__)


@pages.get("/login")
@needs(Access.ANYONE)
def login() -> str | Response:
    if current_login() is not None or installation().users is not True:
        return redirect(url_for("home.home"))
    return render_template("login.html", title="Log in", username="", next=own_path(request.args.get("next")))


@pages.post("/login")
@needs(Access.ANYONE)
def submit() -> Response | tuple[str, int]:
    body = {"username": request.form.get("username", ""), "password": request.form.get("password", "")}
    reply = services().courier.ask("login", body, token=token(), ip=client_ip())
    if reply.ok:
        return enter(reply, own_path(request.form.get("next")) or url_for("home.home"))
    return redraw(reply.message), 503 if reply.code == "runner_silent" else 401


@pages.post("/logout")
@needs(Access.VIEWER)
def logout() -> Response:
    """Forget the cookie whatever the runner says; it also deletes the session file, which ends the login everywhere."""
    services().courier.ask("logout", {}, token=token(), ip=client_ip())
    session.clear()
    response = redirect(url_for("login.login"), 303)
    drop_cookie(response)
    return response


def enter(reply: Reply, to: str) -> Response:
    """Begin a login with the runner's token; forms opened before it no longer count."""
    session.clear()
    response = redirect(to, 303)
    give_cookie(response, str(reply.body["token"]), datetime.fromisoformat(str(reply.body["expires_at"])))
    return response


def redraw(message: str) -> str:
    """The login form with the name as typed."""
    return render_template(
        "login.html",
        title="Log in",
        username=request.form.get("username", ""),
        next=own_path(request.form.get("next")),
        problem=message,
    )
