"""CLOSE: late-day fade or momentum (Gao, Han, Li & Zhou 2018 for the momentum).

r = return over the analysis window, σ = standard deviation of the session's earlier non-overlapping returns of the same
length, z = r/σ, R = return since the open. |z| ≥ fade: against r, confirmed by a close beyond the midpoint of the
window's range. Else |z| ≥ momentum, r and R of one sign, close on that side of VWAP: with r.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tbot_bot.strategy.indicators import Range, Vwap, at_or_above_vwap, at_or_below_vwap

MINIMUM_BLOCKS = 12


class Drift(NamedTuple):
    """What the analysis window taught: r and z as floats, the window's range in ticks."""

    r: float
    z: float
    window: Range


def returns(marks: Sequence[int]) -> list[float]:
    """Simple returns between consecutive prices."""
    return [after / before - 1 for before, after in pairwise(marks)]


def deviation(blocks: Sequence[float]) -> float | None:
    """Sample standard deviation (n − 1); None with fewer than 12 blocks or without any variation: z would mean
    nothing."""
    count = len(blocks)
    if count < MINIMUM_BLOCKS:
        return None
    mean = sum(blocks) / count
    sigma = (sum((x - mean) ** 2 for x in blocks) / (count - 1)) ** 0.5
    return float(sigma) if sigma > 0 else None


def drift(marks: Sequence[int], window: Range) -> Drift | None:
    """From prices one analysis length apart, oldest first, the last two bounding the analysis window itself.

    None when the session is too young or too quiet for a σ."""
    blocks = returns(marks)
    sigma = deviation(blocks[:-1])
    if sigma is None:
        return None
    return Drift(blocks[-1], blocks[-1] / sigma, window)


def side(close: int, session_open: int, found: Drift, vwap: Vwap, fade_z: float, momentum_z: float) -> int:
    """+1 long, −1 bearish, 0 none."""
    with_r = 1 if found.r > 0 else -1
    if abs(found.z) >= fade_z:
        doubled, middle = 2 * close, found.window.high + found.window.low
        faded = doubled < middle if with_r > 0 else doubled > middle
        return -with_r if faded else 0
    if abs(found.z) < momentum_z or (close - session_open) * with_r <= 0:
        return 0
    above, below = at_or_above_vwap(close, vwap), at_or_below_vwap(close, vwap)
    beyond = (above and not below) if with_r > 0 else (below and not above)
    return with_r if beyond else 0
