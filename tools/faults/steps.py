"""A recording cut into what must be durable together: its syncs, its durable calls, and its steps."""

from collections.abc import Iterator
from dataclasses import dataclass

from tools.faults.calls import SYNCS, Call
from tools.faults.exhibit import Exhibit
from tools.faults.law import Law, database_of


@dataclass(frozen=True, slots=True)
class Step:
    """Calls from one moment at which nothing waits to the next: what a power cut takes or leaves as one.

    `what`: the name that it changes. `answers`: it tells the asker how it went, and changes nothing. `databases`: those
    of SQLite's that it writes."""

    first: int
    last: int
    what: str
    answers: bool
    databases: frozenset[str]


def syncs(exhibit: Exhibit, calls: tuple[Call, ...]) -> tuple[tuple[int, ...], ...]:
    """Each sync that makes something durable, with its own repeats that follow at once: SQLite makes some twice."""
    law = Law(exhibit.before, calls, str(exhibit.recorded_root))
    found: list[tuple[int, ...]] = []
    repeated: tuple[str, ...] = ()
    for position, call in enumerate(calls):
        if call.failed:
            continue
        waited = call.name in SYNCS and law.waits_in(call)
        law.play(call)
        if waited:
            found.append((position,))
            repeated = call.paths
        elif call.name in SYNCS and call.paths == repeated:
            found[-1] = (*found[-1], position)
        elif call.mutates:
            repeated = ()
    return tuple(found)


def neighbours(exhibit: Exhibit, calls: tuple[Call, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Each two calls after one another of which at least one is a sync.

    Of two others either may reach the disk without the other anyway, which the power cuts try."""
    groups = {group[0]: group for group in syncs(exhibit, calls)}
    law = Law(exhibit.before, calls, str(exhibit.recorded_root))
    earlier: tuple[int, ...] | None = None
    for position, call in enumerate(calls):
        if call.failed:
            continue
        weighty = position in groups or law.changes(call)
        law.play(call)
        if weighty:
            group = groups.get(position, (position,))
            if earlier is not None and (position in groups or earlier[0] in groups):
                yield earlier, group
            earlier = group


def steps_of(exhibit: Exhibit, calls: tuple[Call, ...]) -> tuple[Step, ...]:
    root = str(exhibit.recorded_root)
    law = Law(exhibit.before, calls, root)
    found: list[Step] = []
    first, dirty, subject, databases = 0, False, "", set[str]()
    for position, call in enumerate(calls):
        if call.failed:
            continue
        touched = "" if call.paths[0].startswith("pipe:") else law.touched(call)
        subject = touched or subject
        databases |= {touched} if database_of(touched) else set()
        law.play(call)
        answers = call.paths[0].startswith("pipe:")
        waits = bool(law.waiting())
        if answers or (dirty and not waits):
            last = _end(calls, position)
            found.append(Step(first, last, "the answer" if answers else subject, answers, frozenset(databases)))
            first, databases = last + 1, set()
        dirty = waits
    return tuple(found)


def _end(calls: tuple[Call, ...], position: int) -> int:
    """With the closing of files that follows."""
    while position + 1 < len(calls) and calls[position + 1].name == "close":
        position += 1
    return position
