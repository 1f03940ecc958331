"""Keys, for admins: how old each is, making new ones, and what to do when one was lost or seen by others."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_bot.interface.requests import Reply
from tbot_web.services import services
from tbot_web.support.ask import READ_SECONDS, WORK_SECONDS, Told, ask, proof, refusal, rows, status_of, texts
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.utils_web import plain

pages = Blueprint("keys", __name__)
NONE_MARKED = "Mark at least one key. Nothing was changed."
NOT_SAID = "Say which key, and what happened to it. Nothing was changed."
DONE = {"rotated": "Done: the marked keys are new, and everything stored is encrypted with them."}
FOR_WHAT = {
    "login": "user names, password hashes, authenticator secrets",
    "session": "the tokens of logins; replacing it ends every login",
    "env": "nothing at present",
    "env_enc": "settings of this installation",
    "env_bot": "settings of the bot",
    "broker": "the broker's keys",
    "smtp": "the mail server's password",
    "screener_api": "keys of data services",
    "acct_api": "keys of accounting services",
    "network_config": "credentials of the off-site store",
    "alert_channels": "addresses and keys of alerts",
    "bot_identity": "this bot's name",
}
CREDENTIALS = frozenset({"broker", "smtp", "screener_api", "acct_api", "network_config", "alert_channels"})
"""Categories of what the user enters for other services, which may be empty."""


@pages.get("/keys")
@needs(Access.ADMIN)
def keys() -> tuple[str, int]:
    return _page(Told(notice=DONE.get(request.args.get("done", ""), "")))


@pages.post("/keys/rotate")
@needs(Access.ADMIN)
def rotate() -> Response | tuple[str, int]:
    marked = request.form.getlist("category")
    if not marked:
        return _page(Told("rotate", NONE_MARKED), 422)
    reply = ask("rotate", {"categories": marked, **proof()}, timeout=WORK_SECONDS)
    if reply.ok:
        return redirect(url_for("keys.keys", done="rotated"), 303)
    return _page(refusal("rotate", reply), status_of(reply))


@pages.post("/keys/compromised")
@needs(Access.ADMIN)
def compromised() -> tuple[str, int]:
    """The key is replaced at once; the answer says what has to be entered again and what this does not revoke."""
    category, what = request.form.get("category", ""), request.form.get("what", "")
    if not category or what not in {"lost", "compromised"}:
        return _page(Told("compromised", NOT_SAID), 422)
    reply = ask("compromised", {"category": category, "what": what, **proof()}, timeout=WORK_SECONDS)
    if reply.ok:
        return _aftermath(reply, category, what), 200
    return _page(refusal("compromised", reply), status_of(reply))


@pages.post("/keys/destroy")
@needs(Access.ADMIN)
def destroy() -> tuple[str, int]:
    reply = ask("destroy_old", proof())
    if not reply.ok:
        return _page(refusal("destroy", reply), status_of(reply))
    gone = [str(n) for n in reply.body.get("destroyed") or ()]
    notice = f"Destroyed: generation {', '.join(gone)}." if gone else "There was no old generation left."
    return _page(Told(notice=notice))


@pages.post("/keys/export")
@needs(Access.ADMIN)
def export() -> tuple[str, int]:
    """The sealed file stays on the server, for whoever may read the storage there: no key passes through here."""
    typed = {"recipient": request.form.get("recipient", "").strip()}
    reply = ask("export_keys", {**typed, **proof()}, timeout=WORK_SECONDS)
    if not reply.ok:
        return _page(refusal("export", reply, typed), status_of(reply))
    return _page(
        Told(notice=f"Exported, sealed to the public key given: {plain(reply.body.get('file'))} on this server.")
    )


def _aftermath(reply: Reply, category: str, what: str) -> str:
    return render_template(
        "compromised.html",
        title="The key is replaced",
        state=services().state(),
        category=category,
        what=what,
        ask_again=rows(reply.body, "ask_again"),
        notes=texts(reply.body, "notes"),
    )


def _page(told: Told, status: int = 200) -> tuple[str, int]:
    reply = ask("keys", timeout=READ_SECONDS)
    body: dict[str, Any] = dict(reply.body)
    page = render_template(
        "keys.html",
        title="Keys",
        state=services().state(),
        told=told,
        silent="" if reply.ok else reply.message,
        body=body,
        categories=rows(body, "categories"),
        old=rows(body, "old"),
        for_what=FOR_WHAT,
        credentials=CREDENTIALS,
        marked=request.form.getlist("category") if told.form == "rotate" else [],
        typed=request.form if told.form in {"compromised", "export"} else {},
        external=plain(body.get("external")) or body.get("external") is True,
    )
    return page, status if reply.ok else status_of(reply)
