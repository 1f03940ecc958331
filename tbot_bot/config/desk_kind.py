"""What the runner's desks have in common: a kind of request, the answer to one, and where it is worked on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tbot_bot.config.security_users import User
from tbot_bot.support.envelope import Reply, Request

OK = Reply(ok=True, code="ok", message="")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer, and what is to be done once it has been sent."""

    reply: Reply
    then: Callable[[], None] | None = None


class Lane(StrEnum):
    """Where a request is worked on. Strangers' logins wait in a line of their own, so that a flood of them delays no
    one who is logged in; stop and kill go through no lane at all."""

    INLINE = "inline"
    LOGIN = "login"
    WORK = "work"


Handler = Callable[[Request, User | None], Outcome]


@dataclass(frozen=True, slots=True)
class Kind:
    """`lane`: INLINE only for what takes milliseconds. `facts`: whether it changes what the runner publishes.
    `alone`: no other request is handled meanwhile, for acts that change the keys everyone works with."""

    handle: Handler
    lane: Lane = Lane.INLINE
    facts: bool = False
    alone: bool = False


Kinds = Mapping[str, Kind]


def refused(code: str, message: str, faults: tuple[dict[str, str], ...] = ()) -> Reply:
    return Reply(ok=False, code=code, message=message, faults=faults)


def fault(key: str, message: str) -> dict[str, str]:
    """One wrong field of a request, as the page shows it beside the field."""
    return {"key": key, "value": "", "message": message, "allowed": message, "nearest": ""}


def done(message: str = "", body: Mapping[str, Any] | None = None) -> Outcome:
    return Outcome(Reply(ok=True, code="ok", message=message, body=dict(body or {})))


def name_of(user: User | None) -> str:
    return "nobody" if user is None else user.username


def text_of(request: Request, key: str, longest: int = 1024) -> str:
    """A text field of the body; anything else counts as empty. Cut at a length that no field needs."""
    value = request.body.get(key)
    return value[:longest] if isinstance(value, str) else ""
