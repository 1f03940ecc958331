"""Who kills what, when: at given seconds, or within milliseconds of the bot writing down that it means to trade."""

import random
import threading
import time
from dataclasses import dataclass

from tools.demo_process import MODULES, DemoProcess, Killed

INTENT = b'"kind":"intent"'


@dataclass(frozen=True, slots=True)
class Moment:
    """Kill `unit` so many seconds after the demo's start."""

    at: float
    unit: str


@dataclass(frozen=True, slots=True)
class Strike:
    """Kill `unit` so many seconds after the next intent appeared in the journal: the bot, or the venue it sends to."""

    unit: str
    pause: float


def random_moments(dice: random.Random, units: tuple[str, ...], first: float, last: float) -> tuple[Moment, ...]:
    """One moment for each unit."""
    return tuple(sorted((Moment(dice.uniform(first, last), unit) for unit in units), key=lambda moment: moment.at))


class Killer(threading.Thread):
    """Kills at moments and after intents while the demo runs; `killed` says what it did."""

    def __init__(self, demo: DemoProcess, moments: tuple[Moment, ...], after_intents: tuple[Strike, ...] = ()) -> None:
        super().__init__(name="killer", daemon=True)
        self._demo = demo
        self._moments = list(moments)
        self._strikes = list(after_intents)
        self._known = 0
        self.killed: list[Killed] = []

    def run(self) -> None:
        while self._demo.code is None and (self._moments or self._strikes):
            if self._moments and self._demo.elapsed >= self._moments[0].at:
                moment = self._moments.pop(0)
                self._kill(moment.unit, f"at {moment.at:.2f} s")
            elif self._strikes and self._intents() > self._known:
                strike = self._strikes.pop(0)
                time.sleep(strike.pause)
                self._kill(strike.unit, f"{strike.pause * 1000:.1f} ms after an intent")
            else:
                time.sleep(0.001)

    def _kill(self, unit: str, why: str) -> None:
        if self._demo.wait_for_unit(unit) is None:
            return
        killed = self._demo.kill(unit, why)
        self._known = self._intents()
        if killed is not None:
            self.killed.append(killed)

    def _intents(self) -> int:
        """Intents in the journals so far."""
        folder = self._demo.paths.output / "journal"
        if not folder.is_dir():
            return 0
        return sum(path.read_bytes().count(INTENT) for path in folder.glob("*.jsonl"))


def kill_script(seed: int, day_seconds: float) -> tuple[tuple[Moment, ...], tuple[Strike, ...]]:
    """A random script for one demo: every process once or twice at any time, bot and venue around intents too."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    units = tuple(MODULES) + tuple(dice.choices(tuple(MODULES), k=dice.randint(0, 4)))
    around = (Strike(dice.choice(("bot", "paper")), dice.uniform(0, 0.03)) for _ in range(dice.randint(1, 5)))
    return random_moments(dice, units, 1.0, day_seconds), tuple(around)
