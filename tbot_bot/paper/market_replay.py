"""A market played back from minute bars in a Parquet file."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.paper.market import DailyBars, Floats, Instrument, Ints, SessionBars, SessionCache, daily_from
from tbot_bot.paper.sessions import MINUTE_MS, TradingCalendar, TradingDay

COLUMNS = ("symbol", "ts_utc", "open", "high", "low", "close", "volume")
VIX = "VIX"
HALF_SPREAD = 1e-4


class ReplayFile:
    """The file's columns, checked: prices in ticks, times in milliseconds. Raises DataInvalid with what to correct."""

    def __init__(self, path: Path) -> None:
        table = _read(path)
        symbols = table["symbol"].to_pylist()
        self.symbols = sorted(set(symbols))
        rows = {symbol: row for row, symbol in enumerate(self.symbols)}
        self.row = np.fromiter((rows[symbol] for symbol in symbols), np.int64, len(symbols))
        stamps = pc.cast(table["ts_utc"], pyarrow.timestamp("ms", "UTC"))
        self.ms = pc.cast(stamps, pyarrow.int64()).to_numpy()
        self.volume = np.nan_to_num(table["volume"].to_numpy().astype(np.float64)).astype(np.int64)
        prices = np.stack([table[name].to_numpy().astype(np.float64) for name in COLUMNS[2:6]])
        self.usable = np.isfinite(prices).all(axis=0) & (prices > 0).all(axis=0)
        self.prices: Ints = np.rint(np.nan_to_num(prices) * 10_000).astype(np.int64)
        if not self.usable.any():
            raise DataInvalid(f"{path}: no row has four positive prices")
        usable_ms = self.ms[self.usable]
        self.first = _day(int(usable_ms.min()))
        self.last = _day(int(usable_ms.max()))


class ReplayMarket:
    """The file's regular-hours bars. What it cannot tell (fundamentals, flags) is unknown or permissive."""

    def __init__(self, source: ReplayFile, calendar: TradingCalendar) -> None:
        self._source = source
        self._calendar = calendar
        listed = [row for row, symbol in enumerate(source.symbols) if symbol != VIX]
        self._instruments = tuple(Instrument(source.symbols[row], source.symbols[row], "NASDAQ") for row in listed)
        self._index = {item.symbol: at for at, item in enumerate(self._instruments)}
        self._place = np.full(len(source.symbols), -1)
        self._place[listed] = np.arange(len(listed))
        self._vix_row = source.symbols.index(VIX) if VIX in source.symbols else None
        self._half_spread = np.full(len(listed), HALF_SPREAD)
        self._days = tuple(
            day.day
            for day in calendar.between(source.first, source.last)
            if (self._within(day) & (source.row != (-1 if self._vix_row is None else self._vix_row))).any()
        )
        self._sessions = SessionCache(self._build)
        self._daily: dict[date, DailyBars] = {}

    @property
    def instruments(self) -> Sequence[Instrument]:
        return self._instruments

    @property
    def index(self) -> Mapping[str, int]:
        return self._index

    @property
    def half_spread(self) -> Floats:
        return self._half_spread

    @property
    def days(self) -> Sequence[date]:
        return self._days

    def session(self, day: date) -> SessionBars:
        return self._sessions.get(day)

    def daily(self, day: date) -> DailyBars | None:
        if day not in self._days:
            return None
        if day not in self._daily:
            kept = self._sessions.peek(day)
            self._daily[day] = daily_from(kept if kept is not None else self._build(day))
        return self._daily[day]

    def vix_close(self, day: date) -> Decimal | None:
        entry = self._calendar.on(day)
        if entry is None or self._vix_row is None:
            return None
        at = np.flatnonzero(self._within(entry) & (self._source.row == self._vix_row))
        if not len(at):
            return None
        last = at[self._source.ms[at].argmax()]
        return Decimal(int(self._source.prices[3, last])) / 10_000

    def _within(self, day: TradingDay) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        ms = self._source.ms
        inside: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
            self._source.usable & (ms >= day.open_ms) & (ms < day.close_ms)
        )
        return inside

    def _build(self, day: date) -> SessionBars:
        entry = self._calendar.on(day)
        if entry is None or day not in self._days:
            raise DataInvalid(f"no bars for session {day}: the file holds {describe_days(self._days)}")
        previous = self._previous(day)
        source, shape = self._source, (len(self._instruments), entry.minutes)
        at = np.flatnonzero(self._within(entry))
        at = at[self._place[source.row[at]] >= 0]
        row, minute = self._place[source.row[at]], (source.ms[at] - entry.open_ms) // MINUTE_MS
        volume = np.zeros(shape, dtype=np.int64)
        volume[row, minute] = np.maximum(source.volume[at], 1)
        fields = [np.zeros(shape, dtype=np.int64) for _ in range(4)]
        for field, prices in zip(fields, source.prices, strict=True):
            field[row, minute] = prices[at]
        open_, high, low, close = fields
        high = np.maximum.reduce([high, open_, close])
        low = np.minimum.reduce([low, open_, close])
        close = _carry(close, volume, previous)
        quiet = volume == 0
        for field in (open_, high, low):
            field[quiet] = close[quiet]
        high_first = np.random.default_rng([entry.day.toordinal(), shape[0]]).random(shape) < 0.5
        return SessionBars(
            day, entry.open_ms, open_, high, low, close, volume, np.zeros(shape, dtype=np.bool_), high_first, previous
        )

    def _previous(self, day: date) -> Ints:
        """The last close of each symbol in the file's earlier sessions."""
        result = np.zeros(len(self._instruments), dtype=np.int64)
        at = self._days.index(day)
        if at > 0:
            before = self._daily.get(self._days[at - 1]) or daily_from(self._build(self._days[at - 1]))
            self._daily[self._days[at - 1]] = before
            result = np.where(before.volume > 0, before.close, 0)
        return result


def describe_days(days: Sequence[date]) -> str:
    """The sessions of a file for an error text, shortened when many."""
    if not days:
        return "no regular session at all"
    names = [day.isoformat() for day in days]
    if len(names) > 12:
        names = [*names[:6], "…", *names[-3:], f"{len(names)} sessions"]
    return ", ".join(names)


def _carry(close: Ints, volume: Ints, previous: Ints) -> Ints:
    """Fills minutes without a bar with the last close known then; 0 while none is known."""
    minutes = np.arange(close.shape[1])
    last = np.maximum.accumulate(np.where(volume > 0, minutes, -1), axis=1)
    taken = np.take_along_axis(close, np.maximum(last, 0), axis=1)
    carried: Ints = np.where(last >= 0, taken, previous[:, None])
    return carried


def _day(ms: int) -> date:
    return (np.datetime64(ms, "ms")).astype("datetime64[D]").astype(date)  # type: ignore[no-any-return]


def _read(path: Path) -> pyarrow.Table:
    try:
        table = pq.read_table(path)
    except (OSError, pyarrow.ArrowException) as e:
        raise DataInvalid(f"replay file {path} cannot be read as Parquet: {e}") from e
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataInvalid(f"replay file {path} lacks the columns {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    if not pyarrow.types.is_timestamp(table.schema.field("ts_utc").type):
        raise DataInvalid(f"replay file {path}: ts_utc must be a timestamp column in UTC")
    if table.num_rows == 0:
        raise DataInvalid(f"replay file {path} has no rows")
    return table
