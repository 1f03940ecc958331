"""What a market is to the exchange: instruments and sessions of minute bars."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

import numpy as np
import numpy.typing as npt

TICKS_PER_DOLLAR = 10_000
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_ASSET_NAMESPACE = uuid.UUID("6f1c2a52-6a0e-4f0e-9a43-7a8d1f0c5b11")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One listed security. None where the market cannot tell."""

    symbol: str
    name: str
    exchange: str
    sector: str | None = None
    market_cap: int | None = None
    pe_ratio: Decimal | None = None
    debt_equity: Decimal | None = None
    tradable: bool = True
    shortable: bool = True
    easy_to_borrow: bool = True
    fractionable: bool = True
    marginable: bool = True

    @property
    def asset_id(self) -> str:
        return str(uuid.uuid5(_ASSET_NAMESPACE, self.symbol))


@dataclass(frozen=True, slots=True)
class SessionBars:
    """One session: arrays [symbol, minute], prices in ticks (1/10000 USD), volume in shares.

    Volume 0 means that there is no bar: its prices carry the last one (0 while none is known). `halted` marks the
    minutes of a trading halt, `high_first` those that run open, high, low, close rather than open, low, high, close.
    `previous_close` [symbol] in ticks, 0 when unknown.
    """

    day: date
    open_ms: int
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    halted: Bools
    high_first: Bools
    previous_close: Ints

    @property
    def minutes(self) -> int:
        return int(self.open.shape[1])


@dataclass(frozen=True, slots=True)
class DailyBars:
    """One session's daily bars: arrays [symbol]; volume 0 means that there is none."""

    day: date
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    vwap: Floats
    trades: Ints


class SessionCache:
    """The sessions used last; histories are read in threads beside the loop that uses the present one."""

    def __init__(self, build: Callable[[date], SessionBars], kept: int = 4) -> None:
        self._build = build
        self._kept = kept
        self._lock = threading.Lock()
        self._sessions: OrderedDict[date, SessionBars] = OrderedDict()

    def get(self, day: date) -> SessionBars:
        found = self.peek(day)
        if found is None:
            found = self._build(day)
            with self._lock:
                self._sessions[day] = found
                while len(self._sessions) > self._kept:
                    self._sessions.popitem(last=False)
        return found

    def peek(self, day: date) -> SessionBars | None:
        """None unless the session is at hand."""
        with self._lock:
            if day in self._sessions:
                self._sessions.move_to_end(day)
            return self._sessions.get(day)


class Market(Protocol):
    @property
    def instruments(self) -> Sequence[Instrument]: ...

    @property
    def index(self) -> Mapping[str, int]:
        """Row of each symbol in every array."""
        ...

    @property
    def half_spread(self) -> Floats:
        """Half the spread as a fraction of the price [symbol]."""
        ...

    @property
    def days(self) -> Sequence[date]:
        """The sessions that can be traded, oldest first."""
        ...

    def session(self, day: date) -> SessionBars: ...

    def daily(self, day: date) -> DailyBars | None:
        """None for a session without data."""
        ...

    def vix_close(self, day: date) -> Decimal | None:
        """The volatility index at the close of `day`."""
        ...


def asset_id(market: Market, symbol: str) -> str:
    return market.instruments[market.index[symbol]].asset_id


@dataclass(frozen=True, slots=True)
class RunningTotals:
    """A session up to and including each minute [symbol, minute]: highest, lowest, shares, price times shares in ticks,
    and the last minute that has a bar (-1 for none); `first` [symbol] is the first minute that has one.
    """

    high: Ints
    low: Ints
    volume: Ints
    notional: Floats
    last: Ints
    first: Ints


def running_totals(bars: SessionBars) -> RunningTotals:
    traded = bars.volume > 0
    typical = (bars.high + bars.low + bars.close) / 3.0
    return RunningTotals(
        np.maximum.accumulate(np.where(traded, bars.high, 0), axis=1),
        np.minimum.accumulate(np.where(traded, bars.low, np.iinfo(np.int64).max), axis=1),
        bars.volume.cumsum(axis=1),
        (typical * bars.volume).cumsum(axis=1),
        np.maximum.accumulate(np.where(traded, np.arange(traded.shape[1]), -1), axis=1),
        traded.argmax(axis=1),
    )


def daily_from(bars: SessionBars) -> DailyBars:
    traded = bars.volume > 0
    rows = np.arange(traded.shape[0])
    first = traded.argmax(axis=1)
    last = traded.shape[1] - 1 - traded[:, ::-1].argmax(axis=1)
    volume = bars.volume.sum(axis=1)
    typical = (bars.high + bars.low + bars.close) / 3.0
    notional = (typical * bars.volume).sum(axis=1)
    return DailyBars(
        bars.day,
        bars.open[rows, first],
        np.where(traded, bars.high, 0).max(axis=1),
        np.where(traded, bars.low, np.iinfo(np.int64).max).min(axis=1),
        bars.close[rows, last],
        volume,
        notional / np.maximum(volume, 1),
        trade_counts(volume),
    )


def trade_counts(volume: Ints) -> Ints:
    """Prints behind a volume, at about eighty shares each."""
    counts: Ints = np.maximum(volume // 80, np.minimum(volume, 1))
    return counts
