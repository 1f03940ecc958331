"""Faults at one system call of the acts: death, or an error number instead of what was asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tbot_bot.domain.errors import TbotError
from tbot_bot.support.path_resolver import Paths
from tools.faults.calls import OPENS, SYNCS, WRITES, Call
from tools.faults.exhibit import Exhibit
from tools.faults.facts import Facts, difference, relative, still_facts
from tools.faults.forked import Ended, Say
from tools.faults.judge import allowed, judge, log_in_anew, status_words
from tools.faults.strace import inject

_NAMES = frozenset({"mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"})
_REMOVALS = frozenset({"unlink", "unlinkat", "rmdir"})
_SIZES = frozenset({"ftruncate", "truncate", "fallocate"})
_MODES = frozenset({"chmod", "fchmod", "fchmodat", "fchmodat2"})
_LASTING = frozenset({"ENOSPC", "EROFS", "EMFILE"})
"""Errors that also stay; a full or read-only disk not on `open`, which strace cannot tell apart by what it is for."""
_LOCKS = (".lock", ".busy")


@dataclass(frozen=True, slots=True)
class Point:
    """A call of the recording and what is to happen at it. `lasting`: at it and at every later call of its name."""

    call: Call
    what: str
    lasting: bool = False

    @property
    def unclear(self) -> bool:
        """Whether it keeps from being made durable what is done already: no one can say then whether it is."""
        return self.call.name in SYNCS or "O_DIRECTORY" in "".join(self.call.args)

    def words(self, exhibit: Exhibit) -> str:
        where = self.call.relative(str(exhibit.recorded_root))
        return f"{self.what} at {self.call.name} number {self.call.number}{'+' if self.lasting else ''} ({where})"


@dataclass(frozen=True, slots=True)
class Tried:
    """What one point did. `hit` False: the run made fewer such calls than the recording, so nothing happened."""

    hit: bool
    wrong: tuple[str, ...]


def kill_points(calls: tuple[Call, ...]) -> tuple[Point, ...]:
    """Death at the entry of each call that changes files: what came before is there, it itself is not."""
    return tuple(Point(call, "signal=KILL") for call in calls if call.mutates and not call.failed)


def errno_points(calls: tuple[Call, ...]) -> tuple[Point, ...]:
    """Each error at each call where Linux can answer with it; also a disk that stays full or read-only."""
    once = [Point(call, f"error={name}") for call in calls if not call.failed for name in _errors(call)]
    lasting = (point for point in once if point.what[6:] in _LASTING and _may_last(point))
    return (*once, *(Point(point.call, point.what, lasting=True) for point in lasting))


def _may_last(point: Point) -> bool:
    return point.call.name not in OPENS or point.what.endswith("EMFILE")


def _errors(call: Call) -> Iterator[str]:
    """An error of `close` keeps the descriptor open here, which Linux never does: so not where that would be a lock."""
    if call.name == "close" and call.mutates and not call.paths[0].endswith(_LOCKS):
        yield "EIO"
    if call.name in OPENS:
        yield "EMFILE"
        if not call.mutates:
            yield "EIO"
    if not call.mutates or call.name == "close" or call.name.startswith("dup"):
        return
    creates = call.name in OPENS and "O_CREAT" in call.args[-2]
    if creates or call.name in WRITES | _NAMES | _SIZES | SYNCS:
        yield "ENOSPC"
    yield "EIO"
    if call.name in OPENS | _NAMES | _REMOVALS | _MODES:
        yield "EROFS"


def try_kill(exhibit: Exhibit, point: Point, root: Path) -> Tried:
    acting = exhibit.acting(exhibit.fresh_copy(root))
    ended, hit = inject(acting, point.call.name, point.what, str(point.call.number), root.with_suffix(".notes"))
    wrong = judge(exhibit, root, ended.said) if hit else _unhurt(exhibit, ended)
    return Tried(bool(hit), tuple(wrong))


def try_errno(exhibit: Exhibit, point: Point, root: Path, *, at_once: bool) -> Tried:
    """The acts under the error: done or refused, and what is there without any start must agree.

    Then all that must hold after a start; `at_once`: after the same process was asked a second time."""
    scenario = exhibit.scenario
    exhibit.fresh_copy(root)

    def begin(say: Say) -> Callable[[], None]:
        heard: list[dict[str, Any]] = []
        house = exhibit.house(root, heard.append)

        def run() -> None:
            scenario.act(house)
            say({"said": heard, "still": None if point.lasting else _still(exhibit, root)})
            if at_once and scenario.started and not point.lasting and _failed(heard):
                heard[:] = [row for row in heard if row["ok"] is not False]
                log_in_anew(house)
                scenario.act(house)
                say({"said": heard, "still": None})

        return run

    when = str(point.call.number) + ("+" if point.lasting else "")
    ended, hit = inject(begin, point.call.name, point.what, when, root.with_suffix(".notes"))
    if ended.status != 0 or not ended.said:
        return Tried(bool(hit), (f"it {status_words(ended)}: {_trouble(ended)}", *judge(exhibit, root, ())))
    first, last = ended.said[0], ended.said[-1]
    unclear = point.lasting or point.unclear
    wrong = [] if first["still"] is None or point.unclear else _still_wrong(exhibit, first["said"], first["still"])
    if len(ended.said) > 1 and _failed(last["said"]):
        wrong.append(f"asked again, it is refused: {last['said'][-1]}")
    done, most = allowed(exhibit, last["said"])
    bounds = (done, max(most, min(done + 1, len(exhibit.steps) - 1))) if unclear else (done, most)
    halted = point.call.relative(str(exhibit.recorded_root)) == "control/bot_state.txt"
    return Tried(bool(hit), (*wrong, *judge(exhibit, root, last["said"], bounds=bounds, halted=halted)))


def _still(exhibit: Exhibit, root: Path) -> Facts | None:
    """What is there without any start; None when the error came to us, who look, and not to the runner: which of its
    threads makes the call of that number is not quite the same each time."""
    try:
        return relative(still_facts(Paths(root)), exhibit.base)
    except (TbotError, OSError):
        return None


def _failed(said: Sequence[Mapping[str, Any]]) -> bool:
    return any(row["ok"] is False for row in said)


def _still_wrong(exhibit: Exhibit, said: Sequence[Mapping[str, Any]], still: Mapping[str, Any]) -> list[str]:
    if not exhibit.scenario.started or any(row["ok"] is None for row in said):
        # A start that failed has recovered nothing yet; and what is half done is ended by a start.
        return []
    low, high = allowed(exhibit, said)
    steps = exhibit.steps[low : high + 1]
    if any(all(step[name] == still[name] for name in still) for step in steps):
        return []
    how = " | ".join(difference(still, {name: step[name] for name in still}) for step in steps)
    return [f"answered {said[-1] if said else 'nothing'}, but without a start: {how}"]


def _unhurt(exhibit: Exhibit, ended: Ended) -> list[str]:
    done = [row for row in ended.said if row.get("ok") is True]
    # The steps of a killed scenario are those of the one that it was killed in; its own act is the one start.
    acts = 1 if exhibit.scenario.killed_in else len(exhibit.steps) - 1
    return [] if len(done) == acts else [f"nothing was injected, and yet it answered {ended.said}"]


def _trouble(ended: Ended) -> str:
    return " ".join(str(row["trouble"]) for row in ended.said if "trouble" in row)
