"""A small trading day as acts: what each wants, and what the journal says became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import FINAL_STATUSES, ClientOrderId, OrderStatus, OrderType, Purpose, Side
from tbot_bot.runtime.journal import JournalledOrder
from tbot_bot.runtime.reconciler import status_of

Orders = Mapping[ClientOrderId, JournalledOrder]


class Kind(Enum):
    """BUY: until filled. REST: a far order that rests, is changed, and is cancelled. STOP: a far stop that rests and is
    cancelled. SELL: all that is held of the symbol."""

    BUY = "buy"
    REST = "rest"
    STOP = "stop"
    SELL = "sell"


@dataclass(frozen=True, slots=True)
class Act:
    """`factor`: the order's price against the market's, 0 = a market order."""

    kind: Kind
    symbol: Symbol
    quantity: Decimal
    factor: Decimal = Decimal(0)

    @property
    def purpose(self) -> Purpose:
        return {Kind.STOP: Purpose.PROTECT, Kind.SELL: Purpose.EXIT}.get(self.kind, Purpose.ENTRY)

    @property
    def side(self) -> Side:
        return Side.SELL if self.kind in (Kind.STOP, Kind.SELL) else Side.BUY

    @property
    def type(self) -> OrderType:
        if self.kind is Kind.STOP:
            return OrderType.STOP
        return OrderType.LIMIT if self.factor else OrderType.MARKET


def small_day(first: Symbol, second: Symbol, third: Symbol) -> tuple[Act, ...]:
    return (
        Act(Kind.BUY, first, Decimal(10)),
        Act(Kind.STOP, first, Decimal(10), Decimal("0.7")),
        Act(Kind.BUY, second, Decimal(7), Decimal("1.02")),
        Act(Kind.REST, third, Decimal(5), Decimal("0.7")),
        Act(Kind.SELL, first, Decimal(10)),
        Act(Kind.SELL, second, Decimal(7)),
    )


def attempts(act: Act, orders: Orders) -> list[JournalledOrder]:
    """The orders that this act has had so far, in order."""
    return [o for o in orders.values() if o.intent.symbol == act.symbol and o.intent.purpose is act.purpose]


def held(symbol: Symbol, orders: Orders) -> Decimal:
    """What our orders' fills in `symbol` add up to."""
    total = Decimal(0)
    for order in orders.values():
        if order.intent.symbol == symbol and order.report is not None:
            filled = order.report.filled_quantity
            total += filled if order.intent.side is Side.BUY else -filled
    return total


def is_done(act: Act, orders: Orders) -> bool:
    """Whether nothing is left to do for it; an order that lives or is unknown is something left."""
    tried = attempts(act, orders)
    if any(status_of(order) not in FINAL_STATUSES for order in tried):
        return False
    if act.kind is Kind.SELL:
        return held(act.symbol, orders) == 0
    if act.kind is Kind.BUY:
        return held(act.symbol, orders) > 0 or _is_sold(act.symbol, orders)
    return any(status_of(order) is OrderStatus.CANCELLED for order in tried)


def _is_sold(symbol: Symbol, orders: Orders) -> bool:
    return any(
        o.intent.symbol == symbol and o.intent.side is Side.SELL and o.report is not None and o.report.filled_quantity
        for o in orders.values()
    )
