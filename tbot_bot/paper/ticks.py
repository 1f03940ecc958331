"""Trades and quotes of completed minutes: drawn from each minute's bar, always the same, and adding up to it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tbot_bot.paper.market import Ints, SessionBars, trade_counts
from tbot_bot.paper.paging import stamp
from tbot_bot.paper.sessions import MINUTE_MS
from tbot_bot.paper.snapshots import quote_sizes
from tbot_bot.paper.view import CENT_TICKS, THIRD_MS

QUOTE_EVERY_MS = 1000
MINUTE_US = MINUTE_MS * 1000


@dataclass(frozen=True, slots=True)
class Span:
    """µs since the epoch, both ends included."""

    first: int
    last: int


def trades(bars: SessionBars, row: int, tape: str, minute: int) -> Iterator[tuple[int, str]]:
    """The bar's count of prints at even distances; sizes add up to its volume, prices reach all four of its prices
    where there are four prints."""
    volume = int(bars.volume[row, minute])
    count = int(trade_counts(np.array([volume]))[0])
    if count == 0:
        return
    start = (bars.open_ms + minute * MINUTE_MS) * 1000
    offsets = np.arange(count, dtype=np.int64) * MINUTE_US // count
    prices = _printed(bars, row, minute, count)
    base = volume // count
    sizes = np.full(count, base, dtype=np.int64)
    swing = base // 2 * (np.arange(count // 2) * 7919 % 13) // 13
    sizes[: 2 * len(swing) : 2] += swing
    sizes[1 : 2 * len(swing) : 2] -= swing
    sizes[-1] += volume - base * count
    first_id = minute * 1_000_000 + 1
    for at, (offset, price, size) in enumerate(zip(offsets.tolist(), prices.tolist(), sizes.tolist(), strict=True)):
        us = start + offset
        yield (
            us,
            f'{{"t":"{stamp(us)}","x":"V","p":{price / 1e4},"s":{size},"c":["@"],"i":{first_id + at},"z":"{tape}"}}',
        )


def _printed(bars: SessionBars, row: int, minute: int, count: int) -> Ints:
    """Prices in ticks [print], from the open along the minute's path to the close."""
    if count == 1:
        only: Ints = bars.close[row, minute : minute + 1]
        return only
    prices = path(bars, row, minute, np.arange(count) * MINUTE_MS / (count - 1))
    if count >= 4:
        extremes = (bars.high, bars.low) if bars.high_first[row, minute] else (bars.low, bars.high)
        prices[count // 3], prices[2 * count // 3] = (array[row, minute] for array in extremes)
    return prices


def path(bars: SessionBars, row: int, minute: int, inside_ms: np.ndarray) -> Ints:
    """Prices in ticks at these milliseconds of the minute, whole cents except at its four corners."""
    high, low = bars.high[row, minute], bars.low[row, minute]
    middle = (high, low) if bars.high_first[row, minute] else (low, high)
    points = np.array([bars.open[row, minute], *middle, bars.close[row, minute]], dtype=np.int64)
    exact = np.interp(inside_ms, np.arange(4) * THIRD_MS, points)
    rounded = np.clip(np.rint(exact / CENT_TICKS).astype(np.int64) * CENT_TICKS, low, high)
    corner = inside_ms % THIRD_MS == 0
    prices: Ints = np.where(corner, np.rint(exact).astype(np.int64), rounded)
    return prices


def quotes(bars: SessionBars, row: int, tape: str, minute: int, half_spread: float) -> Iterator[tuple[int, str]]:
    """The quote at each full second, as the latest quote showed it then."""
    inside = np.arange(0, MINUTE_MS, QUOTE_EVERY_MS)
    price = path(bars, row, minute, inside)
    if not price.all():
        return
    half = np.rint(price * half_spread).astype(np.int64)
    bids = np.maximum((price - half) // CENT_TICKS * CENT_TICKS, CENT_TICKS)
    asks = -(-(price + half) // CENT_TICKS) * CENT_TICKS
    start = bars.open_ms + minute * MINUTE_MS
    for ms, bid, ask in zip((start + inside).tolist(), bids.tolist(), asks.tolist(), strict=True):
        bid_size, ask_size = (int(size[0]) for size in quote_sizes(np.array([row]), ms))
        yield (
            ms * 1000,
            f'{{"t":"{stamp(ms * 1000)}","ax":"V","ap":{ask / 1e4},"as":{ask_size},'
            f'"bx":"V","bp":{bid / 1e4},"bs":{bid_size},"c":["R"],"z":"{tape}"}}',
        )


def auctions(bars: SessionBars, row: int, exchange: str, complete: int) -> dict[str, object] | None:
    """The session's opening auction after its first minute, and its closing one after its last; None before."""
    if complete == 0 or not bars.volume[row, 0]:
        return None
    opening = _auction(bars.open_ms, int(bars.open[row, 0]), int(bars.volume[row, 0]), exchange, "Q")
    shown: dict[str, object] = {"d": bars.day.isoformat(), "o": [opening], "c": []}
    if complete == bars.minutes and bars.volume[row, -1]:
        close_ms = bars.open_ms + bars.minutes * MINUTE_MS
        shown["c"] = [_auction(close_ms, int(bars.close[row, -1]), int(bars.volume[row, -1]), exchange, "M")]
    return shown


def _auction(ms: int, ticks: int, minute_volume: int, exchange: str, condition: str) -> dict[str, object]:
    """A quarter of its minute's volume is taken for the auction's."""
    size = max(1, minute_volume // 4)
    return {"t": stamp(ms * 1000), "x": exchange, "p": ticks / 1e4, "s": size, "c": condition}


def auction_text(auction: dict[str, object]) -> str:
    return json.dumps(auction)
