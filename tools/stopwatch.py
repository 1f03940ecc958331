"""Medians of real time, alternating between the thing and its reference so that both see the same machine."""

import statistics
import time
from collections.abc import Callable


def timed(act: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def medians(act: Callable[[], object], reference: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds of both, after one unmeasured round."""
    act()
    reference()
    pairs = [(timed(act), timed(reference)) for _ in range(rounds)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)
