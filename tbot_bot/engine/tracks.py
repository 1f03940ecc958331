"""What one symbol's bars of today taught: the bars themselves and the indicators that every strategy shares."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from tbot_bot.domain.market import Bar, Symbol
from tbot_bot.domain.money import from_ticks, to_ticks
from tbot_bot.domain.session import SessionHours
from tbot_bot.strategy.indicators import (
    BOLLINGER_PERIOD,
    NO_ADX,
    NO_BOLLINGER,
    NO_VWAP,
    Range,
    adx_step,
    bollinger_step,
    range_step,
    vwap_step,
)

OPENING_GRACE_MINUTES = 15
MINUTE = timedelta(minutes=1)


class TickBar(NamedTuple):
    """One minute in ticks (1/10000 USD) and shares."""

    open: int
    high: int
    low: int
    close: int
    volume: int


def tick_bar(bar: Bar) -> TickBar:
    """The bar in ticks."""
    return TickBar(to_ticks(bar.open), to_ticks(bar.high), to_ticks(bar.low), to_ticks(bar.close), bar.volume)


class Track:
    """One symbol's session. `session_open` (ticks) stays 0 when the first quarter of an hour is unknown to us: VWAP and
    returns since the open would then be guesses."""

    __slots__ = ("_closes", "adx", "bands", "bars", "last", "session_open", "vwap")

    def __init__(self) -> None:
        self.bars: dict[int, TickBar] = {}
        self.last = -1
        self.session_open = 0
        self.vwap = NO_VWAP
        self.adx = NO_ADX
        self.bands = NO_BOLLINGER
        self._closes = [0] * BOLLINGER_PERIOD

    def learn(self, minute: int, bar: TickBar) -> bool:
        """Take in the bar of a minute (0 = the session's first). Old news and impossible bars change nothing: False."""
        if minute <= self.last or not 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
            return False
        if self.last < 0 and minute < OPENING_GRACE_MINUTES:
            self.session_open = bar.open
        slot = len(self.bars) % BOLLINGER_PERIOD
        self.bands = bollinger_step(self.bands, bar.close, self._closes[slot])
        self._closes[slot] = bar.close
        self.vwap = vwap_step(self.vwap, bar.high, bar.low, bar.close, bar.volume)
        self.adx = adx_step(self.adx, bar.high, bar.low)
        self.bars[minute] = bar
        self.last = minute
        return True

    @property
    def close(self) -> int:
        """The latest close in ticks; 0 before the first bar."""
        return self.bars[self.last].close if self.bars else 0

    @property
    def price(self) -> Decimal:
        """The latest close in USD."""
        return from_ticks(self.close)

    def between(self, first: int, end: int) -> list[TickBar]:
        """The bars of minutes first ≤ m < end that exist."""
        return [self.bars[m] for m in range(first, end) if m in self.bars]

    def marks(self, end: int, step: int) -> list[int]:
        """Prices `step` minutes apart, the last at the start of minute `end`, the first not before the open; each
        is the latest close before that minute, the open itself at minute 0."""
        found: list[int] = []
        for mark in range(end % step, end + 1, step):
            minute = mark - 1
            while minute >= 0 and minute not in self.bars:
                minute -= 1
            found.append(self.bars[minute].close if minute >= 0 else self.session_open)
        return found


def range_of(bars: list[TickBar]) -> Range:
    """Highest high and lowest low of at least one bar."""
    found = Range(bars[0].high, bars[0].low)
    for bar in bars[1:]:
        found = range_step(found, bar.high, bar.low)
    return found


class Tracks:
    """All symbols of the universe."""

    def __init__(self, hours: SessionHours, symbols: frozenset[Symbol]) -> None:
        self._hours = hours
        self.of = {symbol: Track() for symbol in symbols}

    def minute(self, at: datetime) -> int:
        """Whole minutes since the session's open."""
        return (at - self._hours.open) // MINUTE

    @property
    def session_minutes(self) -> int:
        return self.minute(self._hours.close)

    def learn(self, bars: Mapping[Symbol, Bar]) -> list[Symbol]:
        """The universe's symbols that these bars brought news of, sorted; bars outside the session are ignored."""
        fresh: list[Symbol] = []
        for symbol, bar in bars.items():
            track = self.of.get(symbol)
            inside = self._hours.open <= bar.start < self._hours.close
            if track is not None and inside and track.learn(self.minute(bar.start), tick_bar(bar)):
                fresh.append(symbol)
        fresh.sort()
        return fresh
