"""Power cuts at every moment of a recording: each state that the disk may be left in, tried once."""

import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.faults.calls import Call
from tools.faults.crashes import Parts, Platter, crashes
from tools.faults.exhibit import Exhibit
from tools.faults.judge import judge, judge_quickly
from tools.faults.replay import Replay


@dataclass(frozen=True, slots=True)
class Outage:
    """One state: the disk as it is left, after which call, and what was answered by then."""

    platter: Platter
    position: int
    call: Call
    said: tuple[Mapping[str, Any], ...]
    digest: str

    def words(self, exhibit: Exhibit) -> str:
        where = self.call.relative(str(exhibit.recorded_root))
        return f"{exhibit.scenario.name}, power cut after call {self.position} ({self.call.name} {where})"


def outages(exhibit: Exhibit, calls: tuple[Call, ...], seed: int, sampled: int, tear: int) -> Iterator[Outage]:
    """Every state once; one that is reached again with more acts answered counts again, for more must be there then.

    `sampled`, `tear`: how finely, see crashes()."""
    replay = Replay(exhibit.before, calls, str(exhibit.recorded_root))
    dice = random.Random(f"{seed} {exhibit.scenario.name}")  # noqa: S311 - repeatable, not secret
    seen: set[tuple[str, int]] = set()
    digests: dict[tuple[int, int, Parts], str] = {}
    for position, call in replay.steps():
        if not (call.mutates or call.paths[0].startswith("pipe:")):
            continue
        for crash in crashes(replay.disk, dice, sampled, tear):
            platter = Platter(replay.disk, crash, digests)
            digest = platter.digest()
            if (digest, len(replay.said)) not in seen:
                seen.add((digest, len(replay.said)))
                yield Outage(platter, position, call, tuple(replay.said), digest)


def try_outage(exhibit: Exhibit, outage: Outage, root: Path, *, thorough: bool) -> list[str]:
    """What is wrong after a start on that state. `thorough`: a second start and the acts once more as well."""
    shutil.rmtree(root, ignore_errors=True)
    outage.platter.write(root)
    wrong = judge(exhibit, root, outage.said) if thorough else judge_quickly(exhibit, root, outage.said)
    return [f"{outage.words(exhibit)}: {words}" for words in wrong]
