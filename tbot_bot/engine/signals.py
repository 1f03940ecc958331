"""One window's eyes: which symbols signal in this minute, and which came nearest."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.domain.market import Fundamentals, Symbol
from tbot_bot.domain.session import StrategyName, Window
from tbot_bot.domain.settings import BotSettings
from tbot_bot.domain.verdict import Denied
from tbot_bot.engine.tracks import Track, Tracks, range_of
from tbot_bot.strategy import close as close_kernel
from tbot_bot.strategy import mid as mid_kernel
from tbot_bot.strategy import open as open_kernel
from tbot_bot.strategy.filters import adx as adx_filter
from tbot_bot.strategy.filters import bollinger as bollinger_filter
from tbot_bot.strategy.indicators import Range, to_ppm

NEAREST = 5


@dataclass(frozen=True, slots=True)
class Signal:
    """side +1 long, −1 bearish; distances are fractions of the signal symbol's price."""

    symbol: Symbol
    side: int
    score: float
    stop_distance: Decimal
    target_distance: Decimal | None
    words: str


@dataclass(frozen=True, slots=True)
class Near:
    """How far a symbol came: `seen` of `needed`, in the strategy's own measure."""

    symbol: Symbol
    side: int
    needed: float
    seen: float
    reason: str

    @property
    def closeness(self) -> float:
        return self.seen / self.needed if self.needed else self.seen


class Watcher(ABC):
    """Signals of one window. A symbol signals once; one without enough analysis bars is `thin` and skipped."""

    def __init__(self, window: Window, tracks: Tracks, least_coverage: Decimal) -> None:
        self.window = window
        self.thin: set[Symbol] = set()
        self.signalled: set[Symbol] = set()
        self._tracks = tracks
        self._near: dict[Symbol, Near] = {}
        self._ready: set[Symbol] = set()
        self._first = tracks.minute(window.start)
        self._end = tracks.minute(window.analysis_end)
        self._least = least_coverage * (self._end - self._first)

    def look(self, fresh: list[Symbol]) -> list[Signal]:
        """This minute's new signals in rank order: score, ties by symbol."""
        found = [signal for symbol in fresh if (signal := self._look_at(symbol)) is not None]
        self.signalled.update(signal.symbol for signal in found)
        found.sort(key=lambda s: (-s.score, s.symbol))
        return found

    def nearest(self) -> list[Near]:
        """Up to five symbols that came nearest without a signal, the nearest first."""
        missed = [near for symbol, near in self._near.items() if symbol not in self.signalled]
        missed.sort(key=lambda n: (-n.closeness, n.symbol))
        return missed[:NEAREST]

    def _look_at(self, symbol: Symbol) -> Signal | None:
        if symbol in self.signalled or symbol in self.thin:
            return None
        track = self._tracks.of[symbol]
        if symbol not in self._ready:
            bars = track.between(self._first, self._end)
            if not bars or len(bars) < self._least or not self.prepare(symbol, track):
                self.thin.add(symbol)
                return None
            self._ready.add(symbol)
        return self.judge(symbol, track)

    def note(self, near: Near) -> None:
        """Remember the nearest moment of a symbol."""
        known = self._near.get(near.symbol)
        if known is None or near.closeness > known.closeness:
            self._near[near.symbol] = near

    @abstractmethod
    def prepare(self, symbol: Symbol, track: Track) -> bool:
        """What the analysis window teaches of a symbol, once; False = not enough to judge by."""

    @abstractmethod
    def judge(self, symbol: Symbol, track: Track) -> Signal | None:
        """The signal of the bar that just closed, else None and a note of how near it came."""


