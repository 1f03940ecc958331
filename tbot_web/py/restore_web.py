"""Restoring a backup: choose it, give the recovery key, look at what would change, choose the parts, confirm."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_web.services import services
from tbot_web.support.ask import NOTHING, WORK_SECONDS, Told, ask, proof, refusal, rows, status_of
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.restore_preview import Preview, carried, read_preview
from tbot_web.support.session_manager import current_login
from tbot_web.support.shelf import read_shelf
from tbot_web.support.utils_web import installation, plain

pages = Blueprint("restore", __name__)
TITLE = "Restore from a backup"
NO_PARTS = "Mark at least one part. Nothing was changed."
TOO_OLD = "The preview is gone. Nothing was changed; choose the backup again."


@pages.get("/restore")
@needs(Access.FIRST_RUN)
def restore() -> str:
    return _choose(NOTHING)


@pages.post("/restore/preview")
@needs(Access.FIRST_RUN)
def preview() -> str | tuple[str, int]:
    """The recovery key goes to the runner in the sealed request and is in no page and no cookie afterwards."""
    identity = "".join(request.form.get("identity", "").split()).upper()
    body = {"backup": request.form.get("backup", "").strip(), "identity": identity, **_proof()}
    reply = ask("restore_preview", body, timeout=WORK_SECONDS)
    if not reply.ok:
        return _choose(refusal("preview", reply, ("backup", "identity"))), status_of(reply)
    return _confirm(read_preview(reply.body))


@pages.post("/restore")
@needs(Access.FIRST_RUN)
def submit() -> str | tuple[str, int]:
    shown, parts = carried(request.form.get("shown", "")), request.form.getlist("part")
    if shown is None:
        return _choose(Told("preview", TOO_OLD)), 409
    if not parts:
        return _confirm(shown, Told("restore", NO_PARTS)), 422
    reply = ask("restore", {"preview": shown.preview, "parts": parts, **_proof()}, timeout=WORK_SECONDS)
    if not reply.ok:
        return _confirm(shown, refusal("restore", reply), parts), status_of(reply)
    return render_template("restored.html", title="Restored", message=reply.message, kept=plain(reply.body.get("kept")))


@pages.get("/restored")
@needs(Access.ANYONE)
def restored() -> Response | str:
    """On to where the restored state leads, once the runner has taken it up."""
    if installation().users is False:
        return render_template("taking_up.html", title="Taking up what was restored")
    return redirect(url_for("home.home"))


def _proof() -> dict[str, dict[str, str]]:
    return proof() if current_login() is not None else {}


def _choose(told: Told) -> str:
    snapshot = services().published.read("backups")
    backups = rows(snapshot.body, "backups") if snapshot is not None else []
    shelf = read_shelf()
    chosen = plain(request.values.get("backup"))
    return render_template("restore.html", title=TITLE, told=told, backups=backups, shelf=shelf, chosen=chosen)


def _confirm(shown: Preview, told: Told = NOTHING, parts: list[str] | None = None) -> str:
    present = [part.part for part in shown.parts if part.present]
    return render_template(
        "restore_preview.html", title=TITLE, told=told, shown=shown, marked=present if parts is None else parts
    )
