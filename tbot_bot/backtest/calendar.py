"""Sessions of the New York Stock Exchange, from exchange_calendars."""

from datetime import UTC, date, timedelta

import exchange_calendars

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.session import SessionHours

EXCHANGE = "XNYS"
WARM_UP = timedelta(days=40)
_NORMAL_DAY = timedelta(hours=6, minutes=30)


def sessions_between(first: date, last: date) -> tuple[SessionHours, ...]:
    """All sessions from 40 days before `first`, so that averages are known, to `last`. Raises DataInvalid."""
    try:
        calendar = exchange_calendars.get_calendar(EXCHANGE, start=(first - WARM_UP).isoformat(), end=last.isoformat())
    except (ValueError, exchange_calendars.errors.CalendarError) as error:
        raise DataInvalid(f"the exchange calendar does not know {first} to {last}: {error}") from error
    return tuple(
        SessionHours(
            day=session.date(),
            open=row["open"].to_pydatetime().astimezone(UTC),
            close=row["close"].to_pydatetime().astimezone(UTC),
            early_close=row["close"] - row["open"] < _NORMAL_DAY,
        )
        for session, row in calendar.schedule.iterrows()
    )
