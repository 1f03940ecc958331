"""What an account's data and trading plan allows, as the broker sells them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """0 means no limit. Requests are per market minute, `symbols` the streamed trades and quotes of one connection,
    `connections` those of one account to the data stream. `sip`: whether the consolidated stream is included."""

    trading_requests: int = 0
    data_requests: int = 0
    symbols: int = 0
    connections: int = 0
    sip: bool = True


PLANS: Mapping[str, Plan] = {
    "open": Plan(),
    "basic": Plan(trading_requests=200, data_requests=200, symbols=30, connections=1, sip=False),
    "plus": Plan(trading_requests=200, data_requests=10_000, connections=1),
    "sandbox": Plan(trading_requests=60, data_requests=60),
}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request found: `reset` in epoch seconds, when `remaining` is `limit` again."""

    limit: int
    remaining: int
    reset: int
    granted: bool

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class Budget:
    """Requests per account and window; a window is a market minute, so a fast clock has short ones."""

    def __init__(
        self,
        limit: int,
        speed: Callable[[], Decimal],
        wall: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._speed = speed
        self._wall = wall
        self._monotonic = monotonic
        self._used: dict[str, tuple[float, int]] = {}

    def take(self, account: str) -> Allowance | None:
        """Counts a request; None without a limit."""
        if not self._limit:
            return None
        now, length = self._monotonic(), 60 / max(float(self._speed()), 0.01)
        ends, used = self._used.get(account, (0.0, 0))
        if now >= ends:
            ends, used = now + length, 0
        granted = used < self._limit
        self._used[account] = (ends, used + granted)
        reset = self._wall().timestamp() + max(ends - now, 0)
        return Allowance(self._limit, self._limit - used - granted, -int(-reset // 1), granted)
