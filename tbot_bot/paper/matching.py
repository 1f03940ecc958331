"""Where along a straight stretch of the price path an order executes."""

from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.paper.book import Order
from tbot_bot.paper.view import dollars, to_ticks


@dataclass(frozen=True, slots=True)
class Stretch:
    """Prices in ticks at both ends; `half` is half the spread, in ticks."""

    first: int
    last: int
    half: int


@dataclass(frozen=True, slots=True)
class Touch:
    """The mid price in ticks at which the order executes, and how far along the stretch (0 to 1)."""

    mid: int
    along: float


def find_touch(order: Order, stretch: Stretch) -> Touch | None:
    """None while the order rests. Moves a trailing stop's high-water mark and marks an elected stop."""
    if order.type == "market" or (order.triggered and order.type in ("stop", "trailing_stop")):
        return Touch(stretch.first, 0.0)
    if order.type == "limit":
        return _limit(order, stretch)
    if order.type == "trailing_stop":
        _trail(order, stretch.first)
    elected = order.triggered
    if not elected:
        touch = _stop(order, stretch)
        if touch is None:
            if order.type == "trailing_stop":
                _trail(order, stretch.last)
            return None
        order.triggered = True
        if order.type != "stop_limit":
            return touch
        stretch = Stretch(touch.mid, stretch.last, stretch.half)
    return _limit(order, stretch)


def _limit(order: Order, stretch: Stretch) -> Touch | None:
    """A buy executes once the ask is at or below the limit, a sell once the bid is at or above it."""
    if order.limit_price is None:
        return None
    limit = to_ticks(order.limit_price)
    if order.side == "buy":
        return _crossing(limit - stretch.half, stretch, downward=True)
    return _crossing(limit + stretch.half, stretch, downward=False)


def _stop(order: Order, stretch: Stretch) -> Touch | None:
    if order.stop_price is None:
        return None
    return _crossing(to_ticks(order.stop_price), stretch, downward=order.side == "sell")


def _crossing(level: int, stretch: Stretch, *, downward: bool) -> Touch | None:
    """A price already beyond the level (a gap, or a marketable order) executes where it stands."""
    sign = 1 if downward else -1
    if sign * stretch.first <= sign * level:
        return Touch(stretch.first, 0.0)
    if sign * stretch.last > sign * level:
        return None
    return Touch(level, (stretch.first - level) / (stretch.first - stretch.last))


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
