"""Start, Stop, Kill, and the answer to an entry that waits for one.

Stop and Kill are files that anyone logged in may create: they need no other process alive."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_bot.interface.flags import request_kill, request_stop
from tbot_bot.interface.requests import Reply
from tbot_web.services import services
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.session_manager import current_login, token
from tbot_web.support.utils_web import asks_for_json, client_ip

pages = Blueprint("control", __name__)
MAX_WHY = 200
KILL_ASKED = "Kill was asked for. The bot cancels every order and sells every position at the market."
STOP_ASKED = "Stop was asked for. The bot opens nothing new and closes what is open in good order."

STARTED = "Start was accepted. The bot arms itself for the session on the market's clock."
CONFIRMED = "Confirmed. The bot checks the entry once more against every limit and then sends it."

Answer = Response | str | tuple[str, int] | tuple[dict[str, str], int] | dict[str, str]


@pages.post("/start")
@needs(Access.TRADER)
def start() -> Answer:
    return _answer(services().courier.ask("start", {}, token=token(), ip=client_ip()), STARTED)


@pages.post("/confirm")
@needs(Access.TRADER)
def confirm() -> Answer:
    """Let one entry be sent that the bot offers. There is nothing to decline: without an answer nothing is sent."""
    body = {"client_id": request.form.get("client_id", "")}
    return _answer(services().courier.ask("confirm_trade", body, token=token(), ip=client_ip()), CONFIRMED)


@pages.post("/universe/build")
@needs(Access.TRADER)
def build_universe() -> Answer:
    reply = services().courier.ask("build_universe", {}, token=token(), ip=client_ip())
    return _answer(reply, "Building the universe has begun.")


@pages.post("/stop")
@needs(Access.VIEWER)
def stop() -> Answer:
    request_stop(services().paths, _who())
    return _done(STOP_ASKED)


@pages.get("/kill")
@needs(Access.VIEWER)
def confirm_kill() -> str:
    return render_template("kill.html", title="Kill", state=services().state())


@pages.post("/kill")
@needs(Access.VIEWER)
def kill() -> Answer:
    why = " ".join(request.form.get("why", "").split())[:MAX_WHY] or "from the web page"
    request_kill(services().paths, _who(), why)
    return _done(KILL_ASKED)


def redraw_kill(message: str) -> str:
    """An old page was used: the same question again, one more press away."""
    return render_template("kill.html", title="Kill", state=services().state(), problem=message)


def _who() -> str:
    login = current_login()
    return login.user if login else "unknown"


def _done(message: str) -> Answer:
    if asks_for_json():
        return {"message": message}
    return redirect(url_for("home.home"), 303)


def _answer(reply: Reply, message: str) -> Answer:
    if reply.ok:
        return _done(message)
    if asks_for_json():
        return {"code": reply.code, "message": reply.message}, 409
    page = render_template("refused.html", title="Not done", message=reply.message, faults=reply.faults)
    return page, 409
