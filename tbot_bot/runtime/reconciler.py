"""Holds the broker's open orders and positions against our journal.

A difference counts when it is seen twice running, because a fill may lie between the broker's two answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tbot_bot.accounting.reconcile import DifferenceKind, Ours, reconcile
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import FINAL_STATUSES, ClientOrderId, OrderStatus, Side
from tbot_bot.domain.portfolio import Position
from tbot_bot.engine.events import Reconciled
from tbot_bot.runtime.desk import BooksPulled
from tbot_bot.runtime.journal import JournalledOrder

Orders = Mapping[ClientOrderId, JournalledOrder]
_ASK_ABOUT = frozenset({DifferenceKind.ORDER_MISSING_AT_BROKER, DifferenceKind.ORDER_STILL_OPEN})


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict for the engine, and the orders whose fate the broker must be asked for."""

    event: Reconciled
    inquire: tuple[ClientOrderId, ...]


class Reconciler:
    """Remembers the last comparison's differences."""

    def __init__(self) -> None:
        self._before: frozenset[tuple[DifferenceKind, str]] = frozenset()

    def compare(self, pulled: BooksPulled, orders: Orders, now: datetime) -> Comparison:
        """Clean unless a difference stands that stood at the last comparison too."""
        ours = Ours(_positions(orders), {cid: status_of(order) for cid, order in orders.items()}, _in_flight(orders))
        found = reconcile(ours, pulled.positions, pulled.orders)
        standing = [d for d in found if (d.kind, d.subject) in self._before]
        self._before = frozenset((d.kind, d.subject) for d in found)
        event = Reconciled(now, not standing, "; ".join(d.words for d in standing))
        return Comparison(event, tuple(ClientOrderId(d.subject) for d in found if d.kind in _ASK_ABOUT))


def status_of(order: JournalledOrder) -> OrderStatus:
    """The last word on an order; without one it is intended."""
    return order.report.status if order.report is not None else OrderStatus.INTENDED


def _positions(orders: Orders) -> tuple[Position, ...]:
    """What our orders' fills add up to, by symbol; prices are not compared."""
    held: dict[Symbol, Decimal] = {}
    for order in orders.values():
        if order.report is not None and order.report.filled_quantity:
            sign = 1 if order.intent.side is Side.BUY else -1
            symbol = order.intent.symbol
            held[symbol] = held.get(symbol, Decimal(0)) + sign * order.report.filled_quantity
    return tuple(Position(symbol, quantity, Decimal(0)) for symbol, quantity in sorted(held.items()))


def _in_flight(orders: Orders) -> frozenset[Symbol]:
    """Symbols whose quantity may change between two answers. A resting stop is no reason not to compare."""
    return frozenset(
        order.intent.symbol
        for order in orders.values()
        if status_of(order) not in FINAL_STATUSES and order.intent.stop_price is None
    )
