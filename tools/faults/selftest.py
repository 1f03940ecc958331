"""Is what we ask of the disk noticed when it is not done? Each sync is forgotten once, each two steps are swapped once.

Both are done on the recording. What comes of it must be reported: by the law of persistence, or by a start on what the
power cut leaves. A forgotten sync that neither reports would be a spare one. Two steps whose order neither reports are
tried at every moment between them: all those states must be right, and then they are free."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tools.faults.calls import Call
from tools.faults.crashes import LOST, WHOLE, Crash, Parts, Platter, all_but
from tools.faults.disk import ImpossibleCall
from tools.faults.exhibit import Exhibit
from tools.faults.law import breaches
from tools.faults.orders import broken_order
from tools.faults.powercut import Outage, try_outage
from tools.faults.replay import Replay
from tools.faults.steps import Step


class Verdict(StrEnum):
    """What reported a sabotage; or why there is nothing to report."""

    LAW = "reported by the law"
    ORDER = "reported as out of order"
    START = "reported by a start"
    SPARE = "not reported"
    FREE = "free: every state between is right"
    BUILT_ON = "the second needs what the first made"
    SQLITE = "SQLite's own order"


@dataclass(frozen=True, slots=True)
class Sabotage:
    """What was tried: `what` in words, how it was reported, and in which words. `states`: how many were tried."""

    kind: str
    what: str
    verdict: Verdict
    words: str
    states: int = 0


def unlawful(exhibit: Exhibit, calls: tuple[Call, ...]) -> tuple[str, ...]:
    """What an untouched recording has against the law or out of order; nothing, if all is well."""
    root, name = str(exhibit.recorded_root), exhibit.scenario.name
    found = [f"{name}, call {each.position}: {each.words}" for each in breaches(exhibit.before, calls, root)]
    order = broken_order(exhibit, calls)
    return (*found, *([f"{name}: {order}"] if order else []))


def forget(exhibit: Exhibit, calls: tuple[Call, ...], group: tuple[int, ...]) -> Sabotage:
    """Leave out one sync."""
    call = calls[group[0]]
    what = f"{exhibit.scenario.name}: {call.name} {_where(exhibit, call)} (call {group[0]})"
    left = tuple(one for position, one in enumerate(calls) if position not in group)
    words = _against_the_law(exhibit, left)
    return Sabotage("fsync", what, Verdict.LAW if words else Verdict.SPARE, words)


def swap_calls(
    exhibit: Exhibit, calls: tuple[Call, ...], first: tuple[int, ...], second: tuple[int, ...], root: Path
) -> Sabotage:
    """The second call before the first."""
    names = [f"{calls[group[0]].name} {_where(exhibit, calls[group[0]])}" for group in (first, second)]
    what = f"{exhibit.scenario.name}: {names[1]} before {names[0]} (call {first[0]})"
    order = [position for position in range(len(calls)) if position not in second]
    at = order.index(first[0])
    order[at:at] = second
    between = range(at, at + len(first) + len(second) - 1)
    return _swapped(exhibit, "call", what, tuple(calls[position] for position in order), between, root)


def swap_steps(exhibit: Exhibit, calls: tuple[Call, ...], first: Step, second: Step, root: Path) -> Sabotage:
    """The whole second step before the first."""
    what = f"{exhibit.scenario.name}: {second.what} before {first.what} (call {first.first})"
    if first.databases & second.databases:
        return Sabotage("step", what, Verdict.SQLITE, "")
    parts = ((0, first.first), (second.first, second.last + 1), (first.first, second.first), (second.last + 1, None))
    order = tuple(call for begin, end in parts for call in calls[begin:end])
    return _swapped(exhibit, "step", what, order, range(first.first, second.last), root)


def _swapped(exhibit: Exhibit, kind: str, what: str, calls: tuple[Call, ...], between: range, root: Path) -> Sabotage:
    try:
        words = _against_the_law(exhibit, calls)
    except ImpossibleCall as reason:
        return Sabotage(kind, what, Verdict.BUILT_ON, str(reason))
    if words:
        return Sabotage(kind, what, Verdict.LAW, words)
    words = broken_order(exhibit, calls)
    if words:
        return Sabotage(kind, what, Verdict.ORDER, words)
    states = 0
    for outage in _between(exhibit, calls, between):
        states += 1
        wrong = try_outage(exhibit, outage, root, thorough=False)
        if wrong:
            return Sabotage(kind, what, Verdict.START, wrong[0], states)
    return Sabotage(kind, what, Verdict.FREE, "", states)


def _against_the_law(exhibit: Exhibit, calls: tuple[Call, ...]) -> str:
    """The first breach, in words; "" when there is none. Raises ImpossibleCall."""
    return next((each.words for each in breaches(exhibit.before, calls, str(exhibit.recorded_root))), "")


def _between(exhibit: Exhibit, calls: tuple[Call, ...], positions: range) -> Iterator[Outage]:
    """Each state that a power cut or a kill leaves after one of these calls: all that waits is there, or none of it,
    or one alone, or all but one."""
    replay = Replay(exhibit.before, calls[: positions.stop], str(exhibit.recorded_root))
    seen: set[tuple[str, int]] = set()
    digests: dict[tuple[int, int, Parts], str] = {}
    for position, call in replay.steps():
        if position not in positions or not (call.mutates or call.paths[0].startswith("pipe:")):
            continue
        for crash in _crashes(replay):
            platter = Platter(replay.disk, crash, digests)
            key = (platter.digest(), len(replay.said))
            if key not in seen:
                seen.add(key)
                yield Outage(platter, position, call, tuple(replay.said), key[0])


def _crashes(replay: Replay) -> Iterator[Crash]:
    disk = replay.disk
    entries = {change.number for change in disk.waiting}
    files = {node.number for node in disk.unsynced_files()}
    yield all_but(disk, (), (), WHOLE)
    yield all_but(disk, entries, files, LOST)
    for number in entries:
        yield all_but(disk, {number}, (), LOST)
        yield all_but(disk, entries - {number}, files, LOST)
    for number in files:
        yield all_but(disk, (), {number}, LOST)


def _where(exhibit: Exhibit, call: Call) -> str:
    return call.relative(str(exhibit.recorded_root))
