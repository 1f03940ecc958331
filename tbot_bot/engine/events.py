"""What the host tells the engine. Every event is a fact with its market time; none is a promise."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tbot_bot.domain.market import Bar, Quote, Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderReport
from tbot_bot.domain.portfolio import Account, Position


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The market clock reads `now`. Comes at least once per market minute and per second of real time."""

    now: datetime


@dataclass(frozen=True, slots=True)
class MinuteClosed:
    """All bars known for the minute that ended at `end`; symbols that did not trade are absent.

    `late` marks bars of earlier minutes that come after a gap or a restart: they teach, but give no signal."""

    end: datetime
    bars: Mapping[Symbol, Bar]
    late: bool = False


@dataclass(frozen=True, slots=True)
class QuotesSeen:
    now: datetime
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class OrderReported:
    """The broker's word on an order of ours, from a stream, an answer or a question."""

    now: datetime
    report: OrderReport


@dataclass(frozen=True, slots=True)
class OrderNotSent:
    """The broker (or the adapter) refused the order before it lived; it never will. `code`: the broker's own."""

    now: datetime
    client_id: ClientOrderId
    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class OrderLost:
    """Sent, no clear answer: the order is `unknown` until an OrderReported or OrderAbsent settles it."""

    now: datetime
    client_id: ClientOrderId
    why: str = "no clear answer"


@dataclass(frozen=True, slots=True)
class OrderAbsent:
    """Asked by id repeatedly and for long enough: the broker never had this order."""

    now: datetime
    client_id: ClientOrderId


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """Account and positions as the broker tells them; `now`: when it was asked; None = the question failed."""

    now: datetime
    account: Account | None
    positions: tuple[Position, ...] | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Our orders and positions against the broker's; entries only while `clean`."""

    now: datetime
    clean: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Close all positions in good order, enter nothing more."""

    now: datetime
    by: str


@dataclass(frozen=True, slots=True)
class KillRequested:
    """Cancel everything and flatten now."""

    now: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class TradeConfirmed:
    """A trader confirmed the entry that AskConfirmation named; it is checked anew and then sent."""

    now: datetime
    client_id: ClientOrderId
    by: str


Event = (
    TimePassed
    | MinuteClosed
    | QuotesSeen
    | OrderReported
    | OrderNotSent
    | OrderLost
    | OrderAbsent
    | AccountSeen
    | Reconciled
    | StopRequested
    | KillRequested
    | TradeConfirmed
)
