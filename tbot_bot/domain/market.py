"""Market facts: symbols, bars, quotes, assets, the broker's clock, the universe's entries."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NewType

Symbol = NewType("Symbol", str)


@dataclass(frozen=True, slots=True)
class Bar:
    """One completed minute; `start` is UTC, prices USD, volume shares. Known at start + 60 s, not before."""

    symbol: Symbol
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@dataclass(frozen=True, slots=True)
class DailyBar:
    """One session's bar, prices USD, volume shares."""

    symbol: Symbol
    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@dataclass(frozen=True, slots=True)
class Quote:
    """The market in a symbol at `at` (UTC, the venue's stamp). `last` is the last trade where the source tells it.

    `halted`: the source says that trading is halted; False also where it tells nothing of halts (see Capabilities)."""

    symbol: Symbol
    at: datetime
    bid: Decimal
    ask: Decimal
    last: Decimal | None = None
    halted: bool = False

    @property
    def price(self) -> Decimal:
        """Last trade, else the middle of the quote."""
        return self.last if self.last is not None else (self.bid + self.ask) / 2

    @property
    def spread(self) -> Decimal | None:
        """(ask − bid) / mid as a fraction; None when the quote is one-sided."""
        mid = (self.bid + self.ask) / 2
        return (self.ask - self.bid) / mid if self.bid > 0 and self.ask > 0 else None


@dataclass(frozen=True, slots=True)
class Asset:
    """What the broker says of a symbol."""

    symbol: Symbol
    name: str
    exchange: str
    tradable: bool
    fractionable: bool
    shortable: bool
    easy_to_borrow: bool
    active: bool = True


@dataclass(frozen=True, slots=True)
class Fundamentals:
    """Reference data of a symbol; None means unknown. USD, shares, ratios."""

    symbol: Symbol
    market_cap: Decimal | None = None
    pe_ratio: Decimal | None = None
    debt_equity: Decimal | None = None
    average_volume: int | None = None
    sector: str | None = None
    previous_close: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol of the cached universe: eligible by exchange, market cap, price and lists."""

    symbol: Symbol
    name: str
    exchange: str
    fractionable: bool
    shortable: bool
    fundamentals: Fundamentals


@dataclass(frozen=True, slots=True)
class InverseEtf:
    """A fund that moves −leverage × its sector (None = the broad market)."""

    symbol: Symbol
    sector: str | None
    leverage: Decimal
    fractionable: bool = True


@dataclass(frozen=True, slots=True)
class VixReading:
    """The VIX's last completed close and the session it belongs to."""

    value: Decimal
    session: date


@dataclass(frozen=True, slots=True)
class BrokerClock:
    """The broker's market clock. `speed` is market seconds per real second: 1 everywhere but on the paper venue."""

    now: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime
    speed: Decimal = Decimal(1)
