"""Latest quotes, trades, bars and snapshots as JSON text: built by hand, since clients ask for a thousand at a time."""

import json
from collections.abc import Iterable, Sequence

import numpy as np

from tbot_bot.paper.market import DailyBars, Ints, trade_counts
from tbot_bot.paper.sessions import MINUTE_MS, midnight_ms, rfc3339
from tbot_bot.paper.view import MarketView


def bar_text(stamp: str, o: int, h: int, lo: int, c: int, volume: int, count: int, vwap: float) -> str:
    """Prices in ticks, `vwap` too."""
    return (
        f'{{"t":"{stamp}","o":{o / 1e4},"h":{h / 1e4},"l":{lo / 1e4},"c":{c / 1e4},'
        f'"v":{volume},"n":{count},"vw":{round(vwap / 1e4, 6)}}}'
    )


def tape_of(exchange: str) -> str:
    """The tape that carries an exchange's listings."""
    return {"NYSE": "A", "NASDAQ": "C"}.get(exchange, "B")


def quote_sizes(rows: Ints, now_ms: int) -> tuple[Ints, Ints]:
    """Shown sizes in round lots: they flicker with the second."""
    mixed = (rows * 2654435761 + now_ms // 1000 * 40503) % 65521
    return 1 + mixed % 9, 1 + mixed // 9 % 9


def trade_sizes(rows: Ints, now_ms: int) -> Ints:
    sizes: Ints = 10 * (1 + (rows * 7919 + now_ms // 1000 * 104729) % 20)
    return sizes


def last_time(view: MarketView, now_ms: int) -> int:
    """When the present prices were made: now while the market is open, else its last close."""
    day = view.day(now_ms)
    if now_ms >= day.close_ms:
        return day.close_ms
    if now_ms >= day.open_ms:
        return now_ms
    at = view.position(now_ms)
    return view.days[at - 1].close_ms if at else now_ms


def latest_quotes(view: MarketView, names: Sequence[str], rows: Ints, now_ms: int) -> str:
    return _object(names, _quotes(view, rows, now_ms))


def latest_trades(view: MarketView, names: Sequence[str], rows: Ints, now_ms: int) -> str:
    return _object(names, _trades(view, rows, now_ms))


def latest_bars(view: MarketView, names: Sequence[str], rows: Ints, now_ms: int) -> str:
    return _object(names, _minute_bars(view, rows, now_ms))


def snapshots(view: MarketView, names: Sequence[str], rows: Ints, now_ms: int, past: Sequence[DailyBars | None]) -> str:
    """`past`: the sessions before this one, latest first. Before the open the daily bar is still the last session's."""
    days: list[Iterable[str | None]] = [_daily_bars(bars, rows) for bars in past]
    if now_ms >= view.day(now_ms).open_ms:
        days.insert(0, _running_bars(view, rows, now_ms))
    empty: list[str | None] = [None] * len(names)
    days += [empty, empty]
    parts = zip(
        names,
        _trades(view, rows, now_ms),
        _quotes(view, rows, now_ms),
        _minute_bars(view, rows, now_ms),
        days[0],
        days[1],
        strict=True,
    )
    shown = [
        f'{json.dumps(name)}:{{"latestTrade":{trade},"latestQuote":{quote}'
        f"{_part('minuteBar', minute)}{_part('dailyBar', daily)}{_part('prevDailyBar', before)}}}"
        for name, trade, quote, minute, daily, before in parts
        if trade is not None
    ]
    return "{" + ",".join(shown) + "}"


def _part(name: str, value: str | None) -> str:
    """What is not known is left out."""
    return "" if value is None else f',"{name}":{value}'


def _object(names: Sequence[str], values: Iterable[str | None]) -> str:
    shown = [f"{json.dumps(name)}:{value}" for name, value in zip(names, values, strict=True) if value is not None]
    return "{" + ",".join(shown) + "}"


def _quotes(view: MarketView, rows: Ints, now_ms: int) -> list[str | None]:
    _, bid, ask = view.quotes(rows, now_ms)
    stamp = rfc3339(last_time(view, now_ms))
    bid_size, ask_size = quote_sizes(rows, now_ms)
    columns = zip(bid.tolist(), ask.tolist(), bid_size.tolist(), ask_size.tolist(), _tapes(view, rows), strict=True)
    return [
        f'{{"t":"{stamp}","ax":"V","ap":{a / 1e4},"as":{s},"bx":"V","bp":{b / 1e4},"bs":{z},"c":["R"],"z":"{tape}"}}'
        if a
        else None
        for b, a, z, s, tape in columns
    ]


def _tapes(view: MarketView, rows: Ints) -> list[str]:
    return [tape_of(view.market.instruments[row].exchange) for row in rows.tolist()]


def _trades(view: MarketView, rows: Ints, now_ms: int) -> list[str | None]:
    prices = view.prices(rows, now_ms).tolist()
    at = last_time(view, now_ms)
    stamp = rfc3339(at)
    sizes = trade_sizes(rows, now_ms).tolist()
    return [
        f'{{"t":"{stamp}","x":"V","p":{price / 1e4},"s":{size},"c":["@"],"i":{at % 10**9},"z":"{tape}"}}'
        if price
        else None
        for price, size, tape in zip(prices, sizes, _tapes(view, rows), strict=True)
    ]


def _minute_bars(view: MarketView, rows: Ints, now_ms: int) -> list[str | None]:
    """The last bar of each row among the session's completed minutes."""
    bars, done = view.bars(now_ms), view.minute(now_ms)
    if done == 0:
        return [None] * len(rows)
    last = view.totals(now_ms).last[rows, done - 1]
    minute = np.maximum(last, 0)
    fields = [array[rows, minute] for array in (bars.open, bars.high, bars.low, bars.close, bars.volume)]
    vwap = (fields[1] + fields[2] + fields[3]) / 3
    stamps = {int(at): rfc3339(bars.open_ms + int(at) * MINUTE_MS) for at in np.unique(minute)}
    columns = (minute, *fields, trade_counts(fields[4]), vwap)
    return [
        bar_text(stamps[at], o, h, lo, c, v, n, vw) if v else None
        for at, o, h, lo, c, v, n, vw in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _running_bars(view: MarketView, rows: Ints, now_ms: int) -> list[str | None]:
    """The session so far: its completed minutes and the present price."""
    bars, done, price = view.bars(now_ms), view.minute(now_ms), view.prices(rows, now_ms)
    first, high, low, total, vwap = bars.open[rows, 0], price, price, np.zeros(len(rows), dtype=np.int64), price / 1
    if done:
        totals, at = view.totals(now_ms), done - 1
        total = totals.volume[rows, at]
        vwap = np.where(total > 0, totals.notional[rows, at] / np.maximum(total, 1), price)
        high, low = np.maximum(totals.high[rows, at], price), np.minimum(totals.low[rows, at], price)
        first = np.where(total > 0, bars.open[rows, totals.first[rows]], price)
    stamp = rfc3339(midnight_ms(bars.day))
    columns = (first, high, low, price, total, trade_counts(total), vwap)
    return [
        bar_text(stamp, o, h, lo, c, v, n, vw) if c and o else None
        for o, h, lo, c, v, n, vw in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _daily_bars(daily: DailyBars | None, rows: Ints) -> list[str | None]:
    if daily is None:
        return [None] * len(rows)
    stamp = rfc3339(midnight_ms(daily.day))
    fields = (daily.open, daily.high, daily.low, daily.close, daily.volume, daily.trades, daily.vwap)
    columns = [array[rows].tolist() for array in fields]
    return [
        bar_text(stamp, o, h, lo, c, v, n, vw) if v else None for o, h, lo, c, v, n, vw in zip(*columns, strict=True)
    ]
