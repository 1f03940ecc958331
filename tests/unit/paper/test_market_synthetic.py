"""The synthetic market, judged by signals computed here from its bars, apart from the project's strategies."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from tbot_bot.paper.market import SessionBars
from tbot_bot.paper.market_synthetic import SyntheticMarket
from tbot_bot.paper.sessions import TradingCalendar, calendar_around

FIRST = date(2026, 1, 5)


@pytest.fixture(scope="module")
def calendar() -> TradingCalendar:
    return calendar_around(FIRST)


@pytest.fixture(scope="module")
def market(calendar: TradingCalendar) -> SyntheticMarket:
    return SyntheticMarket(7, 600, calendar)


def candidates(market: SyntheticMarket, bars: SessionBars, average: np.ndarray, minute: int) -> list[int]:
    """The seeds' default screen at a minute."""
    rows = []
    for row, item in enumerate(market.instruments):
        price, opened = bars.close[row, minute], bars.open[row, 0]
        if (
            item.tradable
            and item.market_cap is not None
            and 2e9 <= item.market_cap <= 10e9
            and item.pe_ratio is not None
            and 0 < item.pe_ratio <= 50
            and item.debt_equity is not None
            and item.debt_equity <= Decimal("2.5")
            and 50_000 <= price <= 1_000_000
            and average[row] >= 1_000_000
            and abs(price / opened - 1) <= 0.1
        ):
            rows.append(row)
    return rows


def open_signal(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> int:
    top, bottom = high[:20].max(), low[:20].min()
    for price in close[20:30]:
        if price > top * 1.02:
            return 1
        if price < bottom * 0.98:
            return -1
    return 0


def adx(high: np.ndarray, low: np.ndarray, close: np.ndarray, length: int = 14) -> float:
    """Wilder's."""
    up, down = high[1:] - high[:-1], low[:-1] - low[1:]
    plus = np.where((up > down) & (up > 0), up, 0.0)
    minus = np.where((down > up) & (down > 0), down, 0.0)
    true = np.maximum.reduce([high[1:] - low[1:], abs(high[1:] - close[:-1]), abs(low[1:] - close[:-1])])
    sums = [array[:length].sum() for array in (plus, minus, true)]
    index = []
    for at in range(length - 1, len(true)):
        if at >= length:
            sums = [s - s / length + array[at] for s, array in zip(sums, (plus, minus, true), strict=True)]
        total = sums[0] + sums[1]
        index.append(100 * abs(sums[0] - sums[1]) / total if total else 0.0)
    value = float(np.mean(index[:length]))
    for dx in index[length:]:
        value += (dx - value) / length
    return value


def mid_signal(high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray) -> int:
    for at in range(75, 85):
        upto = slice(0, at + 1)
        typical = (high[upto] + low[upto] + close[upto]) / 3
        distance = close[at] / ((typical * volume[upto]).sum() / volume[upto].sum()) - 1
        if abs(distance) < 0.02:
            continue
        window = close[at - 19 : at + 1]
        outside = (close[at] - window.mean()) * np.sign(distance) > 2 * window.std()
        if outside and adx(high[upto], low[upto], close[upto]) <= 25:
            return -int(np.sign(distance))
    return 0


def close_signal(bars: SessionBars, row: int) -> int:
    start = bars.minutes - 90
    close = bars.close[row].astype(float)
    edges = np.concatenate([[float(bars.open[row, 0])], close[4:start:5]])
    sigma = (edges[1:] / edges[:-1] - 1).std()
    r = close[start + 4] / close[start - 1] - 1
    for at in range(start + 5, start + 10):
        upto = slice(0, at + 1)
        typical = (bars.high[row, upto] + bars.low[row, upto] + close[upto]) / 3
        vwap = (typical * bars.volume[row, upto]).sum() / bars.volume[row, upto].sum()
        day = close[at] / bars.open[row, 0] - 1
        if 1 <= abs(r / sigma) < 3 and r * day > 0 and (close[at] - vwap) * r > 0:
            return int(np.sign(r))
    return 0


def signals(market: SyntheticMarket, bars: SessionBars, average: np.ndarray) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"open": [], "mid": [], "close": []}
    for row in candidates(market, bars, average, 19):
        found["open"].append(open_signal(bars.high[row], bars.low[row], bars.close[row]))
    for row in candidates(market, bars, average, 74):
        arrays = [array[row].astype(float) for array in (bars.high, bars.low, bars.close, bars.volume)]
        found["mid"].append(mid_signal(*arrays))
    for row in candidates(market, bars, average, bars.minutes - 86):
        found["close"].append(close_signal(bars, row))
    return {window: [signal for signal in made if signal] for window, made in found.items()}


def test_nearly_every_session_has_three_signals_in_each_window_and_both_directions(
    market: SyntheticMarket, calendar: TradingCalendar
) -> None:
    good = 0
    both = {"open": 0, "mid": 0, "close": 0}
    days = calendar.between(FIRST, date(2026, 12, 31))[:40]
    for day in days:
        volumes = [daily.volume for past in calendar.before(day.day, 20) if (daily := market.daily(past.day))]
        made = signals(market, market.session(day.day), np.mean(volumes, axis=0))
        good += all(len(window) >= 3 for window in made.values())
        for window, directions in made.items():
            both[window] += {1, -1} <= set(directions)
    assert good >= 38
    assert min(both.values()) >= 36


