"""Does the power cut find what it is to find? Each fsync is forgotten once, each two steps are swapped once.

Both are done on the recording. What is then found wrong must be; what is not found wrong says that the fsync is covered
by a later one, or that the order of the two steps does not matter: with a reason, or it is a hole in the checks."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.faults.calls import SYNCS, Call
from tools.faults.crashes import HOLLOW, LOST, Crash, Parts, Platter, all_but, some_but
from tools.faults.exhibit import Exhibit
from tools.faults.powercut import Outage, try_outage
from tools.faults.replay import Replay

_MOMENTS = 8
_SAMPLED = 2


@dataclass(frozen=True, slots=True)
class Step:
    """A durable step: the sync calls that make it so; a replaced file's own and its folder's are one step."""

    positions: tuple[int, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Sabotage:
    """What was tried: `what` in words, and what was found wrong because of it ("" = nothing)."""

    kind: str
    what: str
    found: str


def syncs(exhibit: Exhibit, calls: tuple[Call, ...]) -> tuple[int, ...]:
    """Positions of the sync calls that have something to make durable."""
    replay = Replay(exhibit.before, calls, str(exhibit.recorded_root))
    found = []
    waiting = _waiting(replay)
    for position, call in replay.steps():
        before, waiting = waiting, _waiting(replay)
        if call.name in SYNCS and before != waiting:
            found.append(position)
    return tuple(found)


def steps_of(exhibit: Exhibit, calls: tuple[Call, ...]) -> tuple[Step, ...]:
    steps: list[Step] = []
    pending: tuple[int, ...] = ()
    for position in syncs(exhibit, calls):
        call = calls[position]
        where = call.relative(str(exhibit.recorded_root))
        if where.endswith(".tmp"):
            pending = (position,)
            continue
        name = os.path.dirname(calls[pending[0]].relative(str(exhibit.recorded_root))) if pending else ""
        positions = (*pending, position) if name == where else (position,)
        words = calls[pending[0]].relative(str(exhibit.recorded_root)) if len(positions) > 1 else where
        steps.append(Step(positions, words))
        pending = ()
    return tuple(steps)


def forget(exhibit: Exhibit, calls: tuple[Call, ...], position: int, root: Path) -> Sabotage:
    """Leave out one sync, and cut the power until something is wrong or the loss is made good by a later sync."""
    call = calls[position]
    what = f"{exhibit.scenario.name}: {call.name} {call.relative(str(exhibit.recorded_root))} (call {position})"
    skip = frozenset({position})
    exposed = _exposed(exhibit, calls, skip)
    spread = exposed[:: max(1, len(exposed) // _MOMENTS)]
    # The end first: what was never made durable is missed there, when the act has been answered.
    for moments in (exposed[-1:], spread):
        for outage in _outages_without(exhibit, calls, skip, frozenset(moments)):
            wrong = try_outage(exhibit, outage, root, thorough=False)
            if wrong:
                return Sabotage("fsync", what, wrong[0])
    return Sabotage("fsync", what, "")


def swap(exhibit: Exhibit, calls: tuple[Call, ...], first: Step, second: Step, root: Path) -> Sabotage:
    """The second step durable before the first: cut the power between them."""
    what = f"{exhibit.scenario.name}: {first.what} after {second.what}"
    last = second.positions[-1]
    for outage in _outages_without(exhibit, calls, frozenset(first.positions), frozenset({last})):
        wrong = try_outage(exhibit, outage, root, thorough=False)
        if wrong:
            return Sabotage("order", what, wrong[0])
    return Sabotage("order", what, "")


@dataclass(frozen=True, slots=True)
class _Moment:
    """After one call: the replay, and which entry changes and files the skipped syncs left waiting until now."""

    position: int
    call: Call
    replay: Replay
    entries: frozenset[int]
    files: frozenset[int]


def _exposed(exhibit: Exhibit, calls: tuple[Call, ...], skip: frozenset[int]) -> list[int]:
    """Positions at which something still waits that the skipped syncs should have made durable."""
    return [moment.position for moment in _moments(exhibit, calls, skip)]


def _moments(exhibit: Exhibit, calls: tuple[Call, ...], skip: frozenset[int]) -> Iterator[_Moment]:
    replay = Replay(exhibit.before, calls, str(exhibit.recorded_root), skip)
    entries: frozenset[int] = frozenset()
    files: frozenset[int] = frozenset()
    for position, call in replay.steps():
        node = replay.node_of(call) if position in skip else None
        if node is not None:
            entries |= {change.number for change in replay.disk.waiting if change.folder == node.number}
            files |= {node.number} if node.waiting else set()
        entries &= {change.number for change in replay.disk.waiting}
        files &= {node.number for node in replay.disk.unsynced_files()}
        if position >= max(skip) and not entries and not files:
            return
        if position >= min(skip) and (call.mutates or call.paths[0].startswith("pipe:")):
            yield _Moment(position, call, replay, entries, files)


def _outages_without(
    exhibit: Exhibit, calls: tuple[Call, ...], skip: frozenset[int], moments: frozenset[int]
) -> Iterator[Outage]:
    """States at those moments in which what the skipped syncs should have made durable is lost or hollow."""
    seen: set[tuple[str, int]] = set()
    digests: dict[tuple[int, int, Parts], str] = {}
    dice = random.Random(min(skip))  # noqa: S311 - repeatable, not secret
    for moment in _moments(exhibit, calls, skip):
        if moment.position not in moments:
            continue
        replay = moment.replay
        for crash in _losses(replay, moment.entries, moment.files, dice):
            platter = Platter(replay.disk, crash, digests)
            key = (platter.digest(), len(replay.said))
            if key not in seen:
                seen.add(key)
                yield Outage(platter, moment.position, moment.call, tuple(replay.said), key[0])


def _losses(replay: Replay, entries: frozenset[int], files: frozenset[int], dice: random.Random) -> Iterator[Crash]:
    """That alone is lost or hollow; all else that waits is lost too; some of all else arrived."""
    yield all_but(replay.disk, entries, files, LOST)
    if files:
        yield all_but(replay.disk, (), files, LOST)
        yield all_but(replay.disk, (), files, HOLLOW)
    everything = {change.number for change in replay.disk.waiting}
    yield all_but(replay.disk, everything, {node.number for node in replay.disk.unsynced_files()}, LOST)
    for _ in range(_SAMPLED):
        yield some_but(replay.disk, entries, files, dice)


def _waiting(replay: Replay) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    disk = replay.disk
    files = tuple((node.number, len(node.waiting)) for node in disk.unsynced_files())
    return tuple(change.number for change in disk.waiting), files
