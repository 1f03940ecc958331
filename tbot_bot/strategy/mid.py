"""MID: reversion to VWAP (Berkowitz et al. 1988; Wilder 1978; Bollinger 2001).

d = close/VWAP − 1 with VWAP since the session's open. d ≤ −threshold is long, d ≥ threshold bearish; confirmed when
ADX(14) ≤ ADX_MAX and the close lies outside Bollinger(20, 2σ) on the same side. Left at the touch of the moving VWAP.
"""

from tbot_bot.strategy.indicators import PPM, Bollinger, Vwap, at_or_above_vwap, at_or_below_vwap, vwap_price
from tbot_bot.strategy.indicators import bollinger_sigma as sigma_of


def side(close: int, vwap: Vwap, threshold_ppm: int) -> int:
    """+1 long (far enough below VWAP), −1 bearish, 0 neither; exact: at the threshold counts."""
    if at_or_below_vwap(close, vwap, PPM - threshold_ppm):
        return 1
    if at_or_above_vwap(close, vwap, PPM + threshold_ppm):
        return -1
    return 0


def deviation(close: int, vwap: Vwap) -> float:
    """d = close/VWAP − 1; 0 when nothing traded."""
    middle = vwap_price(vwap)
    return close / middle - 1 if middle else 0.0


def score(close: int, vwap: Vwap, bands: Bollinger) -> float:
    """Rank value |d|/σ, both against VWAP; 0 when σ is."""
    sigma = sigma_of(bands)
    return abs(close - vwap_price(vwap)) / sigma if sigma else 0.0


def touched(direction: int, high: int, low: int, vwap: Vwap) -> bool:
    """Whether a bar (or a price: high = low) of the signal symbol has come back to VWAP; direction +1 came from
    below."""
    return at_or_above_vwap(high, vwap) if direction > 0 else at_or_below_vwap(low, vwap)
