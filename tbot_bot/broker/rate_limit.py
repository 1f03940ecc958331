"""One budget of requests for all that asks a broker in an account's name, with room kept for exits and cancels.

What was sent in the last minute lies in a small file that all processes of the same user share under a lock; without a
file it belongs to this process. The broker's own headers teach it what others have sent."""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tbot_bot.support.atomic_file import ensure_folder, open_shared

RESERVE = 0.2
_URGENT_PATIENCE_S = 1.0
_LOCK_PATIENCE_S = 0.25
"""How long the file's lock is waited for: a process that was stopped while holding it must not keep an exit."""
_GRAINS = 24
"""A window is counted in so many parts; each is forgotten when its newest request is a window old."""
_MAX_ROWS = 60
_MAX_FILE = 4096
_MAX_LIMIT = 1e9
_log = logging.getLogger("tbot.rate")


class Urgency(Enum):
    """ROUTINE: entries, data, polls. URGENT: what ends a position (exits, cancels, what is open and held);
    may use the reserve."""

    ROUTINE = "routine"
    URGENT = "urgent"


@dataclass(slots=True)
class _State:
    """`spent`: (when, seconds since the machine started; how many requests), oldest first."""

    limit: float
    spent: list[tuple[float, float]] = field(default_factory=list)

    def used(self) -> float:
        return sum(count for _, count in self.spent)

    def forget(self, now: float, window: float) -> None:
        """What is older than the window. Another boot's clock may have run further: its requests count as of now."""
        self.spent = [(min(at, now), count) for at, count in self.spent if now - at < window]

    def add(self, at: float, count: float, grain: float) -> None:
        """Requests of the same part of a window are one row, as old as its newest."""
        same = [row for row in self.spent if row[0] // grain == at // grain]
        rows = [row for row in self.spent if row not in same]
        rows.append((max([at, *(row[0] for row in same)]), count + sum(row[1] for row in same)))
        rows.sort()
        while len(rows) > _MAX_ROWS:
            rows[:2] = [(rows[1][0], rows[0][1] + rows[1][1])]
        self.spent = rows

    def wait(self, now: float, window: float, missing: float) -> float:
        """Seconds until so many requests are forgotten."""
        for at, count in self.spent:
            missing -= count
            if missing <= 0:
                return max(at + window - now, 0.0) + 1e-4
        return window


class Budget:
    """At most `limit` requests in any `seconds` of the market; the `reserve` fraction is for URGENT ones alone.

    `speed`: market seconds per real second; an accelerated venue's minute is shorter. `file`: where it is shared; one
    that is damaged begins spent, since nobody knows what was sent, and one that cannot be used is done without.
    Thread-safe, and safe between processes."""

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
        self._own = _State(float(limit))
        self._alone = False

    def take(self, urgency: Urgency, timeout: float, weight: int = 1) -> bool:
        """Wait up to `timeout` real seconds for the room of `weight` requests; False = there is none, so do not send.

        An URGENT request waits a second at most and is then let through: the broker may refuse it, we never do."""
        urgent = urgency is Urgency.URGENT
        deadline = self._monotonic() + (min(timeout, _URGENT_PATIENCE_S) if urgent else timeout)
        while True:
            wait = self._try_take(urgent, float(weight), deadline)
            if wait <= 0:
                return True
            if not urgent and wait > deadline - self._monotonic():
                return False
            self._sleep(wait)

    def learn(self, limit: int | None, remaining: int | None, resets: float | None = None) -> None:
        """What the broker's headers said: its limit, how many requests are left of it, and in how many seconds it
        begins to count anew. What we did not send ourselves counts as sent by others."""
        with self._state() as (state, now, window):
            if limit is not None and 0 < limit < _MAX_LIMIT:
                state.limit = float(limit)
            if remaining is not None and remaining >= 0:
                others = state.limit - state.used() - remaining
                if others > 0:
                    until = window if resets is None else min(max(resets, 0.0), window)
                    state.add(now - window + until, others, window / _GRAINS)

    def _try_take(self, urgent: bool, weight: float, deadline: float) -> float:
        """0 when the request may be sent, and is counted; else the seconds until it can be."""
        with self._state() as (state, now, window):
            most = state.limit * (1.0 if urgent else 1 - self._reserve)
            weight = min(weight, most)
            missing = state.used() + weight - most
            wait = 0.0 if missing <= 1e-9 else state.wait(now, window, missing)
            if wait > 0 and not (urgent and now + wait > deadline):
                return wait
            state.add(now, weight, window / _GRAINS)
            return 0.0

    @contextlib.contextmanager
    def _state(self) -> Iterator[tuple[_State, float, float]]:
        """What was sent, held by nobody else meanwhile and kept afterwards; the time; a window's real seconds."""
        window = self._seconds / max(self._speed(), 1.0)
        with self._lock, self._shared() as handle:
            now = self._monotonic()
            if handle is not None:
                self._own = self._read(handle, now)
            self._own.forget(now, window)
            yield self._own, now, window
            if handle is not None:
                self._keep(handle)

    @contextlib.contextmanager
    def _shared(self) -> Iterator[int | None]:
        """The file under its lock; None: there is none, or it cannot be used, which is said once."""
        handle: int | None = None
        if self._file is not None:
            try:
                handle = _locked(self._file)
            except OSError as error:
                self._go_alone(error)
        try:
            yield handle
        finally:
            if handle is not None:
                os.close(handle)

    def _go_alone(self, error: OSError) -> None:
        if not self._alone:
            why = type(error).__name__
            _log.warning("the shared budget of requests cannot be used", extra={"fields": {"why": why}})
        self._alone = True

    def _keep(self, handle: int) -> None:
        """One write of a fixed length at the beginning: what a kill can leave is the old text or the new one."""
        text = json.dumps({"limit": self._own.limit, "spent": self._own.spent}, separators=(",", ":"))
        try:
            os.pwrite(handle, text.encode().ljust(_MAX_FILE), 0)
        except OSError as error:
            self._go_alone(error)
        else:
            self._alone = False

    def _read(self, handle: int, now: float) -> _State:
        raw = os.pread(handle, _MAX_FILE + 1, 0)
        if not raw:
            return _State(self._most)
        try:
            kept = json.loads(raw)
            state = _State(float(kept["limit"]), sorted((float(at), float(count)) for at, count in kept["spent"]))
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return _State(self._most, [(now, self._most)])
        sane = 0 < state.limit < _MAX_LIMIT and all(0 <= count < _MAX_LIMIT and at >= 0 for at, count in state.spent)
        return state if sane else _State(self._most, [(now, self._most)])


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


def _locked(file: Path) -> int:
    """An open handle that holds the lock; closing gives it back. Raises OSError, TimeoutError among them."""
    handle = open_shared(file, os.O_RDWR)
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return handle
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError("another process keeps the lock") from None
                time.sleep(0.001)
    except BaseException:
        os.close(handle)
        raise
