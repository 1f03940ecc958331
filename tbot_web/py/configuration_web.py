"""Configuration: show the published form, let the runner judge it, hand it over, follow the steps."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tbot_bot.domain.session import ARMED_STATES, CLOSING_STATES, BotState
from tbot_bot.interface.requests import Reply
from tbot_web.py.home_web import waiting
from tbot_web.services import services
from tbot_web.support.ask import ask, proof, refusal
from tbot_web.support.auth_web import Access, needs
from tbot_web.support.default_config_loader import load_form
from tbot_web.support.session_manager import current_login
from tbot_web.support.utils_web import installation, setting_up, typed

pages = Blueprint("configuration", __name__)
STEP_UP_FIELDS = ("step_up_password", "step_up_code")
BOUND = "broker, account and name stay as they are until it is stopped"
NOTHING_WRONG = "Checked: every value is in range and they fit together. Nothing was saved yet."


@pages.get("/configuration")
@needs(Access.FIRST_RUN)
def configuration() -> str | tuple[str, int] | Response:
    state, install = services().state(), installation()
    if install.users is False and state in {BotState.PROVISIONING, BotState.BOOTSTRAPPING}:
        return redirect(url_for("configuration.progress"))
    if install.users is False and install.provisioned:
        return redirect(url_for("register.register"))
    form = load_form(services().published)
    if form is None:
        return waiting()
    return render_template(
        "configuration.html", title=_title(), form=form, first_run=_first_run(), not_now=_not_now(state)
    )


@pages.post("/configuration")
@needs(Access.FIRST_RUN)
def submit() -> Response | str | tuple[str, int]:
    reply = _ask("provision")
    if reply.ok:
        return redirect(url_for("configuration.progress"), 303)
    return _judged(reply)


@pages.post("/configuration/check")
@needs(Access.FIRST_RUN)
def check() -> str | tuple[str, int]:
    """All faults at once, without saving anything."""
    return _judged(_ask("validate"))


def redraw(message: str) -> str:
    """The form as typed, with `message` on top."""
    values = typed()
    form = load_form(services().published, values)
    if form is None:
        return render_template("waiting.html", title="Waiting for the provisioning runner")
    return render_template(
        "configuration.html", title=_title(), form=form, problem=message, first_run=_first_run(), retyped=True
    )


@pages.get("/progress")
@needs(Access.FIRST_RUN)
def progress() -> str | Response:
    facts = _progress()
    if facts["next"]:
        return redirect(str(facts["next"]))
    return render_template("progress.html", title="Setting up", facts=facts)


@pages.get("/progress.json")
@needs(Access.FIRST_RUN)
def progress_facts() -> dict[str, Any]:
    return _progress()


def _progress() -> dict[str, Any]:
    """The published steps, and where to go once they are done."""
    snapshot = services().published.read("provisioning")
    state, install = services().state(), installation()
    body: dict[str, Any] = dict(snapshot.body) if snapshot else {}
    steps, failed, phase = body.get("steps", []), body.get("failed"), body.get("state")
    to = None
    if not failed and phase != "running":
        if install.provisioned and not setting_up(state, install):
            to = url_for("register.register") if install.users is False else url_for("home.home", saved=1)
        elif state is BotState.INITIALIZE and phase != "done":
            to = url_for("configuration.configuration")
    return {
        "state": state,
        "steps": steps,
        "failed": failed,
        "next": to,
        "stale": snapshot is None or snapshot.stale,
    }


def _ask(kind: str) -> Reply:
    given = proof() if request.form.get("step_up_password") else {}
    return ask(kind, {"values": typed(), **given})


def _judged(reply: Reply) -> tuple[str, int] | str:
    confirm = reply.code == "step_up"
    form = load_form(services().published, typed(), () if confirm else reply.faults)
    if form is None:
        return waiting()
    page = render_template(
        "configuration.html",
        title=_title(),
        form=form,
        problem="" if reply.ok or reply.faults or confirm else reply.message,
        notice=NOTHING_WRONG if reply.ok else "",
        first_run=_first_run(),
        confirm=refusal("configuration", reply, [str(f.get("key")) for f in reply.faults]) if confirm else None,
        why=reply.message if confirm else "",
        raised=[f for f in reply.faults if f.get("key") not in STEP_UP_FIELDS] if confirm else [],
        retyped=True,
    )
    return page, (200 if reply.ok else 422 if reply.faults or confirm else 503)


def _not_now(state: BotState | None) -> str:
    """What speaks against saving now or delays it, told before anything is typed. The runner decides when asked."""
    if _first_run():
        return ""
    if state in ARMED_STATES:
        return f"The bot is running ({state}). What you save takes effect between windows; {BOUND}."
    if state in CLOSING_STATES:
        return "Positions are being closed: settings can be changed once that is done."
    return "The bot is in an unknown state; the runner looks at it. Try again in a moment." if state is None else ""


def _first_run() -> bool:
    return current_login() is None


def _title() -> str:
    return "Set up tbot" if _first_run() else "Settings"
