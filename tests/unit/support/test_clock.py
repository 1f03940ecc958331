import time
from datetime import UTC, datetime, timedelta

from tbot_bot.support.clock import FollowedClock, SystemClock

AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def test_the_wall_clock_is_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_followed_clock_runs_at_the_venues_speed() -> None:
    clock = FollowedClock()
    clock.sample(AT, 1000.0)
    time.sleep(0.05)
    assert timedelta(seconds=49) < clock.now() - AT < timedelta(seconds=5000)


def test_a_followed_clock_never_goes_back() -> None:
    clock = FollowedClock()
    clock.sample(AT, 1.0)
    shown = clock.now()
    clock.sample(AT - timedelta(minutes=5), 1.0)
    assert clock.now() >= shown
