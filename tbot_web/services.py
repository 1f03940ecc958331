"""What the pages work with, put together once per application."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from flask import current_app

from tbot_bot.domain.session import BotState
from tbot_bot.interface import Clock, Paths
from tbot_bot.interface.published import Published
from tbot_bot.interface.requests import Reply
from tbot_bot.interface.sessions import Sessions
from tbot_bot.interface.state import current_state
from tbot_web.support.turnstile import Turnstile

_EXTENSION = "tbot"


class Asker(Protocol):
    """Whoever carries a request to the provisioning runner and brings the answer."""

    def ask(self, kind: str, body: Mapping[str, Any], *, token: str | None, ip: str, timeout: float = ...) -> Reply: ...

    def tell(self, kind: str, body: Mapping[str, Any], *, token: str | None, ip: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """The web's whole reach: files that others publish, and requests that it may file."""

    paths: Paths
    courier: Asker
    published: Published
    sessions: Sessions
    clock: Clock
    logins: Turnstile = field(default_factory=Turnstile)

    def state(self) -> BotState | None:
        """The bot's state; None when the state file is missing or damaged."""
        return current_state(self.paths)


def install(app: Any, services: Services) -> None:
    app.extensions[_EXTENSION] = services


def services() -> Services:
    """Those of the application that serves this request."""
    return cast("Services", current_app.extensions[_EXTENSION])
