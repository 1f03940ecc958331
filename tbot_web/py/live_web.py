"""What changes while a page is open: one small JSON answer a second, holding only what the browser lacks."""

import hashlib
from typing import Any

from flask import Blueprint, jsonify, request
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response

from tbot_bot.interface.published import Snapshot
from tbot_web.services import services
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.utils_web import installation

pages = Blueprint("live", __name__)
NAMES = (
    "status",
    "account",
    "positions",
    "orders",
    "candidates",
    "trades",
    "log",
    "alerts",
    "universe",
    "jobs",
    "system",
    "backups",
)


@pages.get("/live.json")
@needs(Access.VIEWER)
def live() -> Response:
    """`?names=status,log`. The ETag joins one tag a part; parts that the browser names in If-None-Match are left out.

    Body: {state, pending: {start, stop, kill}, version, parts: {name: {written_at, writer, age, stale, body} | null}};
    null = nobody has published it. 304 when nothing changed."""
    wanted = [n for n in request.args.get("names", "").split(",") if n in NAMES]
    head = _head()
    read = {name: services().published.read(name) for name in dict.fromkeys(wanted)}
    tags = {"": _digest(repr(head)), **{name: f"{name}:{_tag(snapshot)}" for name, snapshot in read.items()}}
    etag = "~".join(tags.values())
    had = request.headers.get("If-None-Match", "").strip('"').split("~")
    if had == list(tags.values()):
        response = Response(status=304)
    else:
        parts = {name: _part(snapshot) for name, snapshot in read.items() if tags[name] not in had}
        response = jsonify({**head, "parts": parts})
    response.headers["ETag"] = f'"{etag}"'
    return response


@pages.get("/csrf.json")
@needs(Access.VIEWER)
def fresh_token() -> dict[str, str]:
    """A new form token for a page that outlived the old one, so that Kill still works after a restart of the web."""
    return {"csrf": generate_csrf()}


@pages.post("/touch")
@needs(Access.VIEWER)
def touch() -> dict[str, str]:
    """Someone moves on a page that only polls; the idle clock was told on the way in, as for every page."""
    return {}


def _head() -> dict[str, Any]:
    paths = services().paths
    return {
        "state": services().state(),
        "pending": {
            "start": paths.start_flag.exists(),
            "stop": paths.stop_flag.exists(),
            "kill": paths.kill_flag.exists(),
        },
        "version": installation().version,
    }


def _tag(snapshot: Snapshot | None) -> str:
    if snapshot is None:
        return "none"
    return _digest(f"{snapshot.writer}|{snapshot.seq}|{snapshot.written_at.isoformat()}|{snapshot.stale}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _part(snapshot: Snapshot | None) -> dict[str, Any] | None:
    if snapshot is None:
        return None
    return {
        "written_at": snapshot.written_at.isoformat(),
        "writer": snapshot.writer,
        "age": snapshot.age,
        "stale": snapshot.stale,
        "body": snapshot.body,
    }
