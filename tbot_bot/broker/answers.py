"""What every adapter makes of answers: parsed, or an error that says that they cannot be read."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from tbot_bot.domain.errors import BrokerUnavailable, DataInvalid
from tbot_bot.domain.market import BrokerClock
from tbot_bot.domain.session import SessionHours

T = TypeVar("T")


def read(parse: Callable[[Any], T], raw: Any) -> T:
    """Raises BrokerUnavailable for what is DataInvalid: an answer that cannot be read is none."""
    try:
        return parse(raw)
    except DataInvalid as error:
        raise BrokerUnavailable(f"the broker's answer cannot be read: {error}") from error


def readable(parse: Callable[[Any], T], raw: Any) -> T | None:
    """None for a row that cannot be read, where the others are worth something without it."""
    try:
        return parse(raw)
    except DataInvalid:
        return None


def clock_at(now: datetime, hours: Sequence[SessionHours]) -> BrokerClock:
    """The market's clock of a broker that tells the time alone. Raises BrokerUnavailable when `hours` end before the
    next session."""
    closing = [each for each in hours if each.close > now]
    following = [each for each in closing if each.open > now]
    if not following:
        raise BrokerUnavailable("the calendar knows no next session")
    return BrokerClock(now, closing[0].open <= now, following[0].open, closing[0].close)
