"""One budget of requests for all that a process asks of a broker, with room kept for exits and cancels.

The budget lives in this process: bot and universe worker each hold one, so an account's limit is shared only through
the broker's own `X-RateLimit-Remaining`, which every answer teaches. A budget shared through a file comes later.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tbot_bot.ports.clock import MarketClock

ALPACA_PER_MINUTE = 200
RESERVE = 0.2
_URGENT_PATIENCE_S = 1.0


class Urgency(Enum):
    """ROUTINE: entries, data, polls. URGENT: what ends a position (exits, cancels, what is open and held);
    may use the reserve."""

    ROUTINE = "routine"
    URGENT = "urgent"


class Budget:
    """A token bucket: `per_minute` requests a market minute, of which the `reserve` fraction only URGENT ones get.

    `speed`: market seconds per real second; an accelerated venue's minute is shorter. Thread-safe."""

    def __init__(
        self,
        per_minute: int,
        speed: Callable[[], float],
        *,
        reserve: float = RESERVE,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._lock = threading.Lock()
        self._limit = float(per_minute)
        self._tokens = float(per_minute)
        self._reserve = reserve
        self._speed = speed
        self._monotonic = monotonic
        self._sleep = sleep
        self._filled_at = monotonic()

    def take(self, urgency: Urgency, timeout: float) -> bool:
        """Wait up to `timeout` real seconds for one request's room; False = there is none, so do not send.

        An URGENT request waits a second at most and is then let through: the broker may refuse it, we never do."""
        urgent = urgency is Urgency.URGENT
        deadline = self._monotonic() + (min(timeout, _URGENT_PATIENCE_S) if urgent else timeout)
        while True:
            wait = self._try_take(urgent)
            if wait <= 0:
                return True
            left = deadline - self._monotonic()
            if wait > left:
                return urgent
            self._sleep(wait)

    def learn(self, limit: int | None, remaining: int | None) -> None:
        """What the broker's headers said: its limit a minute, and how many requests are left of it."""
        with self._lock:
            self._refill()
            if limit is not None and limit > 0:
                self._limit = float(limit)
            if remaining is not None and remaining >= 0:
                self._tokens = min(self._tokens, float(remaining))

    def _try_take(self, urgent: bool) -> float:
        """0 when a token was taken, else the seconds until one can be."""
        with self._lock:
            rate = self._refill()
            floor = 0.0 if urgent else self._limit * self._reserve
            if self._tokens - 1 >= floor:
                self._tokens -= 1
                return 0.0
            return (floor + 1 - self._tokens) / rate + 1e-4

    def _refill(self) -> float:
        """Add what time has earned; returns tokens per real second."""
        rate = self._limit * max(self._speed(), 1.0) / 60
        now = self._monotonic()
        self._tokens = min(self._limit, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        return rate


@dataclass(frozen=True, slots=True)
class RateLimiter:
    """An account's budgets: orders and account questions, and market data, which brokers count apart."""

    trading: Budget
    data: Budget


def alpaca_limiter(clock: MarketClock) -> RateLimiter:
    """200 a minute each until the headers say otherwise; filled at the clock's speed."""
    return RateLimiter(
        Budget(ALPACA_PER_MINUTE, lambda: clock.speed),
        Budget(ALPACA_PER_MINUTE, lambda: clock.speed),
    )
