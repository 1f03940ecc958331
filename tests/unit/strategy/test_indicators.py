import random
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.domain.money import to_ticks
from tbot_bot.strategy.indicators import (
    NO_ADX,
    NO_BOLLINGER,
    NO_VWAP,
    PPM,
    Range,
    Vwap,
    adx_step,
    at_or_above_vwap,
    at_or_below_vwap,
    bollinger_side,
    bollinger_sigma,
    bollinger_step,
    range_step,
    tightened_ppm,
    to_ppm,
    trail_hit,
    trail_start,
    trail_step,
    vwap_price,
    vwap_step,
)


def ticks(price: str) -> int:
    return to_ticks(Decimal(price))


def test_fractions_become_parts_per_million() -> None:
    assert to_ppm(Decimal("0.02")) == 20_000
    assert to_ppm(Decimal("0.0005")) == 500


def test_range_grows_both_ways() -> None:
    assert range_step(range_step(Range(100, 90), 105, 95), 101, 80) == Range(105, 80)


def test_vwap_of_the_two_bar_vector() -> None:
    state = vwap_step(NO_VWAP, ticks("10.1"), ticks("9.9"), ticks("10.0"), 100)
    state = vwap_step(state, ticks("10.4"), ticks("10.2"), ticks("10.3"), 300)
    assert vwap_price(state) == 102_250


def test_without_volume_no_price_touches_vwap() -> None:
    assert not at_or_below_vwap(1, NO_VWAP)
    assert not at_or_above_vwap(10**9, NO_VWAP)


@given(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(1, 10**7), st.integers(900_000, 1_100_000))
def test_comparisons_with_vwap_are_exact(price: int, weighted: int, volume: int, factor: int) -> None:
    exact = Fraction(weighted, 3 * volume) * Fraction(factor, PPM)
    state = Vwap(weighted, volume)
    assert at_or_below_vwap(price, state, factor) == (price <= exact)
    assert at_or_above_vwap(price, state, factor) == (price >= exact)


def wilder(bars: list[tuple[int, int, int]], n: int = 14) -> float:
    """ADX as Wilder's book builds it, over whole lists."""
    ranges, plus, minus = [], [], []
    for (h0, l0, c0), (h1, l1, _) in pairwise(bars):
        ranges.append(max(h1 - l1, abs(h1 - c0), abs(l1 - c0)))
        up, down = h1 - h0, l0 - l1
        plus.append(up if up > down and up > 0 else 0)
        minus.append(down if down > up and down > 0 else 0)

    def smooth(values: list[int]) -> list[float]:
        sums = [float(sum(values[:n]))]
        for value in values[n:]:
            sums.append(sums[-1] - sums[-1] / n + value)
        return sums

    directional = []
    for tr, p, m in zip(smooth(ranges), smooth(plus), smooth(minus), strict=True):
        plus_di, minus_di = 100 * p / tr, 100 * m / tr
        directional.append(100 * abs(plus_di - minus_di) / (plus_di + minus_di) if plus_di + minus_di else 0.0)
    adx = fmean(directional[:n])
    for dx in directional[n:]:
        adx = (adx * (n - 1) + dx) / n
    return adx


def test_adx_agrees_with_wilders_tables() -> None:
    dice = random.Random(5)
    price, bars = 100_000, []
    for _ in range(70):
        price += dice.randint(-300, 320)
        bars.append((price + dice.randint(0, 200), price - dice.randint(0, 200), price))
    state = NO_ADX
    for count, bar in enumerate(bars, start=1):
        state = adx_step(state, bar[0], bar[1])
        assert state.ready == (count >= 28)
        if state.ready:
            assert state.adx == pytest.approx(wilder(bars[:count]))


def test_a_steady_climb_has_an_adx_of_100() -> None:
    state = NO_ADX
    for i in range(40):
        state = adx_step(state, 1000 + 10 * i, 990 + 10 * i)
    assert state.adx == pytest.approx(100)


def test_bollinger_agrees_with_the_population_deviation() -> None:
    dice = random.Random(3)
    closes = [dice.randint(90_000, 110_000) for _ in range(60)]
    state = NO_BOLLINGER
    for i, close in enumerate(closes):
        state = bollinger_step(state, close, closes[i - 20] if i >= 20 else 0)
        if i >= 19:
            window = closes[i - 19 : i + 1]
            mean, sigma = fmean(window), pstdev(window)
            assert bollinger_sigma(state) == pytest.approx(sigma)
            assert bollinger_side(state, close) == (close > mean + 2 * sigma) - (close < mean - 2 * sigma)
        else:
            assert bollinger_side(state, close) == 0
            assert bollinger_sigma(state) == 0


def test_a_close_at_the_band_is_not_outside() -> None:
    state = NO_BOLLINGER
    for close in [100] * 10 + [104] * 10:
        state = bollinger_step(state, close, 0)
    assert bollinger_side(state, 106) == 0
    assert bollinger_side(state, 107) == 1
    assert bollinger_side(state, 98) == 0
    assert bollinger_side(state, 97) == -1


def test_trailing_stop_vector_of_a_long() -> None:
    trail = trail_step(trail_start(ticks("50")), ticks("52"), to_ppm(Decimal("0.02")))
    assert trail.stop == ticks("50.96") * PPM
    tight = tightened_ppm(to_ppm(Decimal("0.02")), to_ppm(Decimal("0.5")))
    trail = trail_step(trail, ticks("51.50"), tight)
    assert trail.stop == ticks("51.48") * PPM
    assert not trail_hit(trail, ticks("51.50"))
    assert trail_hit(trail, ticks("51.48"))


def test_tightening_stops_at_its_floor() -> None:
    assert tightened_ppm(600, 500_000) == 500


def test_a_switched_off_trail_never_hits() -> None:
    assert not trail_hit(trail_step(trail_start(100), 200, 0), 1)


@given(st.lists(st.integers(1_000, 100_000), min_size=1), st.lists(st.integers(0, 900_000), min_size=1))
def test_a_trailing_stop_only_tightens(prices: list[int], widths: list[int]) -> None:
    for side in (1, -1):
        trail, last = trail_start(prices[0]), 0
        for i, price in enumerate(prices):
            trail = trail_step(trail, price, widths[i % len(widths)], side)
            if last:
                assert (trail.stop - last) * side >= 0
            last = trail.stop


def test_a_short_trails_from_its_lowest_price() -> None:
    trail = trail_step(trail_start(ticks("50")), ticks("48"), 20_000, side=-1)
    assert trail.stop == ticks("48.96") * PPM
    assert trail_hit(trail, ticks("48.96"), side=-1)
    assert not trail_hit(trail, ticks("48.95"), side=-1)
