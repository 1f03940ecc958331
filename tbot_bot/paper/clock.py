"""The virtual clock: market time that runs at a chosen speed and jumps over nights, weekends and holidays."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import accumulate

from tbot_bot.paper.sessions import MINUTE_MS, TradingDay

AFTER_CLOSE_MS = 2 * MINUTE_MS
RESERVED_REAL_SECONDS = Decimal("0.25")


class VirtualClock:
    """Milliseconds of market time, never going back, not even over a kill.

    `save_mark` makes a time durable; it is called ahead of every time served, so that a restart that begins at
    the saved mark is later than anything anyone saw. `monotonic` gives real seconds.
    """

    def __init__(
        self,
        days: Sequence[TradingDay],
        start_minutes: int,
        speed: Decimal,
        monotonic: Callable[[], float],
        save_mark: Callable[[int], None],
        begin_ms: int,
        running: bool,
    ) -> None:
        self._starts = [day.open_ms - start_minutes * MINUTE_MS for day in days]
        lengths = [day.close_ms + AFTER_CLOSE_MS - start for day, start in zip(days, self._starts, strict=True)]
        self._offsets = [0, *accumulate(lengths)]
        self._monotonic = monotonic
        self._save_mark = save_mark
        self._speed = speed
        self._running = running
        self._anchor_offset = self._offset_of(begin_ms)
        self._anchor_real = monotonic()
        self._mark = begin_ms
        self._reserve()

    @property
    def speed(self) -> Decimal:
        return self._speed

    @property
    def running(self) -> bool:
        return self._running

    def now_ms(self) -> int:
        now = self._time_at(self._offset())
        if now > self._mark:
            self._mark = now
            self._reserve()
        return now

    def set_speed(self, speed: Decimal) -> None:
        self._anchor()
        self._speed = speed

    def pause(self) -> None:
        self._anchor()
        self._running = False

    def run(self) -> None:
        self._anchor()
        self._running = True

    def skip_to(self, time_ms: int) -> bool:
        """Moves forward to `time_ms`, or to the next virtual day where that is a night. False for the past."""
        if time_ms < self.now_ms():
            return False
        self._anchor_offset = self._offset_of(time_ms)
        self._anchor_real = self._monotonic()
        return True

    def _anchor(self) -> None:
        self._anchor_offset = self._offset()
        self._anchor_real = self._monotonic()

    def _offset(self) -> int:
        """Trading milliseconds since the first virtual day began."""
        if not self._running:
            return self._anchor_offset
        elapsed = Decimal(self._monotonic() - self._anchor_real)
        return min(self._anchor_offset + int(elapsed * self._speed * 1000), self._offsets[-1])

    def _time_at(self, offset: int) -> int:
        at = min(bisect_right(self._offsets, offset) - 1, len(self._starts) - 1)
        return self._starts[at] + offset - self._offsets[at]

    def _offset_of(self, time_ms: int) -> int:
        at = bisect_right(self._starts, time_ms) - 1
        if at < 0:
            return 0
        return min(self._offsets[at] + time_ms - self._starts[at], self._offsets[at + 1])

    def _reserve(self) -> None:
        self._mark += max(1000, int(RESERVED_REAL_SECONDS * self._speed * 1000))
        self._save_mark(self._mark)
