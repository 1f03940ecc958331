"""Alpaca's market data API v2 for stocks: only what was known at the virtual present."""

import asyncio
import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from aiohttp import web

from tbot_bot.paper.market import DailyBars, Floats, Ints, SessionBars, trade_counts
from tbot_bot.paper.refusal import invalid
from tbot_bot.paper.sessions import MINUTE_MS, midnight_ms, rfc3339
from tbot_bot.paper.snapshots import bar_text, latest_bars, latest_quotes, latest_trades, snapshots
from tbot_bot.paper.venue import ADV_SESSIONS, HISTORY_SESSIONS, Venue
from tbot_bot.paper.web import VENUE, Refused, answer, choice_of, csv_of, number_of, parse_time, time_of

BARS_DEFAULT, BARS_TOP = 1000, 10_000
MAX_SYMBOLS = 10_000
MINUTE_SESSIONS = 30


def add_routes(app: web.Application) -> None:
    app.add_routes(
        [
            web.get("/v2/stocks/bars", get_bars),
            web.get("/v2/stocks/{symbol}/bars", get_bars),
            web.get("/v2/stocks/bars/latest", get_latest_bars),
            web.get("/v2/stocks/quotes/latest", get_latest_quotes),
            web.get("/v2/stocks/trades/latest", get_latest_trades),
            web.get("/v2/stocks/snapshots", get_snapshots),
            web.get("/v1/reference/fundamentals", get_fundamentals),
            web.get("/v1/reference/vix", get_vix),
        ]
    )


def _rows(request: web.Request) -> tuple[list[str], Ints]:
    """The known ones of the symbols asked for; unknown ones are left out of the answer, as Alpaca does."""
    names = csv_of(request, "symbols")
    if not names:
        raise Refused(invalid("symbols is required"))
    if len(names) > MAX_SYMBOLS:
        raise Refused(invalid(f"at most {MAX_SYMBOLS} symbols"))
    index = request.app[VENUE].market.index
    known = [name for name in dict.fromkeys(names) if name in index]
    return known, np.array([index[name] for name in known], dtype=np.int64)


def _text(body: str) -> web.Response:
    return web.Response(text=body, content_type="application/json")


async def get_latest_quotes(request: web.Request) -> web.Response:
    names, rows = _rows(request)
    venue = request.app[VENUE]
    return _text(f'{{"quotes":{latest_quotes(venue.view, names, rows, venue.clock.now_ms())}}}')


async def get_latest_trades(request: web.Request) -> web.Response:
    names, rows = _rows(request)
    venue = request.app[VENUE]
    return _text(f'{{"trades":{latest_trades(venue.view, names, rows, venue.clock.now_ms())}}}')


async def get_latest_bars(request: web.Request) -> web.Response:
    names, rows = _rows(request)
    venue = request.app[VENUE]
    return _text(f'{{"bars":{latest_bars(venue.view, names, rows, venue.clock.now_ms())}}}')


async def get_snapshots(request: web.Request) -> web.Response:
    names, rows = _rows(request)
    venue = request.app[VENUE]
    now = venue.clock.now_ms()
    past = venue.past_days(now, 2)
    daily = [await asyncio.to_thread(venue.market.daily, day) for day in reversed(past)]
    return _text(snapshots(venue.view, names, rows, now, daily))


@dataclass(frozen=True, slots=True)
class _Query:
    start_ms: int
    end_ms: int
    limit: int
    descending: bool
    after: tuple[str, int] | None


