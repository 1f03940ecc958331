"""Login, with a second step where an authenticator app is enrolled, and logout."""

from datetime import datetime

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from tbot_bot.interface.requests import Reply
from tbot_web.services import services
from tbot_web.support.ask import ask, remember_code, status_of
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.session_manager import current_login, device, drop_cookie, give_cookie, give_device
from tbot_web.support.utils_web import installation, own_path, plain

pages = Blueprint("login", __name__)
ENDED = (
    "Your login has ended, because nothing was done for a while or it was ended elsewhere. "
    "Log in again: you come back to where you were."
)
BEHIND = {
    "registered": "You are registered, but logging you in did not work. Log in now.",
    "changed": "The change is made, but it ended your login and a new one did not work. Log in again.",
}
"""Codes of answers that refuse nothing: the act is done, and only the login that goes with it failed."""
CROWDED = Reply(
    ok=False,
    code="crowded",
    message="Many logins are being checked at this moment, so yours was not looked at. Try again in a few seconds. "
    "Whoever is logged in can stop and kill meanwhile.",
)


@pages.get("/login")
@needs(Access.ANYONE)
def login() -> str | Response:
    notice = ENDED if request.args.get("ended") else BEHIND.get(request.args.get("after", ""), "")
    # Just after the registration the runner may not have published yet that there is a user.
    if current_login() is not None or (installation().users is not True and not notice):
        return redirect(url_for("home.home"))
    return render_template(
        "login.html", title="Log in", username="", next=own_path(request.args.get("next")), notice=notice
    )


@pages.post("/login")
@needs(Access.ANYONE)
def submit() -> Response | str | tuple[str, int]:
    form = request.form
    body = {"username": form.get("username", ""), "password": form.get("password", ""), "device": device()}
    reply = _in_turn("login", body)
    if reply.ok:
        return enter(reply, _onward(), totp=False)
    if reply.code == "code_needed":
        return _code_page(plain(reply.body.get("challenge")))
    return redraw(reply.message), _refused(reply)


@pages.post("/login/code")
@needs(Access.ANYONE)
def code() -> Response | tuple[str, int]:
    challenge = request.form.get("challenge", "")
    body = {"challenge": challenge, "code": request.form.get("code", "").strip(), "device": device()}
    reply = _in_turn("login_code", body)
    if reply.ok:
        return enter(reply, _onward(), totp=True)
    if reply.code == "code_needed":
        return _code_page(plain(reply.body.get("challenge")), reply.message), 401
    if reply.code in {"runner_silent", "crowded"}:
        return _code_page(challenge, reply.message), 503
    return redraw(reply.message), _refused(reply)


@pages.post("/logout")
@needs(Access.VIEWER)
def logout() -> Response:
    """Forget the cookie whatever the runner says; it also deletes the session file, which ends the login everywhere."""
    ask("logout")
    session.clear()
    response = redirect(url_for("login.login"), 303)
    drop_cookie(response)
    return response


def enter(reply: Reply, to: str, *, totp: bool) -> Response:
    """Begin a login with the runner's token; older forms no longer count. `totp`: whether codes are in use."""
    session.clear()
    remember_code(totp)
    response = redirect(to, 303)
    renew(response, reply)
    return response


def back_to_login(reply: Reply) -> Response:
    """After an act that is done and left the visitor without a login."""
    session.clear()
    response = redirect(url_for("login.login", after=reply.code), 303)
    drop_cookie(response)
    return response


def renew(response: Response, reply: Reply) -> None:
    """Hand over the token and the device mark that an answer brings, if it brings any."""
    body = reply.body
    if body.get("token"):
        give_cookie(response, str(body["token"]), datetime.fromisoformat(str(body["expires_at"])))
    if body.get("device"):
        give_device(response, str(body["device"]), datetime.fromisoformat(str(body["device_expires_at"])))


def redraw(message: str) -> str:
    """The login form with the name as typed."""
    return render_template(
        "login.html",
        title="Log in",
        username=request.form.get("username", ""),
        next=own_path(request.form.get("next")),
        problem=message,
    )


def redraw_code(message: str) -> str:
    return _code_page(request.form.get("challenge", ""), message)


def _in_turn(kind: str, body: dict[str, str]) -> Reply:
    with services().logins.place(known=bool(device())) as free:
        return ask(kind, body) if free else CROWDED


def _code_page(challenge: str, problem: str = "") -> str:
    return render_template(
        "login_code.html",
        title="Log in",
        challenge=challenge,
        next=own_path(request.form.get("next")),
        problem=problem,
    )


def _onward() -> str:
    return own_path(request.form.get("next")) or url_for("home.home")


def _refused(reply: Reply) -> int:
    status = status_of(reply)
    return 401 if status == 422 else status
