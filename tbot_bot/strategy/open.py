"""OPEN: opening range breakout (Zarattini & Aziz 2023).

H, L = highest high and lowest low of the analysis bars. In the breakout window the first bar with close >
H·(1+buffer) is long, close < L·(1−buffer) bearish. Stop: the nearer of the range's other side and STOP_PCT_OPEN;
target: a multiple of it.
"""

from decimal import Decimal

from tbot_bot.strategy.indicators import PPM, Range


def signal(close: int, opening: Range, buffer_ppm: int) -> int:
    """+1 long, −1 bearish, 0 none; exact: a close at the threshold is no signal."""
    if close * PPM > opening.high * (PPM + buffer_ppm):
        return 1
    if close * PPM < opening.low * (PPM - buffer_ppm):
        return -1
    return 0


def reach(close: int, opening: Range) -> tuple[int, float]:
    """The side that `close` is nearer to breaking (+1, −1) and how far beyond the range it is, as a fraction (negative
    inside). Compare with the buffer."""
    above = close / opening.high - 1
    below = 1 - close / opening.low
    return (1, above) if above >= below else (-1, below)


def score(relative_volume: float, first_open: int, close: int) -> float:
    """Rank value: relative volume × |move| since the window's first open."""
    return relative_volume * abs(close / first_open - 1)


def relative_volume(seen: int, average_volume: int | None, minutes: int, session_minutes: int) -> float:
    """Analysis volume over its even share of an average day; 1 when the average is unknown."""
    if not average_volume:
        return 1.0
    return seen / (average_volume * minutes / session_minutes)


def stop_distance(side: int, close: int, opening: Range, stop_pct: Decimal) -> Decimal:
    """Fraction of the price: the nearer of the range's other side and `stop_pct`."""
    other = opening.low if side > 0 else opening.high
    return min(stop_pct, Decimal(abs(close - other)) / close)


def target_distance(stop: Decimal, multiple: Decimal) -> Decimal:
    """Fraction of the price: R multiples of the stop distance."""
    return stop * multiple
