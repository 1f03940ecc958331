"""Engine days on a made-up market with a faulty exchange and a bot that dies at random: no law may break."""

import random
import time
from concurrent.futures import ProcessPoolExecutor

from tools.figures import Campaign
from tools.simulation.exchange import Faults
from tools.simulation.laws import broken_laws, simulate, watch_positions

DAYS = {"small": 50, "full": 2000}
WORKERS = 2
STEPS = (60, 1540)


def simulation_campaign(size: str, seed: int) -> Campaign:
    """A point is one engine day."""
    began = time.monotonic()
    first = seed * 1_000_000
    with ProcessPoolExecutor(WORKERS) as pool:
        found = tuple(pool.map(one_day, range(first, first + DAYS[size]), chunksize=5))
    violations = tuple(words for words_of_a_day in found for words in words_of_a_day)
    return Campaign("simulation", DAYS[size], violations, time.monotonic() - began)


def one_day(seed: int) -> tuple[str, ...]:
    """The laws that the day of `seed` broke; an exception of the engine is one too."""
    faults = random_faults(random.Random(seed))  # noqa: S311 - repeatable, not secret
    sim = simulate(seed, faults)
    try:
        sim.run(watch_positions)
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return (f"day {seed}: {type(error).__name__}: {error}",)
    return tuple(f"day {seed}: {words}" for words in broken_laws(sim))


def random_faults(dice: random.Random) -> Faults:
    """From calm to rough."""
    return Faults(
        reject=dice.choice((0, 0.1, 0.3)),
        lost=dice.choice((0, 0.2)),
        never_arrived=dice.choice((0, 0.2)),
        partial=dice.choice((0, 0.5)),
        duplicate=dice.choice((0, 0.5)),
        drop_report=dice.choice((0, 0.2)),
        shuffle=dice.choice((0, 0.5)),
        cancel_lost=dice.choice((0, 0.3)),
        account_fails=dice.choice((0, 0.3)),
        crashes=frozenset(dice.randint(*STEPS) for _ in range(dice.randint(0, 6))),
    )
