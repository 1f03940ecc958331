from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tbot_bot.backtest.calendar import sessions_between
from tbot_bot.backtest.history import read_history
from tbot_bot.domain.errors import DataInvalid
from tests.unit.backtest.bars import DAYS, day_of, opening, write

SESSIONS = sessions_between(DAYS[0], DAYS[-1])


def test_sessions_know_summer_winter_and_half_days() -> None:
    by_day = {hours.day: hours for hours in sessions_between(date(2024, 7, 1), date(2024, 12, 2))}
    half = by_day[date(2024, 7, 3)]
    assert (half.close, half.early_close) == (datetime(2024, 7, 3, 17, tzinfo=UTC), True)
    assert by_day[date(2024, 12, 2)].open == datetime(2024, 12, 2, 14, 30, tzinfo=UTC)
    assert date(2024, 7, 4) not in by_day


def test_bars_are_cut_into_regular_sessions(tmp_path: Path) -> None:
    early = ("AAA", opening(DAYS[0]) - timedelta(minutes=5), 50.0, 50.0, 50.0, 50.0, 10)
    late = ("AAA", opening(DAYS[0]) + timedelta(minutes=390), 50.0, 50.0, 50.0, 50.0, 10)
    path = write(tmp_path / "a.parquet", [early, *day_of("AAA", DAYS[0], {}), late, *day_of("AAA", DAYS[2], {})])
    history = read_history(path, SESSIONS)
    assert [session.hours.day for session in history.sessions] == [DAYS[0], DAYS[2]]
    assert [len(session.minutes) for session in history.sessions] == [390, 390]
    assert history.left_out == 2


def test_a_bar_after_an_early_close_is_left_out(tmp_path: Path) -> None:
    day = date(2024, 7, 3)
    rows = [(name, start - timedelta(hours=1), *rest) for name, start, *rest in day_of("AAA", day, {}, minutes=240)]
    history = read_history(write(tmp_path / "a.parquet", rows), sessions_between(day, day))
    assert (len(history.sessions[0].minutes), history.left_out) == (210, 30)


def test_prices_are_exact_ticks(tmp_path: Path) -> None:
    row = ("AAA", opening(DAYS[0]), 50.1, 50.30004, 50.0, 50.2, 10)
    history = read_history(write(tmp_path / "a.parquet", [row]), SESSIONS)
    bar = history.sessions[0].minutes[opening(DAYS[0])]["AAA"]  # type: ignore[index]
    assert (bar.open, bar.high, bar.close) == (Decimal("50.1"), Decimal("50.3"), Decimal("50.2"))


AT = opening(DAYS[0])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("", AT, 1.0, 1.0, 1.0, 1.0, 1), "the symbol is missing"),
        (("A", None, 1.0, 1.0, 1.0, 1.0, 1), "has no time"),
        (("A", AT + timedelta(seconds=30), 1.0, 1.0, 1.0, 1.0, 1), "does not start on a minute"),
        (("A", AT, float("nan"), 1.0, 1.0, 1.0, 1), "missing, not finite or not above 0"),
        (("A", AT, None, 1.0, 1.0, 1.0, 1), "missing, not finite or not above 0"),
        (("A", AT, 1.0, 1.0, 0.0, 1.0, 1), "missing, not finite or not above 0"),
        (("A", AT, 2.0, 1.5, 1.0, 1.2, 1), "outside low and high"),
        (("A", AT, 1.2, 1.5, 1.3, 1.4, 1), "outside low and high"),
        (("A", AT, 1.0, 1.0, 1.0, 1.0, -1), "no whole number of shares"),
        (("A", AT, 1.0, 1.0, 1.0, 1.0, None), "no whole number of shares"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: tuple[Any, ...], words: str) -> None:
    path = write(tmp_path / "bad.parquet", [*day_of("AAA", DAYS[0], {}, minutes=3), row])
    with pytest.raises(DataInvalid, match=rf"bad\.parquet: row 4: .*{words}"):
        read_history(path, SESSIONS)


def test_a_second_bar_of_the_same_minute_is_refused(tmp_path: Path) -> None:
    rows = day_of("AAA", DAYS[0], {}, minutes=3)
    with pytest.raises(DataInvalid, match="row 4: AAA has a second bar at 2025-01-06 14:31"):
        read_history(write(tmp_path / "a.parquet", [*rows, rows[1]]), SESSIONS)


def test_five_minute_bars_are_not_taken_for_thin_minutes(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="no two bars are one minute apart"):
        read_history(write(tmp_path / "a.parquet", day_of("AAA", DAYS[0], {})[::5]), SESSIONS)


def test_a_missing_column_and_a_time_without_zone_are_named(tmp_path: Path) -> None:
    rows = day_of("AAA", DAYS[0], {}, minutes=3)
    with pytest.raises(DataInvalid, match="lacks the columns close"):
        read_history(write(tmp_path / "a.parquet", rows, close=None), SESSIONS)
    naive = pa.array([row[1].replace(tzinfo=None) for row in rows], pa.timestamp("ms"))
    with pytest.raises(DataInvalid, match="must be a timestamp with a zone"):
        read_history(write(tmp_path / "a.parquet", rows, ts_utc=naive), SESSIONS)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("symbol,ts_utc")
    for name in ("a.parquet", "none.parquet"):
        with pytest.raises(DataInvalid, match="cannot be read as Parquet"):
            read_history(tmp_path / name, SESSIONS)
