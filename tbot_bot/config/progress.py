"""What the progress page follows: the steps of a provisioning and how each went."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tbot_bot.support.logs import get_logger
from tbot_bot.support.snapshot import Publisher

_log = get_logger("provisioning")
EXPIRES_AFTER = 30.0


class StepStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


class Phase(StrEnum):
    NONE = "none"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step as shown; `why` and `fix` are words for the user, set when it failed."""

    name: str
    title: str
    status: StepStatus = StepStatus.PENDING
    why: str = ""
    fix: str = ""


class Progress:
    """Publishes `provisioning` at each change. Thread-safe."""

    def __init__(self, publisher: Publisher, titles: Sequence[tuple[str, str]]) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._phase = Phase.NONE
        self._titles = tuple(titles)
        self._steps = {name: StepReport(name, title) for name, title in titles}

    def begin(self) -> None:
        with self._lock:
            self._phase = Phase.RUNNING
            self._steps = {name: StepReport(name, title) for name, title in self._titles}
            self._publish()

    def mark(self, name: str, status: StepStatus, why: str = "", fix: str = "") -> None:
        with self._lock:
            self._steps[name] = replace(self._steps[name], status=status, why=why, fix=fix)
            self._publish()

    def end(self, phase: Phase) -> None:
        with self._lock:
            self._phase = phase
            self._publish()

    def all_done(self) -> None:
        """Nothing is under way and everything is there, as after a restart."""
        with self._lock:
            self._phase = Phase.DONE
            self._steps = {name: replace(step, status=StepStatus.DONE) for name, step in self._steps.items()}
            self._publish()

    @property
    def phase(self) -> Phase:
        return self._phase

    def publish(self) -> None:
        """Again, so that it does not grow stale."""
        with self._lock:
            self._publish()

    def _publish(self) -> None:
        rows = [
            {"name": step.name, "title": step.title, "status": step.status, "why": step.why, "fix": step.fix}
            for step in self._steps.values()
        ]
        failed = next((step.name for step in self._steps.values() if step.status is StepStatus.FAILED), None)
        body: dict[str, Any] = {"state": self._phase, "steps": rows, "failed": failed}
        try:
            self._publisher.publish("provisioning", body, EXPIRES_AFTER)
        except OSError as error:
            # What is shown must never decide what is done.
            _log.warning("progress could not be published", extra={"fields": {"why": error.strerror}})
