"""Days with something in them: symbols whose session follows a script that one of the three strategies looks for.

Minutes count from the open (and, for the close, back from it), as the strategies' windows do on any session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tbot_bot.paper.market import Floats
from tbot_bot.paper.universe import Universe

Kind = Literal["breakout", "overextension", "momentum"]
SCRIPT: tuple[tuple[Kind, int], ...] = (
    ("breakout", 1),
    ("overextension", -1),
    ("momentum", 1),
    ("breakout", -1),
    ("overextension", 1),
    ("momentum", -1),
)
ROUNDS = 5
OPEN_BREAKOUT = (20, 25)
MID_BREAKOUT = (76, 80)
CLOSE_ANALYSIS_BEFORE_CLOSE = 90


@dataclass(frozen=True, slots=True)
class Story:
    """`path`: log price over the session's open at the end of each minute; `activity` multiplies the volume."""

    row: int
    path: Floats
    activity: Floats


def choose_rows(universe: Universe, opening: Floats, rng: np.random.Generator) -> Sequence[int]:
    """Ordinary shares that pass the usual screens with room to spare, in a random order."""
    eligible = [
        row
        for row, item in enumerate(universe.instruments)
        if 6.5 <= opening[row] <= 80
        and universe.volume[row] >= 1.3e6
        and item.market_cap is not None
        and 2.1e9 <= item.market_cap <= 9.5e9
        and item.pe_ratio is not None
        and item.pe_ratio <= 48
        and item.debt_equity is not None
        and item.debt_equity <= 2
        and item.tradable
        and item.fractionable
        and item.easy_to_borrow
    ]
    return [eligible[at] for at in rng.permutation(len(eligible))]


def write_stories(rows: Sequence[int], minutes: int, rng: np.random.Generator) -> list[Story]:
    cast = rows[: ROUNDS * len(SCRIPT)]
    writers = {"breakout": _breakout, "overextension": _overextension, "momentum": _momentum}
    stories = []
    for at, row in enumerate(cast):
        kind, direction = SCRIPT[at % len(SCRIPT)]
        path, activity = writers[kind](direction, minutes, rng)
        stories.append(Story(row, path, activity))
    return stories


def _breakout(direction: int, minutes: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A first push, a narrow range through the analysis, then a run 3 % out of it."""
    level, run = rng.uniform(0.006, 0.014), rng.uniform(0.030, 0.037)
    start = int(rng.integers(*OPEN_BREAKOUT)) + 1
    path = direction * _through([(0, level / 2), (4, level), (start - 1, level), (start + 1, level + run)], minutes)
    noise = rng.normal(0, 0.0005, minutes)
    end = min(start + 26, minutes - 1)
    path += noise + direction * _after(start + 1, end, _outcome(rng, 0.055, -0.028), minutes)
    path[end:] += np.cumsum(rng.normal(0, 0.0006, minutes - end))
    return path, _burst(minutes, start, 5.0, 2.2)


def _overextension(direction: int, minutes: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A morning that goes nowhere (each minute undoes the last), then one sudden stretch of 3 %."""
    stretch = rng.uniform(0.029, 0.035)
    start = int(rng.integers(*MID_BREAKOUT))
    path = 0.0009 * (-1.0) ** np.arange(minutes) * rng.uniform(0.5, 1.5, minutes)
    path += direction * _through([(start - 1, 0.0), (start, 0.88 * stretch), (start + 1, stretch)], minutes)
    end = min(start + 24, minutes - 1)
    back = -stretch * rng.uniform(0.95, 1.1)
    path += direction * _after(start + 2, end, _outcome(rng, back, 0.024), minutes)
    path[end:] += np.cumsum(rng.normal(0, 0.0006, minutes - end))
    return path, _burst(minutes, start, 2.5, 1.5)


def _momentum(direction: int, minutes: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A day that leans one way and takes it up again as the last ninety minutes begin."""
    start = minutes - CLOSE_ANALYSIS_BEFORE_CLOSE
    lean = direction * rng.uniform(0.012, 0.02)
    path = _through([(0, 0.0), (start, lean)], minutes) + np.cumsum(rng.normal(0, 0.0005, minutes))
    path[start:] = path[start - 1]
    blocks = np.diff(path[4:start:5])
    push = direction * float(rng.uniform(1.6, 2.5)) * float(blocks.std())
    path += _through([(start - 1, 0.0), (start + 4, push), (start + 9, push * 1.3)], minutes)
    path += direction * _after(start + 10, minutes - 2, _outcome(rng, 0.022, -0.014), minutes)
    path[start:] += rng.normal(0, 0.0001, minutes - start)
    return path, _burst(minutes, start, 2.0, 1.5)


def _outcome(rng: np.random.Generator, reach: float, fail: float) -> float:
    """Mostly the target, sometimes the stop, else nowhere."""
    draw = rng.random()
    if draw < 0.45:
        return reach
    return fail if draw < 0.75 else float(rng.uniform(-0.004, 0.004))


def _through(points: Sequence[tuple[float, float]], minutes: int) -> Floats:
    at, value = zip(*points, strict=True)
    levels: Floats = np.interp(np.arange(minutes), at, value)
    return levels


def _after(start: int, end: int, change: float, minutes: int) -> Floats:
    """From `start` to `end` in even steps, then kept."""
    return _through([(start, 0.0), (max(end, start + 1), change)], minutes)


def _burst(minutes: int, start: int, peak: float, day: float) -> Floats:
    """A busy day, busiest at `start`."""
    distance = np.abs(np.arange(minutes) - start)
    return day * (1 + (peak - 1) * np.exp(-distance / 6.0))