async def get_bars(request: web.Request) -> web.Response:
    """Bars of completed minutes or days, symbol by symbol; `limit` counts across all symbols."""
    venue = request.app[VENUE]
    single = request.match_info.get("symbol")
    asked = sorted(_rows(request)[0]) if single is None else [single]
    names = [name for name in asked if name in venue.market.index]
    timeframe = choice_of(request, "timeframe", ("1Min", "1T", "1Day", "1D"), "missing")
    now = venue.clock.now_ms()
    query = _Query(
        time_of(request, "start") or midnight_ms(venue.view.day(now).day),
        time_of(request, "end") or now,
        number_of(request, "limit", BARS_DEFAULT, BARS_TOP),
        choice_of(request, "sort", ("asc", "desc"), "asc") == "desc",
        _token(request.query.get("page_token")),
    )
    page, token = await _read(venue, names, query, now, minutes=timeframe in ("1Min", "1T"))
    if single is not None:
        bars = ",".join(page.get(single, ()))
        return _text(f'{{"symbol":{json.dumps(single)},"bars":[{bars}],"next_page_token":{json.dumps(token)}}}')
    shown = ",".join(f"{json.dumps(name)}:[{','.join(bars)}]" for name, bars in page.items())
    return _text(f'{{"bars":{{{shown}}},"next_page_token":{json.dumps(token)}}}')


async def _read(
    venue: Venue, names: Sequence[str], query: _Query, now_ms: int, *, minutes: bool
) -> tuple[dict[str, list[str]], str | None]:
    rows = np.array([venue.market.index[name] for name in names], dtype=np.int64)
    if not minutes:
        return _page(names, query, await asyncio.to_thread(_day_blocks, venue, rows, query, now_ms), "D")
    if query.start_ms >= midnight_ms(venue.view.day(now_ms).day):
        return _page(names, query, _minute_blocks(venue, rows, query, now_ms), "M")
    return _page(names, query, await asyncio.to_thread(_minute_blocks, venue, rows, query, now_ms), "M")


@dataclass(frozen=True, slots=True)
class _Block:
    """One session of bars of the symbols asked for: [symbol, time] arrays in ticks; `times` in ms."""

    times: list[int]
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    vwap: Floats | None


def _minute_blocks(venue: Venue, rows: Ints, query: _Query, now_ms: int) -> list[_Block]:
    return [_minute_block(bars, rows, query, now_ms) for bars in _sessions(venue, query, now_ms)]


def _sessions(venue: Venue, query: _Query, now_ms: int) -> Iterator[SessionBars]:
    """At most the last `MINUTE_SESSIONS` before this one, and this one."""
    for name in [*venue.past_days(now_ms, MINUTE_SESSIONS), venue.view.day(now_ms).day]:
        day = venue.calendar.on(name)
        if day and day.close_ms > query.start_ms and day.open_ms <= min(query.end_ms, now_ms):
            yield venue.market.session(name)


