"""Quotes: the present price, the session so far and the sessions before it."""

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

import numpy as np
from aiohttp import web

from tbot_bot.paper.market import Floats, Ints
from tbot_bot.paper.snapshots import quote_sizes, trade_sizes
from tbot_bot.paper.venue import ADV_SESSIONS, Venue
from tbot_bot.paper.view import dollars
from tbot_bot.paper.web import VENUE
from tools.counterparts.tradier.shape import Json, Problem, answer, collapsed

EXCHANGES = {"NASDAQ": "Q", "NYSE": "N", "ARCA": "P", "AMEX": "A", "BATS": "Z"}
MAX_SYMBOLS = 10_000


async def get_quotes(request: web.Request) -> web.Response:
    form = await request.post()
    text = str(form.get("symbols") or request.query.get("symbols", ""))
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))[:MAX_SYMBOLS]
    if not names:
        raise Problem(400, "Invalid parameter, symbols: is required.")
    venue = request.app[VENUE]
    now = venue.sync()
    known = [name for name in names if name in venue.market.index]
    unknown = [name for name in names if name not in venue.market.index]
    body = collapsed("quote", [quote(venue, name, now) for name in known])
    if unknown:
        body = body if isinstance(body, dict) else {}
        body["unmatched_symbols"] = {"symbol": unknown[0] if len(unknown) == 1 else unknown}
    return answer(request, {"quotes": body})


def quote(venue: Venue, name: str, now: int) -> Json:
    row = venue.market.index[name]
    item, day = venue.market.instruments[row], venue.view.day(now)
    sides, last = venue.view.quote(name, now), venue.view.price(name, now)
    before = _dollars(int(venue.view.bars(now).previous_close[row]))
    change = None if last is None or before is None else last - before
    bid_size, ask_size = (int(size[0]) for size in quote_sizes(np.array([row]), now))
    stamp = min(now, day.close_ms)
    volumes, highs, lows = _recent(cast("Any", venue.market), tuple(venue.past_days(now, ADV_SESSIONS)))
    return {
        "symbol": name,
        "description": item.name,
        "exch": EXCHANGES.get(item.exchange, "Q"),
        "type": "stock",
        "last": number(last),
        "change": number(change),
        **_session(venue, row, now),
        "bid": number(dollars(sides.bid)) if sides else 0,
        "ask": number(dollars(sides.ask)) if sides else 0,
        "change_percentage": None if change is None or not before else number(round(100 * change / before, 2)),
        "average_volume": int(volumes[row]),
        "last_volume": int(trade_sizes(np.array([row]), now)[0]) if now >= day.open_ms else 0,
        "trade_date": stamp,
        "prevclose": number(before),
        "week_52_high": number(_dollars(int(highs[row]))) or 0.0,
        "week_52_low": number(_dollars(int(lows[row]))) or 0.0,
        "bidsize": bid_size,
        "bidexch": "Q",
        "bid_date": stamp,
        "asksize": ask_size,
        "askexch": "Q",
        "ask_date": stamp,
        "root_symbols": name,
    }


def _session(venue: Venue, row: int, now: int) -> Json:
    """Nothing before the open; the close is known after it alone."""
    day, done = venue.view.day(now), venue.view.minute(now)
    empty: Json = {"volume": 0, "open": None, "high": None, "low": None, "close": None}
    price = int(venue.view.prices(np.array([row]), now)[0])
    if now < day.open_ms or not price:
        return empty
    bars, opened, high, low, volume = venue.view.bars(now), price, price, price, 0
    if done:
        totals = venue.view.totals(now)
        volume = int(totals.volume[row, done - 1])
    if done and volume:
        opened = int(bars.open[row, totals.first[row]])
        high, low = max(price, int(totals.high[row, done - 1])), min(price, int(totals.low[row, done - 1]))
    closed = number(_dollars(price)) if now >= day.close_ms else None
    shown = {name: number(_dollars(ticks)) for name, ticks in (("open", opened), ("high", high), ("low", low))}
    return {"volume": volume, **shown, "close": closed}


@lru_cache(maxsize=4)
def _recent(market: Any, days: tuple[date, ...]) -> tuple[Floats, Ints, Ints]:
    """Average volume, highest and lowest price of these sessions of a Market [symbol]; 0 where there is none.

    They stand for the year's: more sessions would take the loop seconds to make."""
    found = [daily for day in days if (daily := market.daily(day)) is not None]
    size, far = len(market.instruments), np.iinfo(np.int64).max
    volume, high, low = np.zeros(size), np.zeros(size, dtype=np.int64), np.full(size, far)
    for daily in found:
        traded = daily.volume > 0
        high = np.where(traded, np.maximum(high, daily.high), high)
        low = np.where(traded, np.minimum(low, daily.low), low)
        volume += daily.volume / len(found)
    return volume, high, np.where(low == far, 0, low)


def _dollars(ticks: int) -> Decimal | None:
    return dollars(ticks) if ticks else None


def number(value: Decimal | None) -> Any:
    """As JSON has it, a float."""
    return None if value is None else float(round(value, 4))
