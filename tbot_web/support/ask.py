"""Asking the runner on behalf of the visitor, and what a form's page says about the answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request, session

from tbot_bot.interface.requests import Reply
from tbot_web.services import services
from tbot_web.support.session_manager import token
from tbot_web.support.utils_web import client_ip, plain

WORK_SECONDS = 120.0
"""How long a page waits for work that touches every file: a rotation, a restore, a whole verification."""
READ_SECONDS = 8.0
"""How long a page waits for what it shows; a silent runner must not hold the web's threads for longer."""
_CODE_KNOWN = "totp"
_STATUS = {
    "runner_silent": 503,
    "crowded": 503,
    "failed": 503,
    "expired": 401,
    "not_allowed": 403,
    "busy": 409,
    "locked": 429,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the form `form` of a page. `faults`: words beside its fields; `problem`: words on top."""

    form: str = ""
    problem: str = ""
    notice: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


NOTHING = Told()


def ask(kind: str, body: Mapping[str, Any] | None = None, *, timeout: float = 20.0) -> Reply:
    reply = services().courier.ask(kind, body or {}, token=token(), ip=client_ip(), timeout=timeout)
    if reply.code == "step_up" and isinstance(reply.body.get("totp"), bool):
        remember_code(bool(reply.body["totp"]))
    return reply


def proof() -> dict[str, dict[str, str]]:
    """The part of a request that shows who asks, from the fields of the step-up partial."""
    form = request.form
    return {"step_up": {"password": form.get("step_up_password", ""), "code": form.get("step_up_code", "").strip()}}


def refusal(form: str, reply: Reply, fields: Iterable[str] = ()) -> Told:
    """A refused form: the runner's words beside those `fields` that it names, all others on top."""
    shown = {"step_up_password", "step_up_code", *fields}
    faults = {plain(f.get("key")): plain(f.get("message")) for f in reply.faults}
    beside = {key: words for key, words in faults.items() if key in shown}
    others = [f"{key}: {words}" for key, words in faults.items() if key not in shown]
    problem = "" if beside and not others and reply.code == "step_up" else " ".join([reply.message, *others])
    return Told(form, problem, faults=beside)


def status_of(reply: Reply) -> int:
    return 200 if reply.ok else _STATUS.get(reply.code, 422)


def code_needed() -> bool:
    """Whether this visitor's confirmations take a code, as far as this web process knows. The runner decides."""
    return session.get(_CODE_KNOWN) is True


def code_known() -> bool | None:
    """As `code_needed`; None when nothing has shown it since the web started."""
    known = session.get(_CODE_KNOWN)
    return known if isinstance(known, bool) else None


def remember_code(needed: bool) -> None:
    session[_CODE_KNOWN] = needed


def learn_code() -> None:
    """Where real money is at stake, find out once whether this visitor has a second factor, to warn if not."""
    system = services().published.read("system")
    if code_known() is not None or system is None or system.stale or system.body.get("paper") is not False:
        return
    known = ask("account", timeout=READ_SECONDS).body.get("totp")
    if isinstance(known, bool):
        remember_code(known)


def rows(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The list of objects under `key`; what is no object is left out."""
    value = body.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def texts(body: Mapping[str, Any], key: str) -> list[str]:
    value = body.get(key)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
