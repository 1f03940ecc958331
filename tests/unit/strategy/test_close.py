from itertools import pairwise
from statistics import stdev

import pytest

from tbot_bot.strategy import close as kernel
from tbot_bot.strategy.close import Drift
from tbot_bot.strategy.indicators import Range, Vwap

WINDOW = Range(high=102_000, low=100_000)
VWAP = Vwap(3 * 100_500, 1)
MARKS = [100_000, 100_100, 100_000, 100_200, 100_100, 100_300, 100_200] * 2 + [100_900]


def side(close: int, drift: Drift, session_open: int = 100_000) -> int:
    return kernel.side(close, session_open, drift, VWAP, 3.0, 1.0)


def test_z_is_the_return_in_units_of_earlier_ones() -> None:
    found = kernel.drift(MARKS, WINDOW)
    earlier = [b / a - 1 for a, b in pairwise(MARKS[:-1])]
    assert found is not None
    assert found.r == pytest.approx(100_900 / 100_200 - 1)
    assert found.z == pytest.approx(found.r / stdev(earlier))


def test_fewer_than_twelve_earlier_returns_say_nothing() -> None:
    assert kernel.drift(MARKS[-14:], WINDOW) is not None
    assert kernel.drift(MARKS[-13:], WINDOW) is None


def test_a_session_that_never_moved_says_nothing() -> None:
    assert kernel.drift([100_000] * 20, WINDOW) is None


def test_an_extreme_move_is_faded_beyond_the_midpoint() -> None:
    up, down = Drift(0.02, 3.0, WINDOW), Drift(-0.02, -3.5, WINDOW)
    assert side(100_999, up) == -1
    assert side(101_000, up) == 0
    assert side(101_001, down) == 1
    assert side(101_000, down) == 0


def test_momentum_follows_r_when_session_and_vwap_agree() -> None:
    assert side(101_500, Drift(0.01, 1.0, WINDOW)) == 1
    assert side(99_500, Drift(-0.01, -2.0, WINDOW)) == -1


def test_momentum_needs_r_and_session_of_one_sign() -> None:
    assert side(101_500, Drift(0.01, 2.0, WINDOW), session_open=102_000) == 0
    assert side(101_500, Drift(0.01, 2.0, WINDOW), session_open=101_500) == 0


def test_momentum_needs_the_right_side_of_vwap() -> None:
    assert side(100_500, Drift(0.01, 2.0, WINDOW)) == 0
    assert side(100_400, Drift(0.01, 2.0, WINDOW)) == 0


def test_a_small_z_is_no_signal() -> None:
    assert side(101_500, Drift(0.01, 0.99, WINDOW)) == 0
