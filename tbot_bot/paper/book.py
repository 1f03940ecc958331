"""Orders, positions and accounts as the venue keeps them, and their form on disk."""

import uuid
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, Literal

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "opg", "cls", "ioc", "fok"]
OrderClass = Literal["simple", "bracket", "oco", "oto"]

OPEN_STATUSES = frozenset({"pending_new", "accepted", "new", "partially_filled", "held"})
CLOSED_STATUSES = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
ZERO = Decimal(0)


@dataclass(slots=True)
class Order:
    """One order, changed only by the exchange. Times in milliseconds; `session` is the day that a day order lives on.

    `armed`: a leg or an order that may fill. `group`: id of the complex order's first order, shared by its legs;
    `role`: entry, take_profit, stop_loss. `sequence` orders by acceptance. `reason`: why it was rejected, or
    what a face has to remember of it. `intent`: what it did to the position when it was accepted, `buy_to_open` etc.
    """

    id: str
    sequence: int
    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    session: str
    submitted_ms: int
    order_class: OrderClass = "simple"
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    extended_hours: bool = False
    status: str = "pending_new"
    armed: bool = True
    triggered: bool = False
    filled_qty: Decimal = ZERO
    filled_cost: Decimal = ZERO
    group: str | None = None
    role: str | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    updated_ms: int = 0
    filled_ms: int | None = None
    canceled_ms: int | None = None
    expired_ms: int | None = None
    failed_ms: int | None = None
    replaced_ms: int | None = None
    reason: str = ""
    intent: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def is_entry(self) -> bool:
        return self.role in (None, "entry")

    @property
    def average_price(self) -> Decimal | None:
        return self.filled_cost / self.filled_qty if self.filled_qty else None

    @property
    def remaining(self) -> Decimal:
        """Shares still to fill; 0 for a notional order that is not sized yet."""
        return self.qty - self.filled_qty if self.qty is not None else ZERO


@dataclass(slots=True)
class Position:
    """`qty` is negative for a short; `cost` is qty times the average entry price, with its sign."""

    symbol: str
    qty: Decimal
    cost: Decimal

    @property
    def average_price(self) -> Decimal:
        return self.cost / self.qty


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, the FILL activity. `fee`: dollars that it cost beside its price."""

    execution_id: str
    account: str
    order_id: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    time_ms: int
    kind: Literal["fill", "partial_fill"]
    cumulative: Decimal
    leaves: Decimal
    order_status: str
    sequence: int = 0
    fee: Decimal = ZERO


def fill_of(order: Order, qty: Decimal, price: Decimal, at: int, fee: Decimal, sequence: int) -> Fill:
    """Of an order that already counts it."""
    return Fill(
        str(uuid.uuid4()),
        order.account,
        order.id,
        order.symbol,
        order.side,
        qty,
        price,
        at,
        "fill" if order.status == "filled" else "partial_fill",
        order.filled_qty,
        order.remaining,
        order.status,
        sequence,
        fee,
    )


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """What happened to an order, for whoever tells it on. `kind`: new, fill, partial_fill, amended, or its last status.

    `order` is as it stood then, and shared with nobody; `held`: the account's shares of its symbol after `fill`."""

    id: str
    kind: str
    order: Order
    at_ms: int
    fill: Fill | None = None
    held: Decimal = ZERO


@dataclass(slots=True)
class Account:
    """`last_equity` is the equity at the last session's close."""

    id: str
    key_id: str
    secret_hash: str
    created_ms: int
    cash: Decimal
    last_equity: Decimal
    positions: dict[str, Position] = field(default_factory=dict)


def dump(value: Any) -> dict[str, Any]:
    """A record's fields for JSON; Decimals become text. Positions go as they are."""
    return {item.name: _plain(getattr(value, item.name)) for item in fields(value) if item.name != "positions"}


def load_order(data: dict[str, Any]) -> Order:
    return Order(**_typed(data, Order))


def load_fill(data: dict[str, Any]) -> Fill:
    return Fill(**_typed(data, Fill))


def load_account(data: dict[str, Any]) -> Account:
    return Account(**_typed(data, Account))


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def _typed(data: dict[str, Any], kind: type) -> dict[str, Any]:
    money = {item.name for item in fields(kind) if "Decimal" in str(item.type)}
    return {key: Decimal(value) if key in money and value is not None else value for key, value in data.items()}
