"""Where a trader dies: a counter of the moments that it passes, and kill -9 at one of them."""

import os
import signal
import threading
from typing import Protocol


class Moments(Protocol):
    """Told of each moment in the life of an order. `during`: the next call to the broker is about to begin."""

    def at(self, what: str) -> None: ...
    def during(self, what: str) -> None: ...


class Counted:
    """Only counts; what a life passes when nothing kills it."""

    def __init__(self) -> None:
        self.passed: list[str] = []

    def at(self, what: str) -> None:
        self.passed.append(what)

    during = at


class Deadly:
    """kill -9 of this very process at moment `number` (from 0), `after_s` seconds into it where it is a call."""

    def __init__(self, number: int, after_s: float) -> None:
        self._left = number
        self._after = after_s

    def at(self, what: str) -> None:
        if self._comes():
            die()

    def during(self, what: str) -> None:
        if self._comes():
            timer = threading.Timer(self._after, die)
            timer.daemon = True
            timer.start()

    def _comes(self) -> bool:
        self._left -= 1
        return self._left == -1


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
