"""Indicators as pure steps over completed bars: integer ticks (1/10000 USD) in, exact comparisons out.

Everything here takes and returns plain ints, floats and NamedTuples of them, and no product exceeds 64 bits for prices
below $5,000 and ten billion shares a day, so that the backtest may compile the very same functions with numba.
Fractions are integers in parts per million.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

PPM = 1_000_000
ADX_PERIOD = 14
BOLLINGER_PERIOD = 20
BOLLINGER_SIGMAS = 2
TRAIL_FLOOR_PPM = 500


def to_ppm(fraction: Decimal) -> int:
    """A fraction in parts per million, half to even: 0.02 → 20000."""
    return int((fraction * PPM).to_integral_value(ROUND_HALF_EVEN))


class Range(NamedTuple):
    """Highest high and lowest low of the bars so far, ticks."""

    high: int
    low: int


def range_step(state: Range, high: int, low: int) -> Range:
    """The range with one more bar."""
    return Range(max(state.high, high), min(state.low, low))


class Vwap(NamedTuple):
    """Volume-weighted average price since the session's open: Σ(h+l+c)·v and Σv.

    VWAP = Σ(typical·volume)/Σvolume with typical = (h+l+c)/3 (Berkowitz, Logue & Noser 1988)."""

    weighted: int
    volume: int


NO_VWAP = Vwap(0, 0)


def vwap_step(state: Vwap, high: int, low: int, close: int, volume: int) -> Vwap:
    """VWAP's sums with one more bar; `volume` in shares."""
    return Vwap(state.weighted + (high + low + close) * volume, state.volume + volume)


def vwap_price(state: Vwap) -> float:
    """VWAP in ticks; 0 when nothing traded."""
    return state.weighted / (3 * state.volume) if state.volume else 0.0


def at_or_below_vwap(price: int, state: Vwap, factor_ppm: int = PPM) -> bool:
    """Exactly: price ≤ VWAP × factor. Nothing traded: False."""
    if state.volume == 0:
        return False
    whole, rest = divmod(state.weighted, 3 * state.volume)
    return price * PPM <= whole * factor_ppm + rest * factor_ppm // (3 * state.volume)


def at_or_above_vwap(price: int, state: Vwap, factor_ppm: int = PPM) -> bool:
    """Exactly: price ≥ VWAP × factor. Nothing traded: False."""
    if state.volume == 0:
        return False
    whole, rest = divmod(state.weighted, 3 * state.volume)
    return price * PPM >= whole * factor_ppm - (-rest * factor_ppm // (3 * state.volume))


class Adx(NamedTuple):
    """Wilder's average directional index (Wilder 1978), period 14, over the bars seen.

    DX = 100·|+DM − −DM| / (+DM + −DM) of the smoothed sums: the true range by which Wilder divides both cancels out.
    `bars` counts them; `dx_sum` collects the first 14 DX; `adx` is valid when `ready`."""

    bars: int
    high: int
    low: int
    plus: float
    minus: float
    dx_sum: float
    adx: float

    @property
    def ready(self) -> bool:
        return self.bars >= 2 * ADX_PERIOD


NO_ADX = Adx(0, 0, 0, 0.0, 0.0, 0.0, 0.0)


def adx_step(state: Adx, high: int, low: int) -> Adx:
    """ADX with one more bar; ready after 28 bars (14 moves for the sums, 14 DX for the first average)."""
    bars = state.bars + 1
    if bars == 1:
        return Adx(1, high, low, 0.0, 0.0, 0.0, 0.0)
    up, down = high - state.high, state.low - low
    keep = 1.0 if bars <= ADX_PERIOD + 1 else 1.0 - 1.0 / ADX_PERIOD
    plus = state.plus * keep + (up if up > down and up > 0 else 0)
    minus = state.minus * keep + (down if down > up and down > 0 else 0)
    dx_sum, adx = state.dx_sum, state.adx
    if bars > ADX_PERIOD:
        dx = 100.0 * abs(plus - minus) / (plus + minus) if plus + minus > 0 else 0.0
        if bars <= 2 * ADX_PERIOD:
            dx_sum += dx
            adx = dx_sum / ADX_PERIOD
        else:
            adx = (adx * (ADX_PERIOD - 1) + dx) / ADX_PERIOD
    return Adx(bars, high, low, plus, minus, dx_sum, adx)


class Bollinger(NamedTuple):
    """Sums of the last 20 closes and of their squares, ticks (Bollinger 2001: 20 closes, 2 population σ)."""

    closes: int
    total: int
    squares: int


NO_BOLLINGER = Bollinger(0, 0, 0)


def bollinger_step(state: Bollinger, close: int, leaving: int) -> Bollinger:
    """With one more close; `leaving` is the close of 20 bars ago, and ignored until 20 are in."""
    if state.closes < BOLLINGER_PERIOD:
        return Bollinger(state.closes + 1, state.total + close, state.squares + close * close)
    return Bollinger(state.closes, state.total + close - leaving, state.squares + close * close - leaving * leaving)


def bollinger_side(state: Bollinger, close: int) -> int:
    """+1 when close > mean + 2σ, −1 when close < mean − 2σ, else 0; exact. 0 until 20 closes are in."""
    if state.closes < BOLLINGER_PERIOD:
        return 0
    away = state.closes * close - state.total
    variance = state.closes * state.squares - state.total * state.total
    if away * away <= BOLLINGER_SIGMAS * BOLLINGER_SIGMAS * variance:
        return 0
    return 1 if away > 0 else -1


def bollinger_sigma(state: Bollinger) -> float:
    """Population σ of the last 20 closes in ticks; 0 until 20 are in."""
    if state.closes < BOLLINGER_PERIOD:
        return 0.0
    variance = state.closes * state.squares - state.total * state.total
    return float(max(variance, 0) ** 0.5) / state.closes


class Trail(NamedTuple):
    """A trailing stop: best price since entry in ticks and the stop in ticks × 10⁶, which only tightens."""

    best: int
    stop: int


def trail_start(entry: int) -> Trail:
    """At the entry price; the stop is not set before the first step."""
    return Trail(entry, 0)


def tightened_ppm(trail_ppm: int, factor_ppm: int) -> int:
    """The trail near flat-by: multiplied, and never under 0.0005."""
    return max(trail_ppm * factor_ppm // PPM, TRAIL_FLOOR_PPM)


def trail_step(state: Trail, price: int, trail_ppm: int, side: int = 1) -> Trail:
    """After seeing `price`: side +1 trails a long from its highest price, −1 a short from its lowest. 0 ppm = off."""
    best = max(state.best, price) if side > 0 else min(state.best, price)
    if trail_ppm == 0:
        return Trail(best, state.stop)
    stop = best * (PPM - side * trail_ppm)
    if state.stop:
        stop = max(stop, state.stop) if side > 0 else min(stop, state.stop)
    return Trail(best, stop)


def trail_hit(state: Trail, price: int, side: int = 1) -> bool:
    """Whether `price` has reached the stop: at the stop counts."""
    return state.stop != 0 and (price * PPM <= state.stop if side > 0 else price * PPM >= state.stop)
