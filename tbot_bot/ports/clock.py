"""Time as a parameter."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, timezone-aware, UTC."""
        ...


class MarketClock(Clock, Protocol):
    """The market's time: the wall clock live, the venue's virtual clock on paper."""

    @property
    def speed(self) -> float:
        """Market seconds per real second; 1 live. Ages of data are judged in real seconds: market age / speed."""
        ...
