"""A made-up market: any session can be generated again, alone, from (seed, number of symbols, date)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from tbot_bot.paper.market import Bools, DailyBars, Floats, Instrument, Ints, SessionBars, SessionCache, daily_from
from tbot_bot.paper.sessions import TradingCalendar, TradingDay
from tbot_bot.paper.stories import Story, choose_rows, write_stories
from tbot_bot.paper.universe import MARKET_FACTOR, SECTORS, build_universe

MEMORY = 60
DECAY = 0.95
MARKET_VOLATILITY = 0.0065
SECTOR_VOLATILITY = 0.004
_VIX_MEAN, _VIX_DECAY, _VIX_VOLATILITY = 19.0, 0.93, 0.05


@dataclass(frozen=True, slots=True)
class _Shocks:
    """Log returns of one session: overnight `gap`; open to close of the market, the sectors, each symbol alone."""

    gap: Floats
    market: float
    sectors: Floats
    own: Floats
    total: Floats


class SyntheticMarket:
    """Prices wander around a level with a memory of `MEMORY` sessions; symbols share market and sector moves."""

    def __init__(self, seed: int, count: int, calendar: TradingCalendar) -> None:
        self._seed = seed
        self._universe = build_universe(seed, count)
        self._calendar = calendar
        self._index = {item.symbol: row for row, item in enumerate(self._universe.instruments)}
        self._days = tuple(day.day for day in calendar.days[MEMORY:])
        self._shocks: dict[date, _Shocks] = {}
        self._sessions = SessionCache(self._generate)
        self._daily: dict[date, DailyBars] = {}
        member = self._universe.factor
        self._share = self._universe.multiple == 0
        self._market_weight = np.where(self._share, self._universe.beta, self._universe.multiple)
        self._sector_weight = np.where(self._share, 1.0, self._universe.multiple) * (member != MARKET_FACTOR)

    @property
    def instruments(self) -> Sequence[Instrument]:
        return self._universe.instruments

    @property
    def index(self) -> Mapping[str, int]:
        return self._index

    @property
    def half_spread(self) -> Floats:
        return self._universe.half_spread

    @property
    def days(self) -> Sequence[date]:
        return self._days

    def session(self, day: date) -> SessionBars:
        return self._sessions.get(day)

    def daily(self, day: date) -> DailyBars | None:
        if day not in self._daily:
            if self._calendar.on(day) is None or self._calendar.position(day) < MEMORY:
                return None
            kept = self._sessions.peek(day)
            self._daily[day] = daily_from(kept if kept is not None else self._generate(day))
        return self._daily[day]

    def vix_close(self, day: date) -> Decimal | None:
        at = self._calendar.position(day)
        if at < MEMORY or self._calendar.on(day) is None:
            return None
        level = np.log(_VIX_MEAN)
        for age in range(MEMORY):
            past = self._calendar.days[at - age].day
            level += _VIX_DECAY**age * _VIX_VOLATILITY * self._rng(past, 7).standard_normal()
        return Decimal(str(round(max(float(np.exp(level)), 10.5), 2)))

    def _rng(self, day: date, stream: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, day.toordinal(), stream])

    def _shock(self, day: date) -> _Shocks:
        found = self._shocks.get(day)
        if found is not None:
            return found
        universe, rng = self._universe, self._rng(day, 1)
        common = rng.standard_normal(2 + 2 * len(SECTORS))
        sector_gap = common[2 : 2 + len(SECTORS)] * SECTOR_VOLATILITY * 0.4
        sectors = common[2 + len(SECTORS) :] * SECTOR_VOLATILITY
        market_gap, market = common[0] * MARKET_VOLATILITY * 0.5, common[1] * MARKET_VOLATILITY + 0.0002
        own = rng.standard_normal((len(universe.instruments), 2)) * universe.volatility[:, None]
        surprise = rng.random((len(universe.instruments), 2))
        jump = np.where(surprise[:, 0] < 0.008, np.where(surprise[:, 1] < 0.5, -0.07, 0.07), 0.0) * self._share
        gap = self._market_weight * market_gap + self._sector_weight * sector_gap[universe.factor]
        gap = gap + own[:, 0] * 0.4 + jump
        total = self._market_weight * market + self._sector_weight * sectors[universe.factor] + own[:, 1] * 0.8
        found = _Shocks(gap, float(market), sectors, own[:, 1] * 0.8, total)
        self._shocks[day] = found
        return found

    def _opening(self, day: date) -> Floats:
        """Dollars [symbol] at the session's open: the level that the last `MEMORY` sessions' returns add up to."""
        at = self._calendar.position(day)
        level: Floats = np.zeros(len(self._universe.instruments))
        for age in range(MEMORY):
            past = self._shock(self._calendar.days[at - age].day)
            level += DECAY**age * (past.gap + past.total if age else past.gap)
        prices: Floats = np.maximum(np.rint(self._universe.base_price * np.exp(level) * 100), 50) / 100
        return prices

    def _stories(self, day: TradingDay, opening: Floats) -> list[Story]:
        rng = self._rng(day.day, 6)
        return write_stories(choose_rows(self._universe, opening, rng), day.minutes, rng)

    def _paths(self, day: TradingDay, stories: Sequence[Story]) -> Floats:
        """Log price over the open at the end of each minute [symbol, minute]."""
        shock, universe, minutes = self._shock(day.day), self._universe, day.minutes
        shape = _busy(minutes, 0.9, 1.2)
        rng = self._rng(day.day, 2)
        market = _bridge(rng.standard_normal((1, minutes)) * MARKET_VOLATILITY, shape, np.array([shock.market]))
        sectors = _bridge(
            rng.standard_normal((len(SECTORS), minutes)) * SECTOR_VOLATILITY, shape, np.asarray(shock.sectors)
        )
        own = self._rng(day.day, 3).standard_normal((len(universe.instruments), minutes))
        path = _bridge(own * (universe.volatility * 0.8)[:, None], shape, shock.own)
        path += self._market_weight[:, None] * market + self._sector_weight[:, None] * sectors[universe.factor]
        for story in stories:
            path[story.row] = 0.1 * market[0] + story.path
        return path

    def _generate(self, day: date) -> SessionBars:
        entry = self._calendar.on(day)
        if entry is None or self._calendar.position(day) < MEMORY:
            raise KeyError(day)
        opening = self._opening(day)
        stories = self._stories(entry, opening)
        path = self._paths(entry, stories)
        rng = self._rng(day, 4)
        halted = self._halts(day, path, stories)
        close = opening[:, None] * np.exp(path)
        opens = np.concatenate([opening[:, None], close[:, :-1]], axis=1)
        wick = rng.random((*path.shape, 2), dtype=np.float32)
        reach = np.abs(np.diff(path, axis=1, prepend=0.0)) * 0.25 + (self._universe.volatility / 90)[:, None]
        open_, close_ = _cents(opens), _cents(close)
        high = np.maximum(_cents(np.maximum(opens, close) * (1 + reach * wick[:, :, 0])), np.maximum(open_, close_))
        low = np.minimum(_cents(np.minimum(opens, close) * (1 - reach * wick[:, :, 1])), np.minimum(open_, close_))
        volume = self._volumes(day, path.shape, stories)
        volume[halted] = 0
        flat = halted
        high[flat], low[flat] = close_[flat], close_[flat]
        open_[flat] = close_[flat]
        return SessionBars(
            day, entry.open_ms, open_, high, low, close_, volume, halted, wick[:, :, 0] < 0.5, self._previous(day)
        )

    def _halts(self, day: date, path: Floats, stories: Sequence[Story]) -> Bools:
        """Two ordinary shares stand still for some minutes; `path` is held during the halt."""
        rng = self._rng(day, 5)
        halted: Bools = np.zeros(path.shape, dtype=np.bool_)
        ordinary = np.setdiff1d(np.flatnonzero(self._share), [story.row for story in stories])
        for row in rng.choice(ordinary, size=min(2, len(ordinary)), replace=False):
            start = int(rng.integers(30, path.shape[1] - 40))
            end = start + int(rng.integers(5, 11))
            halted[row, start:end] = True
            path[row, start:end] = path[row, start - 1]
        return halted

    def _volumes(self, day: date, shape: tuple[int, ...], stories: Sequence[Story]) -> Ints:
        weight = _busy(shape[1], 1.6, 2.5)
        weight = weight / weight.sum()
        noise = np.exp(0.4 * self._rng(day, 8).standard_normal(shape) - 0.08)
        busy = np.exp(0.25 * self._rng(day, 9).standard_normal(shape[0]) - 0.03)
        volume = (self._universe.volume * busy)[:, None] * weight * noise
        for story in stories:
            volume[story.row] *= story.activity
        counts: Ints = volume.astype(np.int64)
        return counts

    def _previous(self, day: date) -> Ints:
        before = self._calendar.before(day, 1)
        if not before or self._calendar.position(before[0].day) < MEMORY:
            return np.zeros(len(self._universe.instruments), dtype=np.int64)
        daily = self.daily(before[0].day) if before[0].day in self._daily else None
        if daily is not None:
            return daily.close
        return self._closing(before[0])

    def _closing(self, day: TradingDay) -> Ints:
        """The session's last prices, without its bars."""
        opening = self._opening(day.day)
        stories = self._stories(day, opening)
        path = self._paths(day, stories)
        self._halts(day.day, path, stories)
        return _cents(opening * np.exp(path[:, -1]))


def _busy(minutes: int, edge: float, opening: float) -> Floats:
    """A U over the session with a rush at the open."""
    x = np.linspace(-1, 1, minutes)
    shape: Floats = 0.6 + edge * x**2 + opening * np.exp(-np.arange(minutes) / 12)
    return shape


def _bridge(steps: Floats, shape: Floats, target: Floats) -> Floats:
    """Random walks [row, minute] from `steps` of daily volatility, shaped over the session, that end at `target`."""
    minutes = steps.shape[1]
    path: Floats = np.cumsum(steps * (shape / np.sqrt((shape**2).sum())), axis=1)
    path += (target - path[:, -1])[:, None] * (np.arange(1, minutes + 1) / minutes)
    return path


def _cents(dollars: Floats) -> Ints:
    """Ticks of whole cents, at least one."""
    ticks: Ints = np.maximum(np.rint(dollars * 100), 1).astype(np.int64) * 100
    return ticks
