"""Bars of every timeframe, joined from completed minutes and completed sessions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from tbot_bot.paper.market import DailyBars, Floats, Ints, SessionBars, trade_counts
from tbot_bot.paper.paging import Window
from tbot_bot.paper.refusal import invalid
from tbot_bot.paper.sessions import MINUTE_MS, NEW_YORK, TradingDay, midnight_ms, rfc3339, utc
from tbot_bot.paper.snapshots import bar_text
from tbot_bot.paper.venue import HISTORY_SESSIONS, Venue
from tbot_bot.paper.web import Refused

MINUTE_SESSIONS = 30
_UNITS = {
    "Min": "minute",
    "T": "minute",
    "Hour": "hour",
    "H": "hour",
    "Day": "day",
    "D": "day",
    "Week": "week",
    "W": "week",
    "Month": "month",
    "M": "month",
}
_AMOUNTS = {
    "minute": range(1, 60),
    "hour": range(1, 24),
    "day": (1,),
    "week": (1,),
    "month": (1, 2, 3, 4, 6, 12),
}
_NO_LOW = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Timeframe:
    amount: int
    unit: Literal["minute", "hour", "day", "week", "month"]

    @property
    def is_intraday(self) -> bool:
        return self.unit in ("minute", "hour")

    @property
    def is_single(self) -> bool:
        """Whether its bars are the ones that the market has."""
        return self.amount == 1 and self.unit in ("minute", "day")

    def start(self, ms: int) -> int:
        """When the bar begins that holds the minute or the session which begins at `ms`.

        Minutes and hours count from midnight in New York, weeks from Monday, months from January."""
        day = utc(ms).astimezone(NEW_YORK).date()
        if self.is_intraday:
            length = self.amount * MINUTE_MS * (60 if self.unit == "hour" else 1)
            midnight = midnight_ms(day)
            return midnight + (ms - midnight) // length * length
        if self.unit == "week":
            return midnight_ms(day - timedelta(days=day.weekday()))
        if self.unit == "month":
            return midnight_ms(day.replace(day=1, month=(day.month - 1) // self.amount * self.amount + 1))
        return midnight_ms(day)


def read_timeframe(name: str) -> Timeframe:
    """`1Min` to `59Min`, `1Hour` to `23Hour`, `1Day`, `1Week`, `1Month` to `12Month`; raises Refused."""
    found = re.fullmatch(r"(\d{1,2})(\w+)", name, re.ASCII)
    unit = _UNITS.get(found[2]) if found else None
    if found is None or unit is None or int(found[1]) not in _AMOUNTS[unit]:
        raise Refused(invalid(f"invalid timeframe: {name}"))
    return Timeframe(int(found[1]), unit)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive bars of the symbols asked for: [symbol, time] arrays in ticks; `times` in ms; volume 0: no bar."""

    times: Sequence[int]
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    trades: Ints
    vwap: Floats


def minute_blocks(venue: Venue, rows: Ints, window: Window, now_ms: int, frame: Timeframe) -> list[Block]:
    """One block a session, of the last `MINUTE_SESSIONS` before this one and of this one.

    A bar longer than a minute is there as soon as its first minute is complete, as at the broker."""
    blocks = []
    # A bar of several minutes may begin before its session and hold some of it.
    slack = 0 if frame.is_single else 24 * 60 * MINUTE_MS
    for day in sessions(venue, window, now_ms, slack):
        block = _minutes(venue.market.session(day.day), rows, now_ms)
        blocks.append(_cut(block if frame.is_single else _grouped([block], frame), window))
    return blocks


def sessions(venue: Venue, window: Window, now_ms: int, slack_ms: int = 0) -> list[TradingDay]:
    """At most the last `MINUTE_SESSIONS` before this one, and this one: those that reach into the window."""
    names = [*venue.past_days(now_ms, MINUTE_SESSIONS), venue.view.day(now_ms).day]
    days = [day for day in map(venue.calendar.on, names) if day is not None]
    end = min(window.end_ms, now_ms)
    return [day for day in days if day.close_ms > window.start_ms and day.open_ms - slack_ms <= end]


