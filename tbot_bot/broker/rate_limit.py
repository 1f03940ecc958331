"""One budget of requests for all that asks a broker in an account's name, with room kept for exits and cancels.

The budget of an account lies in a small file that all processes of the same user share under a lock; without a file it
belongs to this process. The broker's own headers teach it what is really left."""

import contextlib
import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tbot_bot.support.atomic_file import ensure_folder, open_shared

RESERVE = 0.2
_URGENT_PATIENCE_S = 1.0
_MAX_STATE = 200


class Urgency(Enum):
    """ROUTINE: entries, data, polls. URGENT: what ends a position (exits, cancels, what is open and held);
    may use the reserve."""

    ROUTINE = "routine"
    URGENT = "urgent"


@dataclass(slots=True)
class _State:
    """A bucket: requests that may be sent, of at most `limit`, as of `at` (seconds since the machine started)."""

    tokens: float
    at: float
    limit: float


class Budget:
    """A token bucket: `limit` requests in `seconds` of the market; the `reserve` fraction is for URGENT ones alone.

    `speed`: market seconds per real second; an accelerated venue's minute is shorter. `file`: where it is shared; one
    that is damaged begins empty, since nobody knows what was sent. Thread-safe, and safe between processes."""

    def __init__(
        self,
        limit: int,
        speed: Callable[[], float],
        *,
        seconds: float = 60.0,
        reserve: float = RESERVE,
        file: Path | None = None,
        monotonic: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._lock = threading.Lock()
        self._reserve = reserve
        self._seconds = seconds
        self._most = float(limit)
        self._speed = speed
        self._monotonic = monotonic
        self._sleep = sleep
        self._file = file
        self._own = _State(float(limit), monotonic(), float(limit))

    def take(self, urgency: Urgency, timeout: float, weight: int = 1) -> bool:
        """Wait up to `timeout` real seconds for the room of `weight` requests; False = there is none, so do not send.

        An URGENT request waits a second at most and is then let through: the broker may refuse it, we never do."""
        urgent = urgency is Urgency.URGENT
        deadline = self._monotonic() + (min(timeout, _URGENT_PATIENCE_S) if urgent else timeout)
        while True:
            wait = self._try_take(urgent, float(weight))
            if wait <= 0:
                return True
            left = deadline - self._monotonic()
            if wait > left:
                return urgent
            self._sleep(wait)

    def learn(self, limit: int | None, remaining: int | None) -> None:
        """What the broker's headers said: its limit, and how many requests are left of it."""
        with self._state() as state:
            self._refill(state)
            if limit is not None and limit > 0:
                state.limit = float(limit)
            if remaining is not None and remaining >= 0:
                state.tokens = min(state.tokens, float(remaining))

    def _try_take(self, urgent: bool, weight: float) -> float:
        """0 when the tokens were taken, else the seconds until they can be."""
        with self._state() as state:
            rate = self._refill(state)
            floor = 0.0 if urgent else state.limit * self._reserve
            weight = min(weight, state.limit - floor)
            if state.tokens - weight >= floor:
                state.tokens -= weight
                return 0.0
            return (floor + weight - state.tokens) / rate + 1e-4

    def _refill(self, state: _State) -> float:
        """Add what time has earned; returns tokens per real second."""
        rate = state.limit * max(self._speed(), 1.0) / self._seconds
        now = self._monotonic()
        # A clock that went back (another boot of the machine) earns nothing.
        state.tokens = min(state.limit, state.tokens + max(now - state.at, 0.0) * rate)
        state.at = now
        return rate

    @contextlib.contextmanager
    def _state(self) -> Iterator[_State]:
        """The bucket, held by nobody else meanwhile, and kept afterwards."""
        with self._lock:
            if self._file is None:
                yield self._own
                return
            with _locked(self._file) as handle:
                state = self._read(handle)
                yield state
                # One write of a fixed length at the beginning: what a kill can leave is the old text or the new one.
                text = json.dumps({"tokens": state.tokens, "at": state.at, "limit": state.limit})
                os.pwrite(handle, text.encode().ljust(_MAX_STATE), 0)

    def _read(self, handle: int) -> _State:
        raw = os.pread(handle, _MAX_STATE, 0)
        now = self._monotonic()
        if not raw:
            return _State(self._most, now, self._most)
        try:
            kept = json.loads(raw)
            state = _State(float(kept["tokens"]), float(kept["at"]), float(kept["limit"]))
        except (ValueError, KeyError, TypeError):
            return _State(0.0, now, self._most)
        if not (0 <= state.tokens <= state.limit and 0 < state.limit < 1e9):
            return _State(0.0, now, self._most)
        state.at = min(state.at, now)
        return state


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the budgets of an account are shared (None: in this process alone), and how fast its market runs."""

    folder: Path | None
    speed: Callable[[], float]

    def budget(self, account: str, kind: str, limit: int, seconds: float = 60.0) -> Budget:
        """The budget of a kind of requests in the name of `account`, which the file's name does not tell."""
        file = None
        if self.folder is not None:
            ensure_folder(self.folder)
            file = self.folder / f"{kind}-{hashlib.sha256(account.encode()).hexdigest()[:16]}.json"
        return Budget(limit, self.speed, seconds=seconds, file=file)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[int]:
    handle = open_shared(file, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)
