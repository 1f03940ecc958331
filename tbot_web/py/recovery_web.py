"""The recovery key: shown once, written down, confirmed by its last group. Backups are sealed to it."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_web.py.backups_web import backups_page
from tbot_web.services import services
from tbot_web.support.ask import NOTHING, Told, ask, proof, refusal, status_of
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.utils_web import installation, plain

pages = Blueprint("recovery", __name__)
TITLE = "Recovery key"
PREFIX = "AGE-SECRET-KEY-1"
GROUP = 6


@pages.get("/recovery")
@needs(Access.ADMIN)
def recovery() -> str:
    return _explained(NOTHING)


@pages.post("/recovery")
@needs(Access.ADMIN)
def begin() -> str | tuple[str, int]:
    """The key is in this one answer; no page shows it again."""
    reply = ask("recovery_begin", proof())
    if not reply.ok:
        return _explained(refusal("begin", reply)), status_of(reply)
    groups = in_groups(plain(reply.body.get("identity")))
    return _shown(NOTHING, groups, plain(reply.body.get("fingerprint")))


@pages.post("/recovery/confirm")
@needs(Access.ADMIN)
def confirm() -> Response | str | tuple[str, int]:
    last = "".join(request.form.get("last_group", "").split()).upper()
    reply = ask("recovery_confirm", {"last_group": last})
    if not reply.ok:
        return _shown(refusal("confirm", reply, ("last_group",))), status_of(reply)
    if _first():
        return redirect(url_for("home.home", welcome=1), 303)
    return backups_page(Told(notice=reply.message))


def in_groups(identity: str) -> tuple[str, ...]:
    """The key as it is written down: its fixed beginning, then groups of six; the last group is shorter."""
    if not identity.startswith(PREFIX):
        return ()
    rest = identity.removeprefix(PREFIX)
    return (PREFIX, *(rest[i : i + GROUP] for i in range(0, len(rest), GROUP)))


def _explained(told: Told) -> str:
    return render_template(
        "recovery.html",
        title=TITLE,
        state=services().state(),
        told=told,
        first=_first(),
        present=installation().recovery,
    )


def _shown(told: Told, groups: tuple[str, ...] = (), fingerprint: str = "") -> str:
    return render_template(
        "recovery_key.html",
        title=TITLE,
        state=services().state(),
        told=told,
        first=_first(),
        groups=groups,
        fingerprint=fingerprint,
    )


def _first() -> bool:
    """Whether this is a step of the first run, which goes on to the dashboard."""
    return request.values.get("first") == "1"
