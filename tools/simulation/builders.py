"""Small makers of what an Engine needs; every value can be overridden by its configuration key or argument."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.domain.market import Bar, Fundamentals, InverseEtf, Listing, Quote, Symbol, VixReading
from tbot_bot.domain.session import SessionHours
from tbot_bot.domain.settings import BotSettings
from tbot_bot.engine.context import DayContext
from tbot_bot.engine.schedule import resolve_day
from tbot_bot.ports.broker import Capabilities

DAY = date(2025, 1, 6)
OPEN = datetime(2025, 1, 6, 14, 30, tzinfo=UTC)
CLOSE = datetime(2025, 1, 6, 21, 0, tzinfo=UTC)
HOURS = SessionHours(DAY, OPEN, CLOSE)
MINUTE = timedelta(minutes=1)
PAPER = Capabilities(
    fractional=True,
    notional=True,
    short=True,
    puts=False,
    bracket=True,
    trailing=True,
    resting_stop_fractional=True,
    minimum_notional=Decimal(1),
    share_step=Decimal("0.000001"),
)
FUNDS = (
    InverseEtf(Symbol("SH"), None, Decimal(1)),
    InverseEtf(Symbol("PSQ"), None, Decimal(1)),
    InverseEtf(Symbol("SKF"), "Financials", Decimal(2)),
)


def at(minute: float, second: float = 0) -> datetime:
    """So many minutes after the open."""
    return OPEN + timedelta(minutes=minute, seconds=second)


def settings(**keys: str) -> BotSettings:
    """The defaults with some keys changed; the test fails on a bad key."""
    parsed = parse(keys, "v1.0.0")
    assert isinstance(parsed, ParsedConfig), parsed
    return parsed.bot


def listing(name: str, sector: str = "Technology", **facts: Any) -> Listing:
    symbol = Symbol(name)
    known: dict[str, Any] = {
        "market_cap": Decimal(5_000_000_000),
        "pe_ratio": Decimal(20),
        "debt_equity": Decimal(1),
        "average_volume": 2_000_000,
        "sector": sector,
    }
    shortable = facts.pop("shortable", True)
    fractionable = facts.pop("fractionable", True)
    return Listing(symbol, name, "NASDAQ", fractionable, shortable, Fundamentals(symbol, **{**known, **facts}))


def context(names: tuple[str, ...] = ("AAA",), **changes: Any) -> DayContext:
    """A winter Monday with an equity of 100,000 and VIX 20."""
    chosen: BotSettings = changes.pop("settings", None) or settings()
    hours: SessionHours = changes.pop("hours", HOURS)
    now: datetime = changes.pop("now", hours.open)
    plain: dict[str, Any] = {
        "settings": chosen,
        "plan": resolve_day(chosen, hours, now),
        "bot_id": "bot-1",
        "listings": {Symbol(name): listing(name) for name in names},
        "inverse_etfs": FUNDS,
        "capabilities": PAPER,
        "opening_equity": Decimal(100_000),
        "vix": VixReading(Decimal(20), date(2025, 1, 3)),
        "previous_session": date(2025, 1, 3),
    }
    return DayContext(**{**plain, **changes})


def bar(name: str, minute: int, close: str, *, high: str = "", low: str = "", volume: int = 10_000) -> Bar:
    """A bar of one minute after the open; without high and low it is flat at its close."""
    price = Decimal(close)
    top, bottom = Decimal(high or close), Decimal(low or close)
    middle = min(max(price, bottom), top)
    return Bar(Symbol(name), at(minute), middle, top, bottom, price, volume)


def quote(name: str, price: str, now: datetime, half_spread: str = "0.01") -> Quote:
    middle, half = Decimal(price), Decimal(half_spread)
    return Quote(Symbol(name), now, middle - half, middle + half, middle)
