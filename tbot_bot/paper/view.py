"""What can be seen of a market at an instant: nothing of a minute's future leaves this module."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from tbot_bot.paper.clock import AFTER_CLOSE_MS
from tbot_bot.paper.market import TICKS_PER_DOLLAR, Ints, Market, RunningTotals, SessionBars, running_totals
from tbot_bot.paper.sessions import MINUTE_MS, TradingDay

THIRD_MS = MINUTE_MS // 3
CENT_TICKS = 100


@dataclass(frozen=True, slots=True)
class Quote:
    """Ticks; sizes in shares."""

    bid: int
    ask: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one third of a minute, or a part of it, along which every price moves in a straight line."""

    bars: SessionBars
    start_ms: int
    end_ms: int

    @property
    def minute(self) -> int:
        return (self.start_ms - self.bars.open_ms) // MINUTE_MS


class MarketView:
    """`days` are the sessions that the clock runs through, oldest first."""

    def __init__(self, market: Market, days: Sequence[TradingDay]) -> None:
        self.market = market
        self.days = days
        self._totals: tuple[SessionBars, RunningTotals] | None = None
        self._ends = [day.close_ms + AFTER_CLOSE_MS for day in days]

    def day(self, now_ms: int) -> TradingDay:
        """The session whose virtual day `now_ms` belongs to."""
        return self.days[self.position(now_ms)]

    def position(self, now_ms: int) -> int:
        """Index of that session among `days`."""
        return min(bisect_right(self._ends, now_ms - 1), len(self.days) - 1)

    def day_end(self, position: int) -> int:
        """The last instant of a session's virtual day."""
        return self._ends[position]

    def bars(self, now_ms: int) -> SessionBars:
        return self.market.session(self.day(now_ms).day)

    def totals(self, now_ms: int) -> RunningTotals:
        """Of the whole session: read no further than its completed minutes."""
        bars = self.bars(now_ms)
        if self._totals is None or self._totals[0] is not bars:
            self._totals = (bars, running_totals(bars))
        return self._totals[1]

    def is_open(self, now_ms: int) -> bool:
        day = self.day(now_ms)
        return day.open_ms <= now_ms < day.close_ms

    def minute(self, now_ms: int) -> int:
        """Completed minutes of the session: 0 before and at its open, all of them from its close on."""
        day = self.day(now_ms)
        return min(max((now_ms - day.open_ms) // MINUTE_MS, 0), day.minutes)

    def prices(self, rows: Ints, now_ms: int) -> Ints:
        """Ticks [row] of the last price; 0 while none is known."""
        bars = self.bars(now_ms)
        if now_ms < bars.open_ms:
            earlier: Ints = bars.previous_close[rows]
            return earlier
        if now_ms >= bars.open_ms + bars.minutes * MINUTE_MS:
            final: Ints = bars.close[rows, -1]
            return final
        return path_prices(bars, rows, now_ms)

    def quotes(self, rows: Ints, now_ms: int) -> tuple[Ints, Ints, Ints]:
        """Price, bid and ask in ticks [row], at least a cent apart; all 0 while no price is known."""
        price = self.prices(rows, now_ms)
        half = self.half_spread(rows, price)
        bid = (price - half) // CENT_TICKS * CENT_TICKS
        ask = -(-(price + half) // CENT_TICKS) * CENT_TICKS
        known = price > 0
        return price, np.where(known, np.maximum(bid, CENT_TICKS), 0), np.where(known, ask, 0)

    def half_spread(self, rows: Ints, price: Ints) -> Ints:
        half: Ints = np.rint(price * self.market.half_spread[rows]).astype(np.int64)
        return half

    def price(self, symbol: str, now_ms: int) -> Decimal | None:
        """Dollars of the last price; None while none is known."""
        row = self.market.index.get(symbol)
        if row is None:
            return None
        ticks = int(self.prices(np.array([row]), now_ms)[0])
        return dollars(ticks) if ticks else None

    def quote(self, symbol: str, now_ms: int) -> Quote | None:
        row = self.market.index.get(symbol)
        if row is None:
            return None
        _, bid, ask = self.quotes(np.array([row]), now_ms)
        return Quote(int(bid[0]), int(ask[0])) if ask[0] else None

    def half(self, row: int) -> float:
        """Half the spread as a share of the price."""
        return float(self.market.half_spread[row])

    def quote_in(self, bars: SessionBars, row: int, now_ms: int) -> Quote:
        """As `quotes`, of one row whose price is known, while its session is open."""
        price = path_price(bars, row, now_ms)
        half = round(price * self.half(row))
        bid = max((price - half) // CENT_TICKS * CENT_TICKS, CENT_TICKS)
        return Quote(bid, -(-(price + half) // CENT_TICKS) * CENT_TICKS)

    def segments(self, after_ms: int, until_ms: int) -> Iterator[Segment]:
        """The open market's segments inside (after, until], in time order, cut at thirds of minutes."""
        at = bisect_right(self._ends, after_ms)
        for day in self.days[at:]:
            start, end = max(after_ms, day.open_ms), min(until_ms, day.close_ms)
            if day.open_ms >= until_ms:
                return
            while start < end:
                stop = min(end, day.open_ms + ((start - day.open_ms) // THIRD_MS + 1) * THIRD_MS)
                yield Segment(self.market.session(day.day), start, stop)
                start = stop


def path_prices(bars: SessionBars, rows: Ints, now_ms: int) -> Ints:
    """Prices on the path open → low/high → high/low → close of the running minute, in ticks rounded to the cent."""
    minute, inside = divmod(now_ms - bars.open_ms, MINUTE_MS)
    third, offset = divmod(inside, THIRD_MS)
    high_first = bars.high_first[rows, minute]
    high, low = bars.high[rows, minute], bars.low[rows, minute]
    points = (
        bars.open[rows, minute],
        np.where(high_first, high, low),
        np.where(high_first, low, high),
        bars.close[rows, minute],
    )
    left, right = points[third], points[third + 1]
    if offset == 0:
        exact: Ints = left
        return exact
    price = left + (right - left) * (offset / THIRD_MS)
    rounded: Ints = np.rint(price / CENT_TICKS).astype(np.int64) * CENT_TICKS
    return np.where(left == 0, 0, np.clip(rounded, np.minimum(left, right), np.maximum(left, right)))


def path_price(bars: SessionBars, row: int, now_ms: int) -> int:
    """As `path_prices`, of one row: the exchange asks for single ones by the thousand."""
    minute, inside = divmod(now_ms - bars.open_ms, MINUTE_MS)
    third, offset = divmod(inside, THIRD_MS)
    left, right = _point(bars, row, minute, third), _point(bars, row, minute, third + 1)
    if offset == 0 or left == 0:
        return left
    price = round((left + (right - left) * (offset / THIRD_MS)) / CENT_TICKS) * CENT_TICKS
    return min(max(price, min(left, right)), max(left, right))


def reach(bars: SessionBars, row: int, minute: int) -> tuple[int, int]:
    """Ticks between which a minute's path stays, even where a bar's range leaves its ends out."""
    first, last = int(bars.open[row, minute]), int(bars.close[row, minute])
    return min(int(bars.low[row, minute]), first, last), max(int(bars.high[row, minute]), first, last)


def _point(bars: SessionBars, row: int, minute: int, corner: int) -> int:
    """The path's corners in a minute: 0 its open, 1 and 2 its extremes, 3 its close."""
    if corner == 0:
        return int(bars.open[row, minute])
    if corner == 3:
        return int(bars.close[row, minute])
    return int((bars.high if bool(bars.high_first[row, minute]) == (corner == 1) else bars.low)[row, minute])


def dollars(ticks: int) -> Decimal:
    return (Decimal(ticks) / TICKS_PER_DOLLAR).normalize() + Decimal("0.00")


def to_ticks(price: Decimal) -> int:
    return int((price * TICKS_PER_DOLLAR).to_integral_value(ROUND_HALF_UP))
