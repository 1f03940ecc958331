"""Turns single bars, pushed or pulled, into whole minutes for the engine, in order and each once."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from tbot_bot.domain.market import Bar, Symbol
from tbot_bot.domain.session import SessionHours
from tbot_bot.engine.events import MinuteClosed

MINUTE = timedelta(minutes=1)
GRACE_REAL_SECONDS = 0.25
LATE_REAL_SECONDS = 1.0


class Minutes:
    """Collects a session's bars.

    A minute is given out when every symbol's bar is there, or when a pull that began after its end (plus grace) has
    answered; what is older than a minute and a second of real time is `late`."""

    def __init__(self, symbols: Iterable[Symbol], hours: SessionHours, speed: float) -> None:
        self._symbols = frozenset(symbols)
        self._hours = hours
        self._grace = timedelta(seconds=GRACE_REAL_SECONDS * speed) if speed > 1 else timedelta(seconds=3)
        self._late = MINUTE + timedelta(seconds=LATE_REAL_SECONDS * speed)
        self._next = hours.open
        self._bars: dict[datetime, dict[Symbol, Bar]] = {}
        self.newest_end: datetime | None = None

    @property
    def symbols(self) -> frozenset[Symbol]:
        return self._symbols

    def add(self, bar: Bar) -> None:
        """Keep a bar; those outside the session, given out already or of other symbols are dropped."""
        if bar.symbol in self._symbols and self._next <= bar.start < self._hours.close:
            self._bars.setdefault(bar.start, {})[bar.symbol] = bar

    def wanted(self, now: datetime) -> tuple[tuple[Symbol, ...], datetime, datetime] | None:
        """(symbols, start, end) of the pull that would complete the minutes that ended; None: nothing is missing."""
        end = self._last_end(now - self._grace)
        if end <= self._next:
            return None
        missing = self._symbols - self._complete(end)
        return (tuple(sorted(missing)), self._next, end) if missing else None

    def pulled(self, bars: Iterable[Bar], end: datetime, now: datetime) -> tuple[MinuteClosed, ...]:
        """Minutes up to `end` after a pull that asked for all of them."""
        for bar in bars:
            self.add(bar)
        return self._give(end, now)

    def complete(self, now: datetime) -> tuple[MinuteClosed, ...]:
        """Minutes whose every bar has come without a pull."""
        end = self._next
        while end < self._last_end(now) and len(self._bars.get(end, ())) == len(self._symbols):
            end += MINUTE
        return self._give(end, now)

    def _complete(self, end: datetime) -> frozenset[Symbol]:
        starts = []
        at = self._next
        while at < end:
            starts.append(frozenset(self._bars.get(at, ())))
            at += MINUTE
        return frozenset.intersection(*starts) if starts else self._symbols

    def _last_end(self, now: datetime) -> datetime:
        """The end of the last whole minute at `now`, within the session."""
        capped = min(now, self._hours.close)
        return self._hours.open + MINUTE * max(0, (capped - self._hours.open) // MINUTE)

    def _give(self, end: datetime, now: datetime) -> tuple[MinuteClosed, ...]:
        out = []
        while self._next < end:
            closes = self._next + MINUTE
            bars = self._bars.pop(self._next, {})
            out.append(MinuteClosed(closes, bars, late=now - closes > self._late))
            self._next = closes
            if bars:
                self.newest_end = closes
        return tuple(out)
