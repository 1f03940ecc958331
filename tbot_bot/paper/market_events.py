"""What an operator has happen to a market: prices that jump, halts that reopen elsewhere, splits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np

from tbot_bot.paper.market import DailyBars, Floats, Instrument, Ints, Market, SessionBars, daily_from
from tbot_bot.paper.sessions import MINUTE_MS, TradingDay
from tbot_bot.paper.view import CENT_TICKS, MarketView


@dataclass(frozen=True, slots=True)
class MarketEvent:
    """From `minute` of session `day` (ISO) on. `factor`: what all later prices are multiplied by, after `halt_minutes`
    without trading. `split`: shares for each old one, 0 for none; prices and volumes follow it.

    `at_ms`: when it takes effect; a split between two sessions.
    """

    symbol: str
    day: str
    minute: int
    at_ms: int
    factor: float = 1.0
    halt_minutes: int = 0
    split: float = 0.0


def next_minute(view: MarketView, now_ms: int) -> tuple[TradingDay, int]:
    """The first minute of which nobody has seen anything yet: a session and its minute."""
    day, minute = view.day(now_ms), 0
    if now_ms >= day.open_ms:
        minute = (now_ms - day.open_ms) // MINUTE_MS + 1
    if minute < day.minutes:
        return day, minute
    return view.days[min(view.position(now_ms) + 1, len(view.days) - 1)], 0


def disturbance(view: MarketView, symbol: str, percent: float, halt_minutes: int, now_ms: int) -> MarketEvent:
    """`percent`: how far the price jumps, once the halt is over."""
    day, minute = next_minute(view, now_ms)
    at = day.open_ms + minute * MINUTE_MS
    return MarketEvent(symbol, day.day.isoformat(), minute, at, 1 + percent / 100, halt_minutes)


def split(view: MarketView, symbol: str, ratio: Decimal, now_ms: int) -> MarketEvent:
    """Takes effect once the present session's day is over."""
    position = min(view.position(now_ms), len(view.days) - 2)
    following = view.days[position + 1]
    return MarketEvent(
        symbol,
        following.day.isoformat(),
        0,
        view.day_end(position) + 1,
        float(1 / ratio),
        split=float(ratio),
    )


class EventfulMarket:
    """A market with what was done to it. Events are only added, and only to minutes that nobody has seen."""

    def __init__(self, market: Market, saved: str | None) -> None:
        self._market = market
        self.events: list[MarketEvent] = [MarketEvent(**item) for item in json.loads(saved or "[]")]
        self._made: dict[date, tuple[SessionBars, int, SessionBars]] = {}

    def add(self, event: MarketEvent) -> str:
        """Returns all events as text to be saved."""
        self.events.append(event)
        return json.dumps([asdict(each) for each in self.events])

    @property
    def instruments(self) -> Sequence[Instrument]:
        return self._market.instruments

    @property
    def index(self) -> Mapping[str, int]:
        return self._market.index

    @property
    def half_spread(self) -> Floats:
        return self._market.half_spread

    @property
    def days(self) -> Sequence[date]:
        return self._market.days

    def session(self, day: date) -> SessionBars:
        bars = self._market.session(day)
        events = self._until(day)
        if not events:
            return bars
        made = self._made.get(day)
        if made is None or made[0] is not bars or made[1] != len(events):
            made = self._made[day] = (bars, len(events), self._with_events(bars, events))
        return made[2]

    def daily(self, day: date) -> DailyBars | None:
        daily = self._market.daily(day)
        return daily_from(self.session(day)) if daily is not None and self._until(day) else daily

    def vix_close(self, day: date) -> Decimal | None:
        return self._market.vix_close(day)

    def _until(self, day: date) -> list[MarketEvent]:
        return [event for event in self.events if event.day <= day.isoformat()] if self.events else []

    def _with_events(self, bars: SessionBars, events: Sequence[MarketEvent]) -> SessionBars:
        made = replace(
            bars,
            open=bars.open.copy(),
            high=bars.high.copy(),
            low=bars.low.copy(),
            close=bars.close.copy(),
            volume=bars.volume.copy(),
            halted=bars.halted.copy(),
            previous_close=bars.previous_close.copy(),
        )
        for event in events:
            _apply(made, event, self._market.index[event.symbol])
        return made


def _apply(bars: SessionBars, event: MarketEvent, row: int) -> None:
    today = event.day == bars.day.isoformat()
    begin = event.minute if today else 0
    end = min(begin + event.halt_minutes, bars.minutes) if today else 0
    last = bars.close[row, begin - 1] if begin else bars.open[row, 0]
    for prices in (bars.open, bars.high, bars.low, bars.close):
        prices[row, begin:end] = last
        prices[row, end:] = _scaled(prices[row, end:], event.factor)
    bars.volume[row, begin:end] = 0
    bars.halted[row, begin:end] = True
    if event.split:
        bars.volume[row] = np.rint(bars.volume[row] * event.split).astype(np.int64)
    if event.split or not today:
        bars.previous_close[row] = _scaled(bars.previous_close[row : row + 1], event.factor)[0]


def _scaled(prices: Ints, factor: float) -> Ints:
    """Whole cents, at least one; an unknown price stays so."""
    ticks: Ints = np.maximum(np.rint(prices * factor / CENT_TICKS).astype(np.int64), 1) * CENT_TICKS
    return np.where(prices == 0, 0, ticks)