def _minutes(bars: SessionBars, rows: Ints, now_ms: int) -> Block:
    complete = max(0, min(bars.minutes, (now_ms - bars.open_ms) // MINUTE_MS))
    o, h, lo, c, v = (array[rows, :complete] for array in (bars.open, bars.high, bars.low, bars.close, bars.volume))
    times = [bars.open_ms + minute * MINUTE_MS for minute in range(complete)]
    return Block(times, o, h, lo, c, v, trade_counts(v), (h + lo + c) / 3)


def day_blocks(venue: Venue, rows: Ints, window: Window, now_ms: int, frame: Timeframe) -> list[Block]:
    """Completed sessions, at most the last `HISTORY_SESSIONS`; a running week or month holds those that it has."""
    blocks = []
    for day in venue.past_days(now_ms, HISTORY_SESSIONS) + today_if_closed(venue, now_ms):
        if window.start_ms <= midnight_ms(day) <= window.end_ms or not frame.is_single:
            daily = venue.market.daily(day)
            if daily is not None:
                blocks.append(_day(daily, rows))
    if frame.is_single or not blocks:
        return blocks
    return [_cut(_grouped(blocks, frame), window)]


def today_if_closed(venue: Venue, now_ms: int) -> list[date]:
    today = venue.view.day(now_ms)
    return [today.day] if now_ms >= today.close_ms else []


def _day(daily: DailyBars, rows: Ints) -> Block:
    fields = (daily.open, daily.high, daily.low, daily.close, daily.volume)
    o, h, lo, c, v = (array[rows, None] for array in fields)
    return Block([midnight_ms(daily.day)], o, h, lo, c, v, trade_counts(v), daily.vwap[rows, None])


def _cut(block: Block, window: Window) -> Block:
    """The bars that begin inside the window."""
    times = np.array(block.times, dtype=np.int64)
    first, last = np.searchsorted(times, window.start_ms), np.searchsorted(times, window.end_ms, side="right")
    cut = slice(int(first), int(last))
    arrays = (block.open, block.high, block.low, block.close, block.volume, block.trades)
    o, h, lo, c, v, n = (array[:, cut] for array in arrays)
    return Block(block.times[cut], o, h, lo, c, v, n, block.vwap[:, cut])


def _grouped(blocks: Sequence[Block], frame: Timeframe) -> Block:
    """The bars of consecutive blocks joined to longer ones; what has no volume adds nothing."""
    starts = [frame.start(ms) for block in blocks for ms in block.times]
    if not starts:
        return blocks[0]
    edges = [at for at, ms in enumerate(starts) if at == 0 or ms != starts[at - 1]]
    volume = np.hstack([block.volume for block in blocks])
    traded = volume > 0
    high = np.where(traded, np.hstack([block.high for block in blocks]), -1)
    low = np.where(traded, np.hstack([block.low for block in blocks]), _NO_LOW)
    notional = np.hstack([block.vwap for block in blocks]) * volume
    total = np.add.reduceat(volume, edges, axis=1)
    first, last = _first_and_last(traded, edges)
    rows = np.arange(len(volume))[:, None]
    return Block(
        [starts[at] for at in edges],
        np.hstack([block.open for block in blocks])[rows, first],
        np.maximum.reduceat(high, edges, axis=1),
        np.minimum.reduceat(low, edges, axis=1),
        np.hstack([block.close for block in blocks])[rows, last],
        total,
        np.add.reduceat(np.hstack([block.trades for block in blocks]), edges, axis=1),
        np.add.reduceat(notional, edges, axis=1) / np.maximum(total, 1),
    )


def _first_and_last(traded: np.ndarray, edges: Sequence[int]) -> tuple[Ints, Ints]:
    """Columns of each group's first and last bar that has volume; any column where it has none."""
    columns = np.arange(traded.shape[1])
    top = traded.shape[1] - 1
    first = np.minimum.reduceat(np.where(traded, columns, top), edges, axis=1)
    last = np.maximum.reduceat(np.where(traded, columns, 0), edges, axis=1)
    return first, last


def row_bars(blocks: Sequence[Block], row: int, *, descending: bool) -> Iterator[tuple[int, str]]:
    """A symbol's bars as (µs since the epoch, JSON)."""
    for block in reversed(blocks) if descending else blocks:
        at = np.flatnonzero(block.volume[row])
        if descending:
            at = at[::-1]
        arrays = (block.open, block.high, block.low, block.close, block.volume, block.trades)
        columns = (at, *(array[row, at] for array in arrays), block.vwap[row, at])
        for index, o, h, lo, c, v, n, vw in zip(*(column.tolist() for column in columns), strict=True):
            ms = block.times[index]
            yield ms * 1000, bar_text(rfc3339(ms), o, h, lo, c, v, n, vw)
