"""The wall clock, and clocks that stand in for it."""

import threading
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clock in UTC; speed 1."""

    @property
    def speed(self) -> float:
        return 1.0

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told; for tests and simulations."""

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        self._now = start
        self.speed = speed

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


class FollowedClock:
    """The venue's clock between samples: sample + elapsed real time × speed, never backwards.

    Until the first sample it reads the wall clock. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._base: datetime | None = None
        self._base_real = 0.0
        self._speed = 1.0
        self._shown = datetime.min.replace(tzinfo=UTC)

    @property
    def speed(self) -> float:
        return self._speed

    def sample(self, now: datetime, speed: float) -> None:
        """The venue said `now`, just now; it runs at `speed` market seconds per real second."""
        with self._lock:
            self._base, self._base_real, self._speed = now, time.monotonic(), speed

    def now(self) -> datetime:
        with self._lock:
            if self._base is None:
                return datetime.now(UTC)
            elapsed = time.monotonic() - self._base_real
            self._shown = max(self._shown, self._base + timedelta(seconds=elapsed * self._speed))
            return self._shown