def _minute_block(bars: SessionBars, rows: Ints, query: _Query, now_ms: int) -> _Block:
    """Completed minutes that start inside [start, end]."""
    complete = min(bars.minutes, (now_ms - bars.open_ms) // MINUTE_MS)
    first = max(0, -(-(query.start_ms - bars.open_ms) // MINUTE_MS))
    last = max(first, min(complete, (query.end_ms - bars.open_ms) // MINUTE_MS + 1))
    cut = slice(first, last)
    times = [bars.open_ms + minute * MINUTE_MS for minute in range(first, last)]
    return _Block(
        times,
        bars.open[rows, cut],
        bars.high[rows, cut],
        bars.low[rows, cut],
        bars.close[rows, cut],
        bars.volume[rows, cut],
        None,
    )


def _day_blocks(venue: Venue, rows: Ints, query: _Query, now_ms: int) -> list[_Block]:
    """Completed sessions whose date lies inside [start, end]; at most the last `HISTORY_SESSIONS`."""
    blocks = []
    for day in venue.past_days(now_ms, HISTORY_SESSIONS) + _today_if_closed(venue, now_ms):
        if query.start_ms <= midnight_ms(day) <= query.end_ms:
            daily = venue.market.daily(day)
            if daily is not None:
                blocks.append(_day_block(daily, rows))
    return blocks


def _today_if_closed(venue: Venue, now_ms: int) -> list[date]:
    today = venue.view.day(now_ms)
    return [today.day] if now_ms >= today.close_ms else []


def _day_block(daily: DailyBars, rows: Ints) -> _Block:
    return _Block(
        [midnight_ms(daily.day)],
        daily.open[rows, None],
        daily.high[rows, None],
        daily.low[rows, None],
        daily.close[rows, None],
        daily.volume[rows, None],
        daily.vwap[rows, None],
    )


def _page(
    names: Sequence[str], query: _Query, blocks: Sequence[_Block], unit: str
) -> tuple[dict[str, list[str]], str | None]:
    page: dict[str, list[str]] = {}
    left, last = query.limit, ""
    for row, name in enumerate(names):
        after = None
        if query.after is not None:
            if name < query.after[0]:
                continue
            after = query.after[1] if name == query.after[0] else None
        for ms, text in _row_bars(blocks, row, query.descending):
            if after is not None and (ms >= after if query.descending else ms <= after):
                continue
            if left == 0:
                return page, last
            page.setdefault(name, []).append(text)
            left -= 1
            last = base64.b64encode(f"{name}|{unit}|{rfc3339(ms)}".encode()).decode()
    return page, None


def _row_bars(blocks: Sequence[_Block], row: int, descending: bool) -> Iterator[tuple[int, str]]:
    for block in reversed(blocks) if descending else blocks:
        at = np.flatnonzero(block.volume[row])
        if descending:
            at = at[::-1]
        fields = [array[row, at] for array in (block.open, block.high, block.low, block.close, block.volume)]
        _, high, low, close, volume = fields
        vwap = (high + low + close) / 3 if block.vwap is None else block.vwap[row, at]
        counts = trade_counts(volume)
        columns = (at, *fields, counts, vwap)
        for index, o, h, lo, c, v, n, vw in zip(*(column.tolist() for column in columns), strict=True):
            yield block.times[index], bar_text(rfc3339(block.times[index]), o, h, lo, c, v, n, vw)


def _token(token: str | None) -> tuple[str, int] | None:
    """The symbol and time of the last bar given."""
    if not token:
        return None
    try:
        symbol, _, stamp = base64.b64decode(token, validate=True).decode().split("|")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refused(invalid("invalid page_token")) from None
    return symbol, parse_time(stamp, "page_token")


async def get_fundamentals(request: web.Request) -> web.Response:
    """tbot's own: what screeners ask about a company; null where unknown."""
    venue = request.app[VENUE]
    _, rows = _rows(request)
    now = venue.clock.now_ms()
    volumes = await asyncio.to_thread(_average_volumes, venue, venue.past_days(now, ADV_SESSIONS))
    previous = venue.view.bars(now).previous_close[rows].tolist()
    items = [venue.market.instruments[row] for row in rows.tolist()]
    return answer(
        {
            item.symbol: {
                "market_cap": item.market_cap,
                "pe_ratio": _float(item.pe_ratio),
                "debt_equity": _float(item.debt_equity),
                "avg_volume_20d": volumes[row] if volumes else None,
                "sector": item.sector,
                "previous_close": close / 10_000 if close else None,
            }
            for item, row, close in zip(items, rows.tolist(), previous, strict=True)
        }
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _average_volumes(venue: Venue, days: Sequence[date]) -> list[int | None]:
    """Mean daily volume [row] over the sessions that have one; empty when no earlier session is known."""
    daily = [bars.volume for bars in map(venue.market.daily, days) if bars is not None]
    if not daily:
        return []
    volumes = np.stack(daily)
    traded = (volumes > 0).sum(axis=0)
    mean = volumes.sum(axis=0) // np.maximum(traded, 1)
    return [volume or None for volume in mean.tolist()]


async def get_vix(request: web.Request) -> web.Response:
    """tbot's own: the volatility index at the close of the last completed session."""
    venue = request.app[VENUE]
    now = venue.clock.now_ms()
    days = venue.past_days(now, 1) + _today_if_closed(venue, now)
    value = venue.market.vix_close(days[-1]) if days else None
    return answer(
        {
            "value": None if value is None else float(value),
            "session": days[-1].isoformat() if value is not None else None,
        }
    )
