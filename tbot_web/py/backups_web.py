"""Backups, for admins: what there is and how good it is, one more now, and the drill that proves them."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_web.services import services
from tbot_web.support.ask import NOTHING, Told, ask, refusal, rows, status_of
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.utils_web import installation

pages = Blueprint("backups", __name__)
DONE = {
    "backup": "Asked for. The backup appears in the list when it is written and checked, mostly within a minute.",
    "drill": "Asked for. The drill restores the newest backup into a folder of its own and tells below what it found.",
}


@pages.get("/backups")
@needs(Access.ADMIN)
def backups() -> str:
    return backups_page(Told(notice=DONE.get(request.args.get("done", ""), "")))


@pages.post("/backups/now")
@needs(Access.ADMIN)
def backup_now() -> Response | tuple[str, int]:
    return _queue("backup_now", "backup")


@pages.post("/backups/drill")
@needs(Access.ADMIN)
def drill_now() -> Response | tuple[str, int]:
    return _queue("drill_now", "drill")


def _queue(kind: str, done: str) -> Response | tuple[str, int]:
    reply = ask(kind)
    if reply.ok:
        return redirect(url_for("backups.backups", done=done), 303)
    return backups_page(refusal(done, reply)), status_of(reply)


def backups_page(told: Told = NOTHING) -> str:
    snapshot = services().published.read("backups")
    body: dict[str, Any] = dict(snapshot.body) if snapshot is not None else {}
    return render_template(
        "backups.html",
        title="Backups",
        state=services().state(),
        told=told,
        known=snapshot is not None,
        silent=snapshot is None or snapshot.stale,
        told_at=snapshot.written_at.isoformat() if snapshot is not None else "",
        body=body,
        backups=rows(body, "backups"),
        offsite=_inner(body, "offsite"),
        drill=_inner(body, "drill"),
        checks=rows(_inner(body, "drill"), "checks"),
        recovery=installation().recovery,
    )


def _inner(body: dict[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    return value if isinstance(value, dict) else {}
