"""Small helpers shared by the pages; no secret passes through here."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import request

from tbot_bot.domain.session import SETUP_STATES, BotState
from tbot_web.services import services

_NOT_FIELDS = ("csrf_token", "next", "step_up_password", "step_up_code")


@dataclass(frozen=True, slots=True)
class Installation:
    """How far setting up has come, as the runner published it; None = not known."""

    provisioned: bool | None
    users: bool | None
    version: str = ""
    paper: bool | None = None
    recovery: str | None = None
    """Fingerprint of the recovery key; empty = there is none yet."""


def installation() -> Installation:
    """From the `system` snapshot. A stale one still counts: a registered user does not vanish."""
    snapshot = services().published.read("system")
    if snapshot is None:
        return Installation(None, None)
    body = snapshot.body
    users = body.get("users")
    return Installation(
        provisioned=bool(body.get("provisioned")),
        users=None if users is None else bool(users),
        version=str(body.get("version", "")),
        paper=body.get("paper") if isinstance(body.get("paper"), bool) else None,
        recovery=body.get("recovery") if isinstance(body.get("recovery"), str) else None,
    )


def setting_up(state: BotState | None, install: Installation) -> bool:
    """Whether the first-run pages are due. No state on a provisioned system is a fault, not a fresh start."""
    if state is None:
        return not install.provisioned
    return state in SETUP_STATES


def own_path(text: str | None) -> str | None:
    """`text` when it is a path of this site, else None: a redirect never leaves it."""
    if not text or not text.startswith("/") or text.startswith("//"):
        return None
    if "\\" in text or any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        return None
    parts = urlsplit(text)
    return None if parts.scheme or parts.netloc else text


def client_ip() -> str:
    return request.remote_addr or "unknown"


def typed(*, without: tuple[str, ...] = _NOT_FIELDS) -> dict[str, str]:
    """What was typed into the form; of a repeated name the last counts (a switch sends `false`, then maybe `true`)."""
    return {name: request.form.getlist(name)[-1] for name in request.form if name not in without}


def asks_for_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


def plain(value: Any) -> str:
    return value if isinstance(value, str) else ""
