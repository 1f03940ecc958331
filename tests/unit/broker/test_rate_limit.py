import pytest

from tbot_bot.broker.rate_limit import Budget, Urgency


class Time:
    """Monotonic time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def budget(time: Time, per_minute: int = 10, speed: float = 1.0) -> Budget:
    return Budget(per_minute, lambda: speed, monotonic=time.monotonic, sleep=time.sleep)


def drain(made: Budget, urgency: Urgency) -> int:
    taken = 0
    while taken < 1000 and made.take(urgency, 0.0):
        taken += 1
    return taken


def test_routine_requests_leave_the_reserve_to_exits(time: Time) -> None:
    made = budget(time)
    assert drain(made, Urgency.ROUTINE) == 8
    assert made.take(Urgency.URGENT, 0.0)
    assert time.now == 0.0


def test_a_routine_request_waits_for_room_or_gives_up(time: Time) -> None:
    made = budget(time)
    drain(made, Urgency.ROUTINE)
    assert not made.take(Urgency.ROUTINE, 1.0)
    assert time.now == 0.0
    assert made.take(Urgency.ROUTINE, 61.0)
    assert 60.0 < time.now < 60.1


def test_an_exit_is_never_held_back_for_long(time: Time) -> None:
    made = budget(time)
    made.learn(None, 0)
    assert made.take(Urgency.URGENT, 60.0)
    assert time.now <= 1.0


def test_what_was_sent_anyway_counts_too(time: Time) -> None:
    made = budget(time)
    assert drain(made, Urgency.URGENT) == 1000
    time.now += 59
    assert drain(made, Urgency.ROUTINE) == 0
    time.now += 2
    assert drain(made, Urgency.ROUTINE) == 8


def test_a_fast_market_has_shorter_minutes(time: Time) -> None:
    made = budget(time, speed=60.0)
    drain(made, Urgency.ROUTINE)
    assert made.take(Urgency.ROUTINE, 1.1)
    assert 1.0 < time.now < 1.1


def test_messages_a_second_are_a_budget_too(time: Time) -> None:
    made = Budget(50, lambda: 1.0, seconds=1.0, monotonic=time.monotonic, sleep=time.sleep)
    assert drain(made, Urgency.ROUTINE) == 40
    assert made.take(Urgency.URGENT, 0.0, weight=10)
    assert not made.take(Urgency.ROUTINE, 0.9)
    assert made.take(Urgency.ROUTINE, 1.1)


def test_a_heavy_request_waits_for_all_its_room(time: Time) -> None:
    made = budget(time)
    made.take(Urgency.ROUTINE, 0.0, weight=5)
    time.now += 30
    assert not made.take(Urgency.ROUTINE, 0.0, weight=4)
    assert made.take(Urgency.ROUTINE, 31.0, weight=4)
    assert 60.0 < time.now < 60.1


def test_one_heavier_than_the_budget_takes_all_of_it(time: Time) -> None:
    made = budget(time)
    assert made.take(Urgency.ROUTINE, 0.0, weight=500)
    assert drain(made, Urgency.ROUTINE) == 0


def test_a_clock_that_stands_still_does_not_stop_the_budget(time: Time) -> None:
    made = budget(time, speed=0.0)
    drain(made, Urgency.ROUTINE)
    assert made.take(Urgency.ROUTINE, 61.0)


def test_the_brokers_headers_are_believed(time: Time) -> None:
    made = budget(time, per_minute=200)
    made.learn(100, 30)
    assert drain(made, Urgency.ROUTINE) == 10


def test_remaining_never_adds_to_what_is_left(time: Time) -> None:
    made = budget(time)
    drain(made, Urgency.ROUTINE)
    made.learn(10, 10)
    assert not made.take(Urgency.ROUTINE, 0.0)


def test_headers_without_sense_change_nothing(time: Time) -> None:
    made = budget(time)
    made.learn(0, -5)
    assert drain(made, Urgency.ROUTINE) == 8


def test_what_others_sent_is_forgotten_when_the_broker_begins_anew(time: Time) -> None:
    made = budget(time)
    made.learn(10, 0, 20.0)
    assert not made.take(Urgency.ROUTINE, 15.0)
    assert made.take(Urgency.ROUTINE, 21.0)
    assert 20.0 < time.now < 20.1


def test_a_reset_without_sense_is_a_window_at_most(time: Time) -> None:
    made = budget(time)
    made.learn(10, 0, 1e12)
    assert made.take(Urgency.ROUTINE, 61.0)
    made.learn(10, 0, -3.0)
    assert made.take(Urgency.ROUTINE, 0.0)