class OpenWatcher(Watcher):
    """Opening range breakout."""

    def __init__(
        self, window: Window, tracks: Tracks, settings: BotSettings, facts: dict[Symbol, Fundamentals]
    ) -> None:
        super().__init__(window, tracks, settings.filters.min_analysis_coverage)
        self._own = settings.strategies.open
        self._buffer = to_ppm(self._own.open_buffer)
        self._facts = facts
        self._analysis: dict[Symbol, tuple[Range, int, float]] = {}

    def prepare(self, symbol: Symbol, track: Track) -> bool:
        bars = track.between(self._first, self._end)
        facts = self._facts.get(symbol)
        relative = open_kernel.relative_volume(
            sum(bar.volume for bar in bars),
            facts.average_volume if facts else None,
            self._end - self._first,
            self._tracks.session_minutes,
        )
        self._analysis[symbol] = (range_of(bars), bars[0].open, relative)
        return True

    def judge(self, symbol: Symbol, track: Track) -> Signal | None:
        opening, first_open, relative = self._analysis[symbol]
        side = open_kernel.signal(track.close, opening, self._buffer)
        if side == 0:
            near, seen = open_kernel.reach(track.close, opening)
            self.note(Near(symbol, near, float(self._own.open_buffer), seen, "no close beyond the range and buffer"))
            return None
        stop = open_kernel.stop_distance(side, track.close, opening, self._own.stop_pct)
        target = open_kernel.target_distance(stop, self._own.target_r_open)
        edge = f"high {opening.high / 1e4:.2f}" if side > 0 else f"low {opening.low / 1e4:.2f}"
        words = f"close {track.price:.2f} broke the opening range's {edge}"
        score = open_kernel.score(relative, first_open, track.close)
        return Signal(symbol, side, score, stop, target, words)


class MidWatcher(Watcher):
    """Reversion to VWAP."""

    def __init__(self, window: Window, tracks: Tracks, settings: BotSettings) -> None:
        super().__init__(window, tracks, settings.filters.min_analysis_coverage)
        self._own = settings.strategies.mid
        self._threshold = to_ppm(self._own.vwap_threshold)

    def prepare(self, symbol: Symbol, track: Track) -> bool:
        return track.session_open > 0

    def judge(self, symbol: Symbol, track: Track) -> Signal | None:
        side = mid_kernel.side(track.close, track.vwap, self._threshold)
        away = mid_kernel.deviation(track.close, track.vwap)
        if side == 0:
            self._miss(symbol, -1 if away > 0 else 1, abs(away), "VWAP deviation is too small")
            return None
        verdicts = (
            adx_filter.judge(track.adx, float(self._own.adx_max)),
            bollinger_filter.judge(track.bands, track.close, side),
        )
        for verdict in verdicts:
            if isinstance(verdict, Denied):
                self._miss(symbol, side, abs(away), verdict.reason)
                return None
        score = mid_kernel.score(track.close, track.vwap, track.bands)
        words = f"close {track.price:.2f} is {away:+.1%} from VWAP, ADX {track.adx.adx:.0f}"
        return Signal(symbol, side, score, self._own.stop_pct, None, words)

    def _miss(self, symbol: Symbol, side: int, seen: float, reason: str) -> None:
        self.note(Near(symbol, side, float(self._own.vwap_threshold), seen, reason))


class CloseWatcher(Watcher):
    """Late-day fade or momentum."""

    def __init__(self, window: Window, tracks: Tracks, settings: BotSettings) -> None:
        super().__init__(window, tracks, settings.filters.min_analysis_coverage)
        self._own = settings.strategies.close
        self._drift: dict[Symbol, close_kernel.Drift] = {}

    def prepare(self, symbol: Symbol, track: Track) -> bool:
        if track.session_open == 0:
            return False
        marks = track.marks(self._end, self._end - self._first)
        found = close_kernel.drift(marks, range_of(track.between(self._first, self._end)))
        if found is None:
            return False
        self._drift[symbol] = found
        return True

    def judge(self, symbol: Symbol, track: Track) -> Signal | None:
        found = self._drift[symbol]
        fade, momentum = float(self._own.fade_z), float(self._own.momentum_z)
        side = close_kernel.side(track.close, track.session_open, found, track.vwap, fade, momentum)
        if side == 0:
            why = "z is too small" if abs(found.z) < momentum else "z is large enough, but the close did not confirm it"
            self.note(Near(symbol, 1 if found.r > 0 else -1, momentum, abs(found.z), why))
            return None
        kind = "fade" if abs(found.z) >= fade else "momentum"
        words = f"{kind}: z {found.z:+.1f} over the analysis window"
        return Signal(symbol, side, abs(found.z), self._own.stop_pct, None, words)


def watcher(window: Window, tracks: Tracks, settings: BotSettings, facts: dict[Symbol, Fundamentals]) -> Watcher:
    """The eyes for a window's strategy."""
    if window.strategy is StrategyName.OPEN:
        return OpenWatcher(window, tracks, settings, facts)
    if window.strategy is StrategyName.MID:
        return MidWatcher(window, tracks, settings)
    return CloseWatcher(window, tracks, settings)
