"""What the engine asks of the host. The host performs them in order and answers with events."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, Direction, OrderIntent, Side
from tbot_bot.domain.session import BotState, StrategyName


@dataclass(frozen=True, slots=True)
class Submit:
    """Journal the intent, then send it once."""

    intent: OrderIntent


@dataclass(frozen=True, slots=True)
class Cancel:
    client_id: ClientOrderId
    why: str


@dataclass(frozen=True, slots=True)
class CancelEverything:
    """Kill path: cancel every open order of the account, ours or not known to be."""

    why: str


@dataclass(frozen=True, slots=True)
class Inquire:
    """Ask the broker for this order until its fate is known."""

    client_id: ClientOrderId


@dataclass(frozen=True, slots=True)
class AskQuotes:
    """Fetch these symbols' quotes now, in one call; answered by QuotesSeen."""

    symbols: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class AskAccount:
    """Fetch account and positions now; answered by AccountSeen."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Replace the set of symbols whose quotes are pushed: positions and working orders."""

    symbols: tuple[Symbol, ...]


class Outcome(StrEnum):
    """What became of a candidate."""

    TAKEN = "taken"
    DENIED = "denied"
    REFUSED = "refused"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Decide:
    """One candidate's story, for the record and the dashboard.

    `rank` from 1 in its minute; `fallback` counts the refusals before it in the same slot; `score` is the
    strategy's rank value; `needed` and `seen` say how far from a signal it was: fractions of the price, for CLOSE
    standard deviations."""

    at: datetime
    strategy: StrategyName
    symbol: Symbol
    direction: Direction
    outcome: Outcome
    reason: str
    rank: int = 0
    fallback: int = 0
    score: float = 0.0
    traded: Symbol | None = None
    setting: str = ""
    needed: float | None = None
    seen: float | None = None


@dataclass(frozen=True, slots=True)
class AskConfirmation:
    """TRADE_CONFIRMATION_REQUIRED: show this entry to a trader; TradeConfirmed before `until` (UTC) lets it be sent.

    `value` in USD. Without an answer nothing is sent."""

    client_id: ClientOrderId
    strategy: StrategyName
    symbol: Symbol
    side: Side
    value: Decimal
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class MoveState:
    """The engine's view of the bot's state changed."""

    to: BotState
    why: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Words for humans. level: routine or critical."""

    level: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class DayDone:
    """The session is over for us: flat, every order final. `tripped` names a kill or loss limit."""

    at: datetime
    realised: Decimal
    tripped: str = ""


Command = (
    Submit
    | Cancel
    | CancelEverything
    | Inquire
    | AskQuotes
    | AskAccount
    | AskConfirmation
    | Watch
    | Decide
    | MoveState
    | Alarm
    | DayDone
)
