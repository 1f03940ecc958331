"""Backtests: queue one, and see what became of those before. The worker runs them; this page only asks."""

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_web.services import services
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.backtest_request import NAMES, read_request
from tbot_web.support.session_manager import token
from tbot_web.support.utils_web import client_ip, plain, typed

pages = Blueprint("backtests", __name__)
LONGEST_ID = 36


@pages.get("/backtests")
@needs(Access.VIEWER)
def backtests() -> str:
    return _page(queued=plain(request.args.get("queued"))[:LONGEST_ID])


@pages.post("/backtests")
@needs(Access.TRADER)
def submit() -> Response | tuple[str, int]:
    wanted = read_request(typed(), services().clock.now().date())
    if wanted.faults:
        return _page(faults=wanted.faults), 422
    reply = services().courier.ask("backtest", wanted.body, token=token(), ip=client_ip())
    if reply.ok:
        return redirect(url_for("backtests.backtests", queued=plain(reply.body.get("job"))), 303)
    faults = {f["key"]: f.get("message", "") for f in reply.faults}
    beside = {name: words for name, words in faults.items() if name in NAMES}
    others = [f"{name}: {words}" for name, words in faults.items() if name not in NAMES]
    problem = "" if beside and not others else " ".join([reply.message, *others])
    return _page(problem, beside), 422 if faults else 503 if reply.code == "runner_silent" else 409


def redraw(message: str) -> str:
    """The form as typed, with `message` on top."""
    return _page(message)


def _page(problem: str = "", faults: Mapping[str, str] | None = None, queued: str = "") -> str:
    return render_template(
        "backtests.html",
        title="Backtests",
        state=services().state(),
        values=typed(),
        problem=problem,
        faults=faults or {},
        queued=queued,
    )
