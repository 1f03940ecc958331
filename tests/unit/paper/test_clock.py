from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.paper.clock import VirtualClock
from tbot_bot.paper.sessions import MINUTE_MS, TradingDay, calendar_around, rfc3339
from tests.unit.paper.test_market_synthetic import FIRST


class Real:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def days() -> list[TradingDay]:
    return list(calendar_around(FIRST).between(FIRST, FIRST.replace(day=20)))


def make(
    days: list[TradingDay], real: Real, saved: list[int], begin: int | None = None, speed: int = 60
) -> VirtualClock:
    start = days[0].open_ms - 5 * MINUTE_MS if begin is None else begin
    return VirtualClock(days, 5, Decimal(speed), real, saved.append, start, True)


def test_time_runs_at_its_speed(days: list[TradingDay]) -> None:
    real = Real()
    clock = make(days, real, [])
    start = clock.now_ms()
    real.seconds += 10
    assert clock.now_ms() - start == 600_000
    clock.set_speed(Decimal(1))
    real.seconds += 10
    assert clock.now_ms() - start == 610_000


def test_nights_and_weekends_are_skipped(days: list[TradingDay]) -> None:
    real = Real()
    clock = make(days, real, [])
    clock.skip_to(days[4].close_ms + 2 * MINUTE_MS - 1)
    assert rfc3339(clock.now_ms()) == "2026-01-09T21:01:59.999Z"
    real.seconds += 1
    assert rfc3339(clock.now_ms()) == "2026-01-12T14:25:59.999Z"


def test_after_the_last_session_time_stands_still(days: list[TradingDay]) -> None:
    real = Real()
    clock = make(days, real, [])
    real.seconds += 10_000_000
    assert clock.now_ms() == days[-1].close_ms + 2 * MINUTE_MS


def test_it_pauses_and_runs_on(days: list[TradingDay]) -> None:
    real = Real()
    clock = make(days, real, [])
    clock.pause()
    start = clock.now_ms()
    real.seconds += 50
    assert clock.now_ms() == start
    clock.run()
    real.seconds += 1
    assert clock.now_ms() == start + 60_000


def test_it_only_skips_forward(days: list[TradingDay]) -> None:
    clock = make(days, Real(), [])
    assert clock.skip_to(days[0].open_ms)
    assert not clock.skip_to(days[0].open_ms - 1)
    assert clock.now_ms() == days[0].open_ms


@given(steps=st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=30), speed=st.integers(1, 5000))
def test_no_time_is_served_that_was_not_saved_before_and_restarts_never_go_back(
    days: list[TradingDay], steps: list[tuple[float, bool]], speed: int
) -> None:
    real, saved = Real(), []
    clock = make(days, real, saved, speed=speed)
    latest = 0
    for seconds, killed in steps:
        real.seconds += seconds
        if killed:
            clock = make(days, real, saved, saved[-1], speed)
        now = clock.now_ms()
        assert latest <= now <= saved[-1]
        latest = now
