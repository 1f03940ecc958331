from decimal import Decimal

from tbot_bot.strategy import open as kernel
from tbot_bot.strategy.indicators import Range

OPENING = Range(high=102_000, low=100_000)
BUFFER = 20_000


def test_a_close_at_the_threshold_is_no_signal() -> None:
    assert kernel.signal(104_040, OPENING, BUFFER) == 0
    assert kernel.signal(104_041, OPENING, BUFFER) == 1


def test_a_close_under_the_low_is_bearish() -> None:
    assert kernel.signal(98_000, OPENING, BUFFER) == 0
    assert kernel.signal(97_999, OPENING, BUFFER) == -1


def test_the_stop_is_the_nearer_of_range_and_percentage() -> None:
    assert kernel.stop_distance(1, 104_100, OPENING, Decimal("0.02")) == Decimal("0.02")
    assert kernel.stop_distance(1, 100_500, OPENING, Decimal("0.02")) == Decimal(500) / 100_500
    assert kernel.stop_distance(-1, 101_500, OPENING, Decimal("0.02")) == Decimal(500) / 101_500


def test_the_target_is_a_multiple_of_the_stop() -> None:
    assert kernel.target_distance(Decimal("0.02"), Decimal(2)) == Decimal("0.04")


def test_relative_volume_compares_with_an_even_day() -> None:
    assert kernel.relative_volume(200_000, 1_950_000, 20, 390) == 2.0
    assert kernel.relative_volume(200_000, None, 20, 390) == 1.0


def test_score_grows_with_volume_and_move() -> None:
    assert kernel.score(2.0, 100_000, 105_000) > kernel.score(1.0, 100_000, 105_000) > 0
    assert kernel.score(1.0, 100_000, 95_000) == kernel.score(1.0, 100_000, 105_000)


def test_reach_names_the_nearer_side() -> None:
    assert kernel.reach(103_020, OPENING) == (1, 103_020 / 102_000 - 1)
    assert kernel.reach(99_000, OPENING)[0] == -1
