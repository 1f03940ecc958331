"""What an account was worth: found again from its executions and the market's prices."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tbot_bot.paper.book import ZERO, Account, Fill
from tbot_bot.paper.refusal import Refusal, invalid
from tbot_bot.paper.sessions import MINUTE_MS, NEW_YORK, TradingDay, utc
from tbot_bot.paper.venue import Venue

FRAMES = {"1Min": 1, "5Min": 5, "15Min": 15, "1H": 60, "1D": 0}
"""Minutes between two points; 0 is one point a session."""
_PERIOD_DAYS = {"D": 1, "W": 7, "M": 30, "A": 365}
MAX_POINTS = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """Sessions to show, oldest first; `resets`: profit counts from the previous close, else from the beginning."""

    days: tuple[TradingDay, ...]
    timeframe: str
    end_ms: int
    resets: bool


def read_question(venue: Venue, query: Mapping[str, str], now_ms: int) -> Question | Refusal:
    try:
        first, last = _range(venue, query, now_ms)
    except OverflowError:
        return invalid("start, end and period lie beyond the calendar")
    except ValueError as e:
        return invalid(str(e))
    length = (last - first).days + 1
    timeframe = query.get("timeframe") or ("1Min" if length < 7 else "15Min" if length < 30 else "1D")
    if timeframe not in FRAMES:
        return invalid(f"invalid timeframe: {timeframe[:20]}")
    longest = {"1Min": 7, "5Min": 31, "15Min": 31}.get(timeframe, 10_000)
    if length > longest:
        return invalid(f"timeframe {timeframe} is only for periods of at most {longest} days")
    if query.get("intraday_reporting", "market_hours") not in ("market_hours", "extended_hours", "continuous"):
        return invalid("intraday_reporting must be market_hours, extended_hours or continuous")
    reset = query.get("pnl_reset") or "per_day"
    if reset not in ("per_day", "no_reset"):
        return invalid("pnl_reset must be per_day or no_reset")
    days = tuple(day for day in venue.view.days if first <= day.day <= last and day.open_ms <= now_ms)
    return Question(days, timeframe, now_ms, reset == "per_day")


def _range(venue: Venue, query: Mapping[str, str], now_ms: int) -> tuple[date, date]:
    """First and last date; raises ValueError with words."""
    end = query.get("end") or query.get("date_end")
    last = _date(end) if end else venue.view.day(now_ms).day
    start, period = query.get("start"), query.get("period")
    if start and end and period:
        raise ValueError("use only two of start, end and period")
    if period == "all":
        return date.min, last
    found = re.fullmatch(r"([1-9]\d{0,2})([DWMA])", period or "1M")
    if found is None:
        raise ValueError(f"invalid period: {str(period)[:20]}")
    length = timedelta(days=int(found[1]) * _PERIOD_DAYS[found[2]] - 1)
    if start:
        first = _date(start)
        return first, last if end or not period else first + length
    return last - length, last


def _date(text: str) -> date:
    try:
        stamp = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError(f"invalid time: {text[:40]}") from None
    return stamp.date() if len(text) == 10 or stamp.tzinfo is None else stamp.astimezone(NEW_YORK).date()


def portfolio_history(venue: Venue, account: Account, question: Question, now_ms: int) -> dict[str, Any]:
    """Points in time order; before the account was opened it is worth nothing."""
    moments = [(day, at) for day in question.days for at in _moments(day, question, now_ms)][-MAX_POINTS:]
    first_open = question.days[0].open_ms if question.days else now_ms
    fills = [fill for fill in venue.exchange.fills if fill.account == account.id]
    base_ms = max(account.created_ms, first_open - 1)
    # Of the account's money only executions move it, so that its beginning follows from its present.
    opening = account.cash + sum((_paid(fill) for fill in fills), ZERO)
    walk = _Walk(venue, opening, fills)
    base = before = walk.equity(first_open - 1) if base_ms == first_open - 1 else opening
    stamps: list[int] = []
    equities: list[Decimal] = []
    profits: list[Decimal] = []
    percents: list[Decimal | None] = []
    previous: TradingDay | None = None
    for day, (shown, at) in moments:
        if question.resets and previous is not None and day is not previous and equities:
            before = equities[-1]
        previous = day
        value = walk.equity(at) if at >= account.created_ms else ZERO
        from_base = before if question.resets else base
        profit = value - from_base if at >= account.created_ms else ZERO
        stamps.append(shown // 1000)
        equities.append(value)
        profits.append(profit)
        percents.append(profit / from_base if from_base else None)
    return {
        "timestamp": stamps,
        "equity": [_number(value, 2) for value in equities],
        "profit_loss": [_number(value, 2) for value in profits],
        "profit_loss_pct": [None if value is None else _number(value, 8) for value in percents],
        "base_value": _number(base, 2),
        "base_value_asof": utc(base_ms).astimezone(NEW_YORK).date().isoformat(),
        "timeframe": question.timeframe,
        "cashflow": {},
    }


def _moments(day: TradingDay, question: Question, now_ms: int) -> Iterable[tuple[int, int]]:
    """(the time that a point shows, the instant it is measured at) in ms."""
    step = FRAMES[question.timeframe]
    if step == 0:
        yield day.open_ms, min(day.close_ms, now_ms)
        return
    for at in range(day.open_ms, min(day.close_ms, now_ms) + 1, step * MINUTE_MS):
        yield at, at


def _paid(fill: Fill) -> Decimal:
    return fill.qty * fill.price if fill.side == "buy" else -fill.qty * fill.price


def _number(value: Decimal, places: int) -> float:
    return float(round(value, places))


class _Walk:
    """Cash and shares as of instants that only go forward."""

    def __init__(self, venue: Venue, opening: Decimal, fills: list[Fill]) -> None:
        self._view = venue.view
        self._fills = fills
        self._next = 0
        self._cash = opening
        self._held: dict[str, Decimal] = {}
        self._last: dict[str, Decimal] = {}

    def equity(self, at_ms: int) -> Decimal:
        while self._next < len(self._fills) and self._fills[self._next].time_ms <= at_ms:
            fill = self._fills[self._next]
            self._cash -= _paid(fill)
            signed = fill.qty if fill.side == "buy" else -fill.qty
            self._held[fill.symbol] = self._held.get(fill.symbol, ZERO) + signed
            self._last[fill.symbol] = fill.price
            self._next += 1
        return self._cash + sum(
            (
                qty * (self._view.price(symbol, at_ms) or self._last[symbol])
                for symbol, qty in self._held.items()
                if qty
            ),
            ZERO,
        )
