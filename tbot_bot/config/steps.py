"""Work as steps: each idempotent, all under one checkpoint, undone in reverse when one fails."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace

from tbot_bot.config.checkpoint import Checkpoint, remove_checkpoint, write_checkpoint
from tbot_bot.config.progress import StepStatus
from tbot_bot.domain.errors import TbotError
from tbot_bot.support.logs import get_logger, redact
from tbot_bot.support.path_resolver import Paths

FAILURES = (TbotError, OSError, sqlite3.Error)
"""What a step may raise when it cannot do its work."""

_log = get_logger("steps")


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `do` may run again, `undo` may run after a partial `do`, without one, and more than once."""

    name: str
    do: Callable[[], None]
    undo: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """The step that failed and why, in words without secrets; the steps done before it; and in `also` why taking it
    back failed too, "" when it did not."""

    step: str
    why: str
    done: tuple[str, ...] = ()
    also: str = ""


Watch = Callable[[str, StepStatus], None]
"""Told of each step's fate."""


def unwatched(_: str, __: StepStatus) -> None:
    """For work that shows no progress."""


def nothing() -> None:
    """Undoing a step that leaves nothing behind."""


def carry_out(
    paths: Paths,
    checkpoint: Checkpoint,
    steps: tuple[Step, ...],
    *,
    undo: Callable[[Failure], Failure],
    watch: Watch = unwatched,
) -> Failure | None:
    """Do the steps under the checkpoint; when one fails, `undo` takes everything back and its word is returned."""
    name, done = steps[0].name, []
    try:
        write_checkpoint(paths, checkpoint)
        for step in steps:
            name = step.name
            watch(name, StepStatus.RUNNING)
            step.do()
            watch(name, StepStatus.DONE)
            done.append(name)
    except FAILURES as error:
        return undo(Failure(name, words(error), tuple(done)))
    try:
        remove_checkpoint(paths)
    except OSError as error:
        # All is done and on record. Whoever comes next, a start or another change, finds that so and removes it.
        _log.error("a checkpoint is removed later", extra={"fields": {"why": words(error)}})
    return None


def take_back(
    paths: Paths, steps: tuple[Step, ...], failure: Failure, ended: Callable[[], None], watch: Watch = unwatched
) -> Failure:
    """Undo the steps in reverse, then `ended`. When that fails too, the checkpoint stays and the next start tries
    again."""
    _log.error("taken back", extra={"fields": {"step": failure.step, "why": failure.why}})
    try:
        for step in reversed(steps):
            step.undo()
            if step.name in failure.done:
                watch(step.name, StepStatus.UNDONE)
        ended()
        remove_checkpoint(paths)
    except FAILURES as error:
        return replace(failure, also=words(error))
    return failure


def words(error: Exception) -> str:
    """The error in words that hold no secret."""
    if isinstance(error, OSError) and error.strerror:
        return redact(f"{error.strerror} ({error.filename})" if error.filename else error.strerror)
    return redact(str(error))
