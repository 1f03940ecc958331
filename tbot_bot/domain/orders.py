"""Orders as we mean them, as the broker reports them, and the one table of their lifecycle."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.session import StrategyName

ClientOrderId = NewType("ClientOrderId", str)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"


class Direction(StrEnum):
    """What the signal says of its symbol; the order's side may differ (an inverse ETF is bought)."""

    LONG = "long"
    BEARISH = "bearish"


class Purpose(StrEnum):
    ENTRY = "entry"
    PROTECT = "protect"
    EXIT = "exit"


class OrderStatus(StrEnum):
    INTENDED = "intended"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


FINAL_STATUSES = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED})
_O = OrderStatus
_BROKER_SAYS = frozenset({_O.ACCEPTED, _O.PARTIALLY_FILLED, _O.UNKNOWN}) | FINAL_STATUSES

NEXT_STATUS: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    _O.INTENDED: frozenset({_O.SUBMITTED, _O.UNKNOWN, _O.REJECTED, _O.CANCELLED}) | _BROKER_SAYS,
    _O.SUBMITTED: _BROKER_SAYS,
    _O.ACCEPTED: _BROKER_SAYS - {_O.ACCEPTED},
    _O.PARTIALLY_FILLED: frozenset({_O.PARTIALLY_FILLED, _O.FILLED, _O.CANCELLED, _O.EXPIRED, _O.UNKNOWN}),
    _O.UNKNOWN: _BROKER_SAYS,
    _O.FILLED: frozenset(),
    _O.CANCELLED: frozenset(),
    _O.REJECTED: frozenset(),
    _O.EXPIRED: frozenset(),
}
"""Legal moves of an order. A report that would move backwards is old news and is dropped."""


@dataclass(frozen=True, slots=True)
class ExitPlan:
    """How a position ends. Travels with the entry's intent, so that a restart knows it.

    Distances are fractions of the average entry price of the symbol held (0.02 = 2 %); no target: None.
    `vwap_symbol`: leave when this (signal) symbol touches its VWAP. `trail`: fraction of the best price since entry,
    0 = off. `deadline`: UTC."""

    stop_distance: Decimal
    target_distance: Decimal | None
    trail: Decimal
    deadline: datetime
    vwap_symbol: Symbol | None = None


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What we want to send, complete, written to the journal before the first byte leaves.

    Exactly one of `quantity` (shares) and `notional` (USD) is set. `trade_id` is the entry's client id, shared by the
    orders that protect and end the same position. `extended_hours`: it may also execute before the open and after the
    close, where the broker can do that for its type."""

    client_id: ClientOrderId
    session: date
    strategy: StrategyName
    symbol: Symbol
    side: Side
    purpose: Purpose
    trade_id: ClientOrderId
    created_at: datetime
    reason: str
    type: OrderType = OrderType.MARKET
    quantity: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    take_profit_price: Decimal | None = None
    stop_loss_price: Decimal | None = None
    signal_symbol: Symbol | None = None
    direction: Direction = Direction.LONG
    weight_index: int = 0
    reference_price: Decimal | None = None
    exit_plan: ExitPlan | None = None
    extended_hours: bool = False

    def __post_init__(self) -> None:
        if (self.quantity is None) == (self.notional is None):
            raise ValueError("an order needs either a quantity or a notional")


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What is to be different in a working order; None keeps what was. Shares, USD, percent.

    `client_id`: what the order is called afterwards at a broker that changes an order by making a new one."""

    client_id: ClientOrderId
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_percent: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.quantity, self.limit_price, self.stop_price, self.trail_percent) == (None, None, None, None):
            raise ValueError("a change of an order needs something to change")


@dataclass(frozen=True, slots=True)
class OrderReport:
    """The broker's word on one order at `at`. Quantities in shares; `average_price` USD, None until a fill.

    `limit_price`, `stop_price`: as they stand at the broker, None where it has none or does not tell."""

    client_id: ClientOrderId
    broker_id: str
    symbol: Symbol
    side: Side
    status: OrderStatus
    filled_quantity: Decimal
    average_price: Decimal | None
    at: datetime
    quantity: Decimal | None = None
    type: OrderType = OrderType.MARKET
    reason: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill, as the broker's activities tell it; `execution_id` is unique at the broker."""

    execution_id: str
    broker_order_id: str
    client_id: ClientOrderId | None
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    at: datetime
    fee: Decimal = field(default=Decimal(0))


def client_order_id(
    bot_id: str, session: date, strategy: StrategyName, symbol: Symbol, purpose: Purpose, attempt: int
) -> ClientOrderId:
    """The same act always has the same id, so that a broker refuses the second of two; ≤ 48 characters of [a-z0-9-]."""
    text = f"{bot_id}|{session.isoformat()}|{strategy}|{symbol}|{purpose}|{attempt}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    ticker = "".join(c for c in symbol.lower() if c.isalnum())[:8]
    return ClientOrderId(f"tb-{session:%y%m%d}-{strategy}-{ticker}-{purpose}{attempt}-{digest}")
