import pytest

from tbot_bot.strategy import mid as kernel
from tbot_bot.strategy.indicators import NO_BOLLINGER, NO_VWAP, Vwap, bollinger_step

AT_TEN = Vwap(weighted=3 * 100_000 * 50, volume=50)
THRESHOLD = 20_000


def test_a_deviation_at_the_threshold_counts() -> None:
    assert kernel.side(98_000, AT_TEN, THRESHOLD) == 1
    assert kernel.side(98_001, AT_TEN, THRESHOLD) == 0
    assert kernel.side(102_000, AT_TEN, THRESHOLD) == -1
    assert kernel.side(101_999, AT_TEN, THRESHOLD) == 0


def test_without_volume_there_is_no_deviation() -> None:
    assert kernel.deviation(100, NO_VWAP) == 0
    assert kernel.side(100, NO_VWAP, THRESHOLD) == 0


def test_deviation_is_a_fraction_of_vwap() -> None:
    assert kernel.deviation(97_000, AT_TEN) == pytest.approx(-0.03)


def test_score_is_the_distance_in_sigmas() -> None:
    bands = NO_BOLLINGER
    for close in [99_000, 101_000] * 10:
        bands = bollinger_step(bands, close, 0)
    assert kernel.score(97_000, AT_TEN, bands) == pytest.approx(3.0)
    assert kernel.score(97_000, AT_TEN, NO_BOLLINGER) == 0


def test_a_long_leaves_when_a_high_reaches_vwap() -> None:
    assert kernel.touched(1, 100_000, 98_000, AT_TEN)
    assert not kernel.touched(1, 99_999, 98_000, AT_TEN)
    assert kernel.touched(-1, 103_000, 100_000, AT_TEN)
    assert not kernel.touched(-1, 103_000, 100_001, AT_TEN)
