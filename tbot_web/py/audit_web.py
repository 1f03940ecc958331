"""The audit log, for admins: search it, page through it, verify it."""

from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from tbot_web.services import services
from tbot_web.support.ask import READ_SECONDS, WORK_SECONDS, ask, rows, status_of
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.utils_web import plain

pages = Blueprint("audit", __name__)
FILTERS = ("text", "event", "actor")


@pages.get("/audit")
@needs(Access.ADMIN)
def audit() -> tuple[str, int]:
    return _page()


@pages.post("/audit/verify")
@needs(Access.ADMIN)
def verify() -> Response | tuple[str, int]:
    reply = ask("audit_verify", timeout=WORK_SECONDS)
    if not reply.ok:
        return _page(problem=reply.message, status=status_of(reply))
    return _page(verdict=dict(reply.body))


def _page(*, verdict: dict[str, Any] | None = None, problem: str = "", status: int = 200) -> tuple[str, int]:
    wanted: dict[str, Any] = {name: request.values.get(name, "").strip() for name in FILTERS}
    before = request.values.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
    reply = ask("audit_search", {**wanted, "before": number}, timeout=READ_SECONDS)
    found = rows(reply.body, "rows")
    system = services().published.read("system")
    head = system.body.get("audit") if system is not None else None
    page = render_template(
        "audit.html",
        title="Audit log",
        state=services().state(),
        problem=problem,
        silent="" if reply.ok else reply.message,
        rows=found,
        older=_next(reply.body, found),
        wanted=wanted,
        before=number,
        filters={name: value for name, value in wanted.items() if value},
        verdict=verdict,
        anchors=rows(verdict, "anchors") if verdict else [],
        head=head if isinstance(head, dict) else {},
        told_at=system.written_at.isoformat() if system is not None else "",
        detail_of=detail_of,
    )
    return page, status if reply.ok else status_of(reply)


def detail_of(row: dict[str, Any]) -> list[tuple[str, str]]:
    """What a record holds besides its number, time, event and actor, as pairs of name and text."""
    detail = row.get("detail")
    if not isinstance(detail, dict):
        return [] if detail in (None, "") else [("detail", plain(detail) or repr(detail))]
    return [(str(key), _text(value)) for key, value in detail.items()]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return " → ".join(_text(inner) for inner in value) if len(value) == 2 else ", ".join(map(_text, value))
    return str(value)


def _next(body: Any, found: list[dict[str, Any]]) -> int | None:
    """Where the page of older records begins; None when there is none."""
    if not body.get("more"):
        return None
    last = body.get("next", found[-1].get("seq") if found else None)
    return last if isinstance(last, int) else None
