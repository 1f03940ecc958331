"""A market minute of 300 symbols through the engine, beside a loop that only keeps each symbol's newest bar."""

import statistics
import time
from datetime import timedelta
from pathlib import Path

from tbot_bot.domain.market import Bar, Symbol
from tbot_bot.engine import events as e
from tbot_bot.engine.engine import Engine
from tools.figures import Measure
from tools.simulation.builders import MINUTE, OPEN, at, context
from tools.simulation.market import Market

SYMBOLS = 300
MINUTES = 390


def engine_bench(folder: Path) -> tuple[Measure, ...]:
    """Median and worst milliseconds of a minute over a whole day, with the decisions that it brings."""
    names = tuple(f"S{n:03d}" for n in range(SYMBOLS))
    market = Market((*names, "SH", "PSQ", "SKF"), 1)
    engine, newest = Engine(context(names)), dict[Symbol, Bar]()
    engine.handle(e.Reconciled(OPEN, clean=True))
    engine_times, loop_times = [], []
    for minute in range(1, MINUTES):
        now, bars = OPEN + minute * MINUTE, market.minute(at(minute))
        began = time.perf_counter()
        engine.handle(e.MinuteClosed(now, bars))
        engine.handle(e.TimePassed(now + timedelta(milliseconds=1)))
        engine_times.append(time.perf_counter() - began)
        began = time.perf_counter()
        for symbol, bar in bars.items():
            newest[symbol] = bar
        loop_times.append(time.perf_counter() - began)
    typical, loop = statistics.median(engine_times) * 1000, statistics.median(loop_times) * 1000
    return (
        Measure("engine_minute", typical, loop, "ms", "dict_update_loop"),
        Measure("engine_worst_minute", max(engine_times) * 1000, max(loop_times) * 1000, "ms", "dict_update_loop"),
    )
