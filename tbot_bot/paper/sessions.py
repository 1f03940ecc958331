"""The sessions a venue trades, from the exchange's calendar."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import exchange_calendars

MINUTE_MS = 60_000
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class TradingDay:
    """One regular session; `open_ms`, `close_ms` in milliseconds since the epoch."""

    day: date
    open_ms: int
    close_ms: int

    @property
    def minutes(self) -> int:
        return (self.close_ms - self.open_ms) // MINUTE_MS


class TradingCalendar:
    """XNYS sessions from `first` to `last`, half days included."""

    def __init__(self, first: date, last: date) -> None:
        calendar = exchange_calendars.get_calendar("XNYS", start=first.isoformat(), end=last.isoformat())
        opens: list[int] = (
            calendar.opens.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype("int64").tolist()
        )
        closes: list[int] = (
            calendar.closes.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype("int64").tolist()
        )
        dates = [stamp.date() for stamp in calendar.sessions]
        self.days: tuple[TradingDay, ...] = tuple(
            TradingDay(day, opened, closed) for day, opened, closed in zip(dates, opens, closes, strict=True)
        )
        self._dates = dates
        self._opens = opens
        self._closes = closes

    def position(self, day: date) -> int:
        """Index of the first session on or after `day`."""
        return bisect_left(self._dates, day)

    def on(self, day: date) -> TradingDay | None:
        at = self.position(day)
        return self.days[at] if at < len(self.days) and self._dates[at] == day else None

    def between(self, first: date, last: date) -> Sequence[TradingDay]:
        return self.days[bisect_left(self._dates, first) : bisect_right(self._dates, last)]

    def before(self, day: date, count: int) -> Sequence[TradingDay]:
        """Up to `count` sessions that end before `day`, oldest first."""
        at = self.position(day)
        return self.days[max(0, at - count) : at]

    def next_open_ms(self, now_ms: int) -> int:
        return self._opens[min(bisect_right(self._opens, now_ms), len(self._opens) - 1)]

    def next_close_ms(self, now_ms: int) -> int:
        return self._closes[min(bisect_right(self._closes, now_ms), len(self._closes) - 1)]


def calendar_around(first: date, last: date | None = None) -> TradingCalendar:
    """Two years of history and ten of future, or up to a year after `last`."""
    end = (last + timedelta(days=365)) if last else (first + timedelta(days=3650))
    return TradingCalendar(first - timedelta(days=730), end)


def utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def rfc3339(ms: int) -> str:
    """`2026-01-05T14:30:00.123Z`, the form the market data API uses."""
    stamp = utc(ms)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S") + (f".{ms % 1000:03d}Z" if ms % 1000 else "Z")


def midnight_ms(day: date) -> int:
    """Midnight in New York: the timestamp of a daily bar."""
    return int(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp() * 1000)


def completed_minutes(day: TradingDay, after_ms: int, until_ms: int) -> range:
    """Minutes of the session that end inside (after, until]."""
    first = max(0, (after_ms - day.open_ms) // MINUTE_MS)
    last = min(day.minutes, (until_ms - day.open_ms) // MINUTE_MS)
    return range(first, max(first, last))
