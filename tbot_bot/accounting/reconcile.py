"""Ours against the broker's: differences as values, in words. Pure; the host asks, alarms and repairs.

The broker is right about facts, we are right about intent; any difference means no new entries."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.money import CENT, ZERO, cents
from tbot_bot.domain.orders import FINAL_STATUSES, ClientOrderId, OrderReport, OrderStatus
from tbot_bot.domain.portfolio import Position


class DifferenceKind(StrEnum):
    POSITION_MISSING_HERE = "position_missing_here"
    POSITION_MISSING_AT_BROKER = "position_missing_at_broker"
    QUANTITY = "quantity"
    UNKNOWN_ORDER = "unknown_order"
    ORDER_MISSING_AT_BROKER = "order_missing_at_broker"
    ORDER_STILL_OPEN = "order_still_open"
    CASH = "cash"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Difference:
    """`subject`: symbol, client order id or `cash`. Amounts in shares, or USD for cash; None = not there."""

    kind: DifferenceKind
    subject: str
    ours: Decimal | None
    theirs: Decimal | None
    words: str


@dataclass(frozen=True, slots=True)
class Ours:
    """What we believe. `orders`: the last status of every order of ours that the journal knows, by client id.

    `in_flight`: symbols with an order working, of which a fill may be at the broker and not yet in the books: their
    quantities are not compared, and are once the order is final."""

    positions: Sequence[Position]
    orders: Mapping[ClientOrderId, OrderStatus]
    in_flight: Collection[Symbol] = ()


def reconcile(
    ours: Ours, positions: Sequence[Position] | None, open_orders: Sequence[OrderReport] | None
) -> tuple[Difference, ...]:
    """All differences, positions first, each kind by name. None = the broker did not answer, which is a difference."""
    found: list[Difference] = []
    for answer, what in ((positions, "positions"), (open_orders, "open orders")):
        if answer is None:
            words = f"the broker did not tell its {what}, so nothing is known to agree"
            found.append(Difference(DifferenceKind.UNANSWERED, what, None, None, words))
    if positions is not None:
        found.extend(compare_positions(ours.positions, positions, ours.in_flight))
    if open_orders is not None:
        found.extend(compare_orders(ours.orders, open_orders))
    return tuple(found)


def compare_positions(
    ours: Sequence[Position], theirs: Sequence[Position], in_flight: Collection[Symbol] = ()
) -> tuple[Difference, ...]:
    """Shares held by symbol, exactly; a quantity of zero is no position."""
    here, there = _shares(ours), _shares(theirs)
    found = []
    for symbol in sorted((here.keys() | there.keys()) - set(in_flight)):
        mine, broker = here.get(symbol), there.get(symbol)
        if mine == broker:
            continue
        if mine is None:
            kind, words = DifferenceKind.POSITION_MISSING_HERE, f"the broker holds {broker} {symbol}, our books none"
        elif broker is None:
            kind, words = DifferenceKind.POSITION_MISSING_AT_BROKER, f"our books hold {mine} {symbol}, the broker none"
        else:
            kind, words = DifferenceKind.QUANTITY, f"our books hold {mine} {symbol}, the broker {broker}"
        found.append(Difference(kind, symbol, mine, broker, words))
    return tuple(found)


def compare_orders(ours: Mapping[ClientOrderId, OrderStatus], theirs: Sequence[OrderReport]) -> tuple[Difference, ...]:
    """Open orders by client id. An order that we are just asking about (intended, unknown) may be absent there."""
    there = {report.client_id: report for report in theirs}
    found = []
    for client_id, report in sorted(there.items()):
        status = ours.get(client_id)
        if status is None:
            kind, words = DifferenceKind.UNKNOWN_ORDER, f"the broker has an open order {client_id} that is not ours"
        elif status in FINAL_STATUSES:
            kind, words = DifferenceKind.ORDER_STILL_OPEN, f"order {client_id} is {status} here and open at the broker"
        else:
            continue
        text = f"{words}: {report.side} {report.symbol}"
        found.append(Difference(kind, client_id, None, report.quantity, text))
    for client_id, status in sorted(ours.items()):
        if status in _LIVE and client_id not in there:
            words = f"order {client_id} is {status} here, and the broker has no such open order"
            found.append(Difference(DifferenceKind.ORDER_MISSING_AT_BROKER, client_id, None, None, words))
    return tuple(found)


def compare_cash(ours: Decimal, theirs: Decimal, tolerance: Decimal = CENT) -> tuple[Difference, ...]:
    """The books' cash against the account's, USD; a difference below `tolerance` is the broker's rounding."""
    if abs(ours - theirs) < tolerance:
        return ()
    words = f"our books hold {cents(ours)} USD in cash, the broker {cents(theirs)}"
    return (Difference(DifferenceKind.CASH, "cash", ours, theirs, words),)


_LIVE = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


def _shares(positions: Sequence[Position]) -> dict[Symbol, Decimal]:
    return {p.symbol: p.quantity for p in positions if p.quantity != ZERO}
