"""How often the host asks, in real seconds: an accelerated market needs shorter turns."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cadence:
    """Real seconds between two turns of each question."""

    account: float
    books: float
    executions: float
    clock: float
    publish: float = 0.5

    @staticmethod
    def at(speed: float) -> "Cadence":
        if speed == 0:
            return Cadence(0.5, 1.0, 1.0, 0.1)
        return Cadence(0.5, 1.0, 1.0, 1.0) if speed > 1 else Cadence(5.0, 15.0, 15.0, 30.0)


class Turns:
    """Says when the next turn of a named act is due."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def due(self, name: str, every: float) -> bool:
        now = time.monotonic()
        if now - self._last.get(name, -1e9) < every:
            return False
        self._last[name] = now
        return True

    def hurry(self, name: str) -> None:
        """Make the next turn due at once."""
        self._last.pop(name, None)
