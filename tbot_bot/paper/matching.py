"""When, along a straight stretch of the price path, an order executes."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.paper.book import Order
from tbot_bot.paper.view import CENT_TICKS, Quote, dollars, to_ticks


@dataclass(frozen=True, slots=True)
class Stretch:
    """Instants `start` to `last` in milliseconds, between which prices move one way only and stay within `low` and
    `high`; all prices in ticks."""

    start: int
    last: int
    low: int
    high: int
    price: Callable[[int], int]
    quote: Callable[[int], Quote]


def find_touch(order: Order, stretch: Stretch) -> int | None:
    """The first instant at which the order finds a counterpart; None while it rests.

    Moves a trailing stop's high-water mark and marks an elected stop."""
    if _out_of_reach(order, stretch):
        return None
    if order.type == "trailing_stop" and not order.triggered:
        _trail(order, stretch.price(stretch.start))
    start = stretch.start
    if order.type in ("stop", "stop_limit", "trailing_stop") and not order.triggered:
        elected = _elected(order, stretch)
        if elected is None:
            if order.type == "trailing_stop":
                _trail(order, stretch.price(stretch.last))
            return None
        order.triggered, start = True, elected
    limit = limit_ticks(order)
    if limit is None:
        return start
    if order.side == "buy":
        return _first(lambda ms: stretch.quote(ms).ask <= limit, start, stretch.last)
    return _first(lambda ms: stretch.quote(ms).bid >= limit, start, stretch.last)


def _out_of_reach(order: Order, stretch: Stretch) -> bool:
    """Most resting orders are: known without a look at the path. An ask is above the price, a bid below it."""
    if order.type == "limit":
        limit = limit_ticks(order)
        return limit is not None and (limit < stretch.low if order.side == "buy" else limit > stretch.high)
    if order.type in ("stop", "stop_limit") and not order.triggered and order.stop_price is not None:
        stop = to_ticks(order.stop_price)
        return stop > stretch.high if order.side == "buy" else stop < stretch.low
    return False


def limit_ticks(order: Order) -> int | None:
    """The limit as a quote in whole cents can meet it; None for an order without one."""
    if order.limit_price is None or order.type not in ("limit", "stop_limit"):
        return None
    ticks = to_ticks(order.limit_price)
    return ticks // CENT_TICKS * CENT_TICKS if order.side == "buy" else -(-ticks // CENT_TICKS) * CENT_TICKS


def _elected(order: Order, stretch: Stretch) -> int | None:
    if order.stop_price is None:
        return None
    stop = to_ticks(order.stop_price)
    if order.side == "buy":
        return _first(lambda ms: stretch.price(ms) >= stop, stretch.start, stretch.last)
    return _first(lambda ms: stretch.price(ms) <= stop, stretch.start, stretch.last)


def _first(reached: Callable[[int], bool], start: int, last: int) -> int | None:
    """The first instant at which what never becomes untrue again is true, or the start, where it may end."""
    if reached(start):
        return start
    if not reached(last):
        return None
    before, found = start, last
    while found - before > 1:
        middle = (before + found) // 2
        if reached(middle):
            found = middle
        else:
            before = middle
    return found


def _trail(order: Order, ticks: int) -> None:
    """Follows the best price seen; the stop only tightens."""
    price = dollars(ticks)
    best = max if order.side == "sell" else min
    order.hwm = price if order.hwm is None else best(order.hwm, price)
    distance = order.trail_price
    if order.trail_percent is not None:
        distance = order.hwm * order.trail_percent / 100
    if distance is not None:
        stop = order.hwm - distance if order.side == "sell" else order.hwm + distance
        order.stop_price = stop.quantize(Decimal("0.0001"))
