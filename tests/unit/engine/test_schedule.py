from datetime import UTC, date, datetime, timedelta
from typing import Any

import exchange_calendars
import pytest

from tbot_bot.domain.session import SessionHours, StrategyName
from tbot_bot.engine.schedule import resolve_day
from tools.simulation.builders import settings

XNYS = exchange_calendars.get_calendar("XNYS")


def hours(day: str) -> SessionHours:
    opened, closed = XNYS.session_open(day).to_pydatetime(), XNYS.session_close(day).to_pydatetime()
    return SessionHours(date.fromisoformat(day), opened, closed, (closed - opened) < timedelta(hours=6))


def times(day: str, **keys: Any) -> dict[str, str]:
    found = resolve_day(settings(**keys), hours(day), hours(day).open)
    return {w.strategy: f"{w.start:%H:%M} {w.analysis_end:%H:%M} {w.breakout_end:%H:%M}" for w in found.windows}


def skipped(day: str, now: datetime | None = None, **keys: Any) -> dict[str, str]:
    found = resolve_day(settings(**keys), hours(day), now or hours(day).open)
    return {s.strategy: s.reason for s in found.skipped}


def test_a_winter_day_is_as_written() -> None:
    assert times("2025-01-06") == {
        "open": "14:30 14:50 15:00",
        "mid": "15:30 15:45 15:55",
        "close": "19:30 19:35 19:40",
    }


def test_the_first_monday_of_summer_time_starts_an_hour_earlier() -> None:
    assert times("2025-03-10")["open"] == "13:30 13:50 14:00"
    assert times("2025-03-07")["open"].startswith("14:30")


def test_a_half_day_moves_the_close_strategy() -> None:
    assert hours("2024-07-03").close == datetime(2024, 7, 3, 17, tzinfo=UTC)
    assert times("2024-07-03")["close"] == "15:30 15:35 15:40"
    assert times("2024-11-29")["close"].startswith("16:30")


@pytest.mark.parametrize("day", [s.date().isoformat() for s in XNYS.sessions_in_range("2024-01-02", "2025-12-31")])
def test_every_session_of_two_years_fits(day: str) -> None:
    found = resolve_day(settings(), hours(day), hours(day).open)
    assert [w.strategy for w in found.windows] == list(StrategyName)
    assert found.windows[0].start == found.hours.open
    assert found.windows[2].start == found.hours.close - timedelta(minutes=90)
    assert all(w.breakout_end <= found.flat_by < found.hours.close for w in found.windows)


def test_utc_anchor_takes_times_literally_and_skips_what_does_not_fit() -> None:
    assert times("2025-07-01", SCHEDULE_ANCHOR="utc")["open"].startswith("14:30")
    assert "too late to be flat" in skipped("2024-07-03", SCHEDULE_ANCHOR="utc")["close"]
    early = skipped("2025-01-06", SCHEDULE_ANCHOR="utc", START_TIME_OPEN="14:00")
    assert early["open"] == "starts 14:00 UTC, before the open at 14:30"


def test_a_window_whose_breakout_is_over_is_too_late() -> None:
    end = datetime(2025, 1, 6, 15, 0, tzinfo=UTC)
    assert "too late today" in skipped("2025-01-06", end)["open"]
    assert "open" not in skipped("2025-01-06", end - timedelta(seconds=1))


def test_trading_days_sequence_override_and_switches() -> None:
    assert "TRADING_DAYS" in skipped("2025-01-06", TRADING_DAYS="tue,wed")["mid"]
    assert skipped("2025-01-06", STRAT_MID_ENABLED="false")["mid"] == "switched off (STRAT_MID_ENABLED)"
    assert skipped("2025-01-06", STRATEGY_SEQUENCE="open,close")["mid"] == "not in STRATEGY_SEQUENCE"
    alone = skipped("2025-01-06", STRATEGY_OVERRIDE="mid")
    assert alone == {"open": "STRATEGY_OVERRIDE runs mid alone", "close": "STRATEGY_OVERRIDE runs mid alone"}


def test_windows_come_in_time_order_whatever_the_sequence() -> None:
    found = times("2025-01-06", STRATEGY_SEQUENCE="close,mid,open")
    assert list(found) == ["open", "mid", "close"]