def test_half_days_have_signals_too(market: SyntheticMarket, calendar: TradingCalendar) -> None:
    day = calendar.on(date(2026, 11, 27))
    assert day is not None
    assert day.minutes == 210
    volumes = [daily.volume for past in calendar.before(day.day, 20) if (daily := market.daily(past.day))]
    made = signals(market, market.session(day.day), np.mean(volumes, axis=0))
    assert all(len(window) >= 3 for window in made.values())


def test_breakouts_end_in_different_ways(market: SyntheticMarket, calendar: TradingCalendar) -> None:
    ends = []
    for day in calendar.between(FIRST, date(2026, 3, 1))[:20]:
        bars = market.session(day.day)
        for row in range(len(market.instruments)):
            if open_signal(bars.high[row], bars.low[row], bars.close[row]) == 1:
                entry = next(at for at in range(20, 30) if bars.close[row, at] > bars.high[row, :20].max() * 1.02)
                ends.append(bars.close[row, min(entry + 30, bars.minutes - 1)] / bars.close[row, entry] - 1)
    outcome = np.array(ends)
    assert (outcome > 0.03).sum() >= 5
    assert (outcome < -0.015).sum() >= 5
    assert (abs(outcome) < 0.012).sum() >= 5


def test_a_session_is_made_again_alone_exactly_as_it_was(market: SyntheticMarket, calendar: TradingCalendar) -> None:
    day = date(2026, 3, 10)
    for earlier in calendar.before(day, 5):
        market.session(earlier.day)
    told, alone = market.session(day), SyntheticMarket(7, 600, calendar).session(day)
    for name in ("open", "high", "low", "close", "volume", "halted", "high_first", "previous_close"):
        assert (getattr(told, name) == getattr(alone, name)).all(), name


def test_another_seed_is_another_market(market: SyntheticMarket, calendar: TradingCalendar) -> None:
    other = SyntheticMarket(8, 600, calendar)
    assert (other.session(FIRST).close[40:80] != market.session(FIRST).close[40:80]).mean() > 0.9


def test_the_previous_close_is_the_last_sessions_close(market: SyntheticMarket, calendar: TradingCalendar) -> None:
    fresh = SyntheticMarket(7, 600, calendar)
    before = fresh.session(date(2026, 1, 6)).previous_close
    daily = market.daily(date(2026, 1, 5))
    assert daily is not None
    assert (before == daily.close).all()


def test_bars_are_sound(market: SyntheticMarket) -> None:
    bars = market.session(FIRST)
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low >= 100).all()
    for array in (bars.open, bars.high, bars.low, bars.close):
        assert (array % 100 == 0).all()
    assert bars.halted.any()
    assert (bars.volume[bars.halted] == 0).all()


def test_volume_and_volatility_are_u_shaped(market: SyntheticMarket) -> None:
    bars = market.session(FIRST)
    by_minute = bars.volume.sum(axis=0)
    assert by_minute[:30].mean() > 1.5 * by_minute[150:240].mean()
    assert by_minute[-30:].mean() > 1.3 * by_minute[150:240].mean()
    moves = abs(np.diff(np.log(bars.close), axis=1)).mean(axis=0)
    assert moves[:10].mean() > 1.3 * moves[150:240].mean()


def test_inverse_funds_go_against_the_market(market: SyntheticMarket) -> None:
    bars = market.session(FIRST)
    returns = {
        name: np.diff(np.log(bars.close[market.index[name], ::10].astype(float))) for name in ("SPY", "SH", "SPXU")
    }
    assert np.corrcoef(returns["SPY"], returns["SH"])[0, 1] < -0.8
    assert returns["SPXU"].std() > 2 * returns["SPY"].std()


def test_vix_is_known_and_above_fifteen_in_the_first_sessions(
    market: SyntheticMarket, calendar: TradingCalendar
) -> None:
    first = [market.vix_close(day.day) for day in calendar.before(FIRST, 3)]
    assert all(value is not None and value > 15 for value in first)
    year = [float(value) for day in calendar.between(FIRST, date(2026, 12, 31)) if (value := market.vix_close(day.day))]
    assert np.mean([(13 <= value <= 32) for value in year]) > 0.85


def test_the_universe_gives_screens_something_to_refuse(market: SyntheticMarket) -> None:
    items = market.instruments
    assert len({item.symbol for item in items}) == len(items) == 600
    assert {"NASDAQ", "NYSE", "ARCA", "AMEX", "OTC"} <= {item.exchange for item in items}
    for flag in ("tradable", "shortable", "easy_to_borrow", "fractionable"):
        assert {getattr(item, flag) for item in items} == {True, False}
    assert any(item.pe_ratio is None for item in items)
    assert any(item.debt_equity is None for item in items)
    assert {"SH", "PSQ", "DOG", "RWM", "SEF", "REW", "REK", "DUG", "RXD", "SIJ", "SPY"} <= set(market.index)
