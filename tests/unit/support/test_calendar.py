from datetime import UTC, date, datetime

import pytest

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.support.calendar import ExchangeCalendar

CALENDAR = ExchangeCalendar()


def test_a_half_day_closes_early() -> None:
    hours = CALENDAR.hours(date(2024, 7, 3))
    assert hours is not None
    assert hours.close == datetime(2024, 7, 3, 17, 0, tzinfo=UTC)
    assert hours.early_close


def test_the_open_moves_with_daylight_saving() -> None:
    before, after = CALENDAR.hours(date(2025, 3, 7)), CALENDAR.hours(date(2025, 3, 10))
    assert before is not None
    assert after is not None
    assert (before.open.hour, after.open.hour) == (14, 13)


def test_a_weekend_and_a_holiday_have_no_session() -> None:
    assert CALENDAR.hours(date(2026, 1, 3)) is None
    assert CALENDAR.hours(date(2026, 1, 1)) is None


def test_after_the_close_comes_the_next_session() -> None:
    assert CALENDAR.current_or_next(datetime(2026, 1, 2, 21, 0, tzinfo=UTC)).day == date(2026, 1, 5)
    assert CALENDAR.current_or_next(datetime(2026, 1, 2, 20, 59, tzinfo=UTC)).day == date(2026, 1, 2)


def test_the_session_before_a_monday_is_friday() -> None:
    assert CALENDAR.previous(date(2026, 1, 5)).day == date(2026, 1, 2)


def test_outside_its_data_the_calendar_says_so() -> None:
    with pytest.raises(DataInvalid, match="upgrade"):
        CALENDAR.hours(date(2099, 1, 2))
