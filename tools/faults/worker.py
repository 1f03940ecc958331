"""One process's share of the storage campaign: `python -m tools.faults.worker FOLDER SHARE OF SIZE SEED`.

A process of its own, with one thread, because it forks a child for every fault. SHARE `prepare` makes the exhibits that
the others then share. Its findings are one JSON file in FOLDER."""

import gc
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from tools.faults.exhibit import Exhibit, load_exhibit, make_exhibit
from tools.faults.house import House
from tools.faults.injected import Point, errno_points, kill_points, try_errno, try_kill
from tools.faults.powercut import Outage, outages, try_outage
from tools.faults.scenarios import SCENARIOS
from tools.faults.selftest import Sabotage, Verdict, forget, swap_calls, swap_steps, unlawful
from tools.faults.steps import neighbours, steps_of, syncs

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is tried. `kills`, `errnos`, `sabotages`: at most so many, evenly spaced over all scenarios.

    `outages`: one of so many power cut states; `sampled` and `tear`: how finely they are made; `thorough`: one of so
    many is also started twice and its acts repeated."""

    kills: int
    errnos: int
    sabotages: int
    outages: int
    sampled: int
    tear: int
    thorough: int


SIZES = {
    "small": Size(kills=60, errnos=50, sabotages=16, outages=100, sampled=1, tear=4096, thorough=8),
    "full": Size(kills=3_200, errnos=2_600, sabotages=9_000, outages=1, sampled=28, tear=12, thorough=50),
}


@dataclass(slots=True)
class Findings:
    """Counts by kind, violations in words, and what the self-test did."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    sabotages: list[Sabotage] = field(default_factory=list)

    def add(self, kind: str, scenario: str, wrong: Sequence[str]) -> None:
        self.counts[kind] += 1
        self.counts[f"{kind} {scenario}"] += 1
        self.violations += wrong


def prepare(folder: Path) -> None:
    for name, scenario in SCENARIOS.items():
        make_exhibit(scenario, folder / name)


class Share:
    """Every `of`-th fault, beginning with number `share`."""

    def __init__(self, folder: Path, share: int, of: int, size: Size, seed: int) -> None:
        self._root = folder / f"root-{share}"
        self._share, self._of, self._size, self._seed = share, of, size, seed
        self._exhibits = [load_exhibit(name, folder / name) for name in SCENARIOS]
        self.found = Findings()

    def work(self) -> None:
        for part in (self._law, self._kills, self._errnos, self._outages, self._sabotage):
            part()
            self._keep()

    def _keep(self) -> None:
        """What was found so far, for whoever looks before the end."""
        kept = {
            "counts": self.found.counts,
            "violations": self.found.violations,
            "sabotages": [asdict(each) for each in self.found.sabotages],
        }
        (self._root.parent / f"found-{self._share}.json").write_text(json.dumps(kept))

    def _law(self) -> None:
        """The recordings themselves are lawful."""
        for exhibit in self._exhibits[self._share :: self._of]:
            self.found.add("recording", exhibit.scenario.name, unlawful(exhibit, exhibit.calls()))

    def _kills(self) -> None:
        points = [(each, point) for each in self._exhibits for point in kill_points(each.calls())]
        for exhibit, point in self._mine(points, self._size.kills):
            tried = try_kill(exhibit, point, self._root)
            self._note("kill", exhibit, point, tried.hit, tried.wrong)

    def _errnos(self) -> None:
        points = [(each, point) for each in self._exhibits for point in errno_points(each.calls())]
        for number, (exhibit, point) in enumerate(self._mine(points, self._size.errnos)):
            tried = try_errno(exhibit, point, self._root, at_once=number % 2 == 0)
            self._note("errno", exhibit, point, tried.hit, tried.wrong)

    def _note(self, kind: str, exhibit: Exhibit, point: Point, hit: bool, wrong: Sequence[str]) -> None:
        words = f"{exhibit.scenario.name}, {point.words(exhibit)}"
        self.found.add(kind if hit else f"{kind} missed", exhibit.scenario.name, [f"{words}: {each}" for each in wrong])

    def _outages(self) -> None:
        for exhibit in self._exhibits:
            for number, outage in enumerate(self._my_outages(exhibit)):
                thorough = number % self._size.thorough == 0
                wrong = try_outage(exhibit, outage, self._root, thorough=thorough)
                self.found.add("power cut", exhibit.scenario.name, wrong)

    def _my_outages(self, exhibit: Exhibit) -> Iterator[Outage]:
        """Shared out by number, and not by what they hold: so many each, whatever is in them."""
        every = outages(exhibit, exhibit.calls(), self._seed, self._size.sampled, self._size.tear)
        for number, outage in enumerate(every):
            turn, left = divmod(number, self._size.outages)
            if left == 0 and turn % self._of == self._share:
                yield outage

    def _sabotage(self) -> None:
        work: list[Callable[[], Sabotage]] = []
        for exhibit in self._exhibits:
            calls, root = exhibit.calls(), self._root
            steps = pairwise(steps_of(exhibit, calls))
            work += [partial(forget, exhibit, calls, group) for group in syncs(exhibit, calls)]
            work += [partial(swap_calls, exhibit, calls, *pair, root) for pair in neighbours(exhibit, calls)]
            work += [partial(swap_steps, exhibit, calls, *pair, root) for pair in steps]
        for sabotage in self._mine(work, self._size.sabotages):
            done = sabotage()
            self.found.sabotages.append(done)
            self.found.violations += [f"nothing reports it: {done.what}"] if done.verdict is Verdict.SPARE else []

    def _mine(self, every: Sequence[T], most: int) -> list[T]:
        step = max(1.0, len(every) / most)
        chosen = [every[int(number * step)] for number in range(min(most, len(every)))]
        return chosen[self._share :: self._of]


def main() -> int:
    folder, share, of, size, seed = sys.argv[1:6]
    logging.disable(logging.CRITICAL)
    if share == "prepare":
        prepare(Path(folder))
        return 0
    # What every start computes once is then there in each child.
    House(Path(folder) / f"warm-{share}").start()
    gc.freeze()
    Share(Path(folder), int(share), int(of), SIZES[size], int(seed)).work()
    return 0


if __name__ == "__main__":
    sys.exit(main())
