"""What the system tests share: a demo with a script of kills, and waiting for its end."""

from dataclasses import dataclass
from pathlib import Path

from tools.day_verdict import day_faults
from tools.demo_process import DemoProcess, Killed
from tools.killers import Killer, Moment

LONGEST_SECONDS = 240.0


@dataclass
class FinishedDay:
    """A demo that is over."""

    demo: DemoProcess
    code: int | None
    killed: list[Killed]
    faults: tuple[str, ...]

    def of(self, unit: str) -> list[Killed]:
        return [each for each in self.killed if each.unit == unit]

    @property
    def terminal(self) -> str:
        return self.demo.terminal.read_text()


class KilledDay:
    """A demo under way beside its killer."""

    def __init__(
        self, folder: Path, speed: int, moments: tuple[Moment, ...] = (), after_intents: tuple[float, ...] = ()
    ) -> None:
        self._demo = DemoProcess(folder, speed)
        self._demo.start()
        self._killer = Killer(self._demo, moments, after_intents)
        self._killer.start()

    def finish(self) -> FinishedDay:
        code = self._demo.wait(LONGEST_SECONDS)
        self._demo.end()
        self._killer.join(30)
        return FinishedDay(self._demo, code, self._killer.killed, day_faults(self._demo.paths))
