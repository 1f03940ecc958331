"""Sessions of the New York Stock Exchange, from the exchange_calendars package."""

from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import exchange_calendars

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.session import SessionHours

_NORMAL_MINUTES = 390
ALARM_DAYS = 60


class ExchangeCalendar:
    """XNYS sessions between two years; all times UTC."""

    def __init__(self, first: date = date(2005, 1, 3)) -> None:
        self._first = first

    @cached_property
    def _calendar(self) -> Any:
        return exchange_calendars.get_calendar("XNYS", start=self._first.isoformat())

    @property
    def last_day(self) -> date:
        """The last session the data knows; alarm when it is under 60 days away."""
        return date.fromisoformat(self._calendar.last_session.date().isoformat())

    def hours(self, day: date) -> SessionHours | None:
        """The session of `day`; None when the exchange is closed. Raises DataInvalid outside the data."""
        if not self._first <= day <= self.last_day:
            raise DataInvalid(f"the exchange calendar does not reach {day}; upgrade the exchange-calendars package")
        if not self._calendar.is_session(day.isoformat()):
            return None
        opened = self._calendar.session_open(day.isoformat()).to_pydatetime().astimezone(UTC)
        closed = self._calendar.session_close(day.isoformat()).to_pydatetime().astimezone(UTC)
        return SessionHours(day, opened, closed, closed - opened < timedelta(minutes=_NORMAL_MINUTES))

    def current_or_next(self, now: datetime) -> SessionHours:
        """The session that runs at `now`, else the next one."""
        day = now.astimezone(UTC).date()
        while True:
            hours = self.hours(day)
            if hours is not None and now < hours.close:
                return hours
            day += timedelta(days=1)

    def previous(self, day: date) -> SessionHours:
        """The last session before `day`."""
        while True:
            day -= timedelta(days=1)
            hours = self.hours(day)
            if hours is not None:
                return hours
