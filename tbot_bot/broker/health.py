"""Whether a broker answers: down after a run of failures, up again after it was well for a while."""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many failures, over how many seconds, the first broker is down; and how long it must answer again."""

    failures: int = 3
    down_after_s: float = 5.0
    up_after_s: float = 60.0


PATIENCE = Patience()


class Health:
    """Whether the first broker answers. Refusals are answers. Thread-safe."""

    def __init__(
        self, patience: Patience, switched: Callable[[bool, str], None], monotonic: Callable[[], float]
    ) -> None:
        self._patience = patience
        self._switched = switched
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures = 0
        self._since: float | None = None
        self._well_since: float | None = None
        self.up = True

    def answered(self) -> None:
        with self._lock:
            now = self._monotonic()
            self._failures, self._since = 0, None
            self._well_since = now if self._well_since is None else self._well_since
            back = not self.up and now - self._well_since >= self._patience.up_after_s
            self.up = self.up or back
        if back:
            self._switched(True, "the first broker answers again")

    def failed(self, words: str) -> None:
        with self._lock:
            now = self._monotonic()
            self._failures += 1
            self._well_since = None
            self._since = now if self._since is None else self._since
            enough = self._failures >= self._patience.failures and now - self._since >= self._patience.down_after_s
            down = self.up and enough
            self.up = self.up and not enough
        if down:
            self._switched(False, words)
