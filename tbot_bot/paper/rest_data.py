"""Alpaca's market data API v2 for stocks: only what was known at the virtual present."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from aiohttp import web

from tbot_bot.paper.bars import day_blocks, minute_blocks, read_timeframe, row_bars, sessions
from tbot_bot.paper.market import Ints, SessionBars
from tbot_bot.paper.paging import Read, Window, page_of, page_text, window_of
from tbot_bot.paper.refusal import invalid, not_found
from tbot_bot.paper.sessions import MINUTE_MS, TradingDay, midnight_ms
from tbot_bot.paper.snapshots import latest_bars, latest_quotes, latest_trades, snapshots, tape_of
from tbot_bot.paper.ticks import auction_text, auctions, quotes, trades
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.view import MarketView
from tbot_bot.paper.web import VENUE, Refused, choice_of, csv_of

MAX_SYMBOLS = 10_000
FEEDS = ("sip", "iex", "delayed_sip")
ADJUSTMENTS = ("raw", "split", "dividend", "all", "spin-off")
_US_PER_MINUTE = MINUTE_MS * 1000


def add_routes(app: web.Application) -> None:
    several = {"bars": get_bars, "trades": get_trades, "quotes": get_quotes, "auctions": get_auctions}
    latest = {"bars": get_latest_bars, "trades": get_latest_trades, "quotes": get_latest_quotes}
    for name, handler in several.items():
        app.router.add_get(f"/v2/stocks/{name}", handler)
        app.router.add_get(f"/v2/stocks/{{symbol}}/{name}", handler)
    for name, handler in latest.items():
        app.router.add_get(f"/v2/stocks/{name}/latest", handler)
        app.router.add_get(f"/v2/stocks/{{symbol}}/{name}/latest", handler)
    app.router.add_get("/v2/stocks/snapshots", get_snapshots)
    app.router.add_get("/v2/stocks/{symbol}/snapshot", get_snapshots)


def rows_of(request: web.Request) -> tuple[list[str], Ints]:
    """The known ones of the symbols asked for; unknown ones are left out of the answer, as Alpaca does."""
    single = request.match_info.get("symbol")
    names = csv_of(request, "symbols") if single is None else [single]
    if not names:
        raise Refused(invalid("symbols is required"))
    if len(names) > MAX_SYMBOLS:
        raise Refused(invalid(f"at most {MAX_SYMBOLS} symbols"))
    strange = next((name for name in names if not name.isascii() or len(name) > 20 or "/" in name), None)
    if strange is not None:
        raise Refused(invalid(f"invalid symbol: {strange[:20]}"))
    choice_of(request, "feed", FEEDS, "iex")
    choice_of(request, "currency", ("USD",), "USD")
    index = request.app[VENUE].market.index
    known = [name for name in dict.fromkeys(names) if name in index]
    return known, np.array([index[name] for name in known], dtype=np.int64)


def text_answer(body: str) -> web.Response:
    return web.Response(text=body, content_type="application/json")


Latest = Callable[[MarketView, Sequence[str], Ints, int], str]


def _latest(request: web.Request, name: str, read: Latest) -> web.Response:
    names, rows = rows_of(request)
    venue, single = request.app[VENUE], request.match_info.get("symbol")
    found = read(venue.view, names, rows, venue.clock.now_ms())
    if single is None:
        return text_answer(f'{{"{name}":{found}}}')
    return text_answer(f'{{"symbol":{json.dumps(single)},"{name[:-1]}":{_only(found, single)}}}')


def _only(found: str, symbol: str) -> str:
    """The one value of an object of values."""
    if found == "{}":
        raise Refused(not_found(f"no data found for {symbol}"))
    return found[len(json.dumps(symbol)) + 2 : -1]


async def get_latest_quotes(request: web.Request) -> web.Response:
    return _latest(request, "quotes", latest_quotes)


async def get_latest_trades(request: web.Request) -> web.Response:
    return _latest(request, "trades", latest_trades)


async def get_latest_bars(request: web.Request) -> web.Response:
    return _latest(request, "bars", latest_bars)


async def get_snapshots(request: web.Request) -> web.Response:
    names, rows = rows_of(request)
    venue, single = request.app[VENUE], request.match_info.get("symbol")
    now = venue.clock.now_ms()
    past = venue.past_days(now, 2)
    daily = [await asyncio.to_thread(venue.market.daily, day) for day in reversed(past)]
    found = snapshots(venue.view, names, rows, now, daily)
    if single is None:
        return text_answer(found)
    return text_answer(f'{{"symbol":{json.dumps(single)},{_only(found, single)[1:]}')


async def get_bars(request: web.Request) -> web.Response:
    """Bars of completed minutes or sessions, and of what they join to."""
    venue = request.app[VENUE]
    frame = read_timeframe(request.query.get("timeframe") or "missing")
    wrong = set(csv_of(request, "adjustment")) - set(ADJUSTMENTS)
    if wrong:
        raise Refused(invalid(f"invalid adjustment: {', '.join(sorted(wrong))}"))
    now = venue.clock.now_ms()
    window = window_of(request, now)
    names, rows = _sorted_rows(request)
    build = minute_blocks if frame.is_intraday else day_blocks
    if frame.is_intraday and window.start_ms >= midnight_ms(venue.view.day(now).day):
        blocks = build(venue, rows, window, now, frame)
    else:
        blocks = await asyncio.to_thread(build, venue, rows, window, now, frame)

    def read(row: int, after: int | None) -> Iterator[tuple[int, str]]:
        return row_bars(blocks, row, descending=window.descending)

    page, token = page_of(names, window, "M" if frame.is_intraday else "D", read)
    return text_answer(page_text("bars", page, token, request.match_info.get("symbol")))


def _sorted_rows(request: web.Request) -> tuple[list[str], Ints]:
    names = sorted(rows_of(request)[0])
    index = request.app[VENUE].market.index
    return names, np.array([index[name] for name in names], dtype=np.int64)


Draw = Callable[[SessionBars, int, int], list[tuple[int, str]]]
"""A session, a row and a minute → the minute's items."""


async def get_trades(request: web.Request) -> web.Response:
    """Prints of completed minutes."""
    venue = request.app[VENUE]
    tapes = [tape_of(item.exchange) for item in venue.market.instruments]
    return await _history(request, "trades", lambda bars, row, minute: list(trades(bars, row, tapes[row], minute)))


async def get_quotes(request: web.Request) -> web.Response:
    """One quote a second of completed minutes."""
    venue = request.app[VENUE]
    tapes = [tape_of(item.exchange) for item in venue.market.instruments]
    half = venue.market.half_spread
    return await _history(
        request, "quotes", lambda bars, row, minute: list(quotes(bars, row, tapes[row], minute, float(half[row])))
    )


async def _history(request: web.Request, name: str, draw: Draw) -> web.Response:
    venue = request.app[VENUE]
    now = venue.clock.now_ms()
    window = window_of(request, now)
    names, rows = _sorted_rows(request)

    def read_page() -> str:
        read = _tick_reader(venue, rows.tolist(), window, now, draw)
        page, token = page_of(names, window, name[0].upper(), read)
        return page_text(name, page, token, request.match_info.get("symbol"))

    return text_answer(await asyncio.to_thread(read_page))


def _tick_reader(venue: Venue, rows: Sequence[int], window: Window, now_ms: int, draw: Draw) -> Read:
    """Sessions are read when a page gets to them: all of them at once would not fit into memory."""
    days = sessions(venue, window, now_ms)

    def read(at: int, after: int | None) -> Iterator[tuple[int, str]]:
        low, high = window.start_ms * 1000, min(window.end_ms, now_ms) * 1000
        if after is not None and window.descending:
            high = min(high, after)
        elif after is not None:
            low = max(low, after)
        for day in reversed(days) if window.descending else days:
            start, complete = day.open_ms * 1000, _complete(day, now_ms)
            first, last = max(0, (low - start) // _US_PER_MINUTE), min(complete - 1, (high - start) // _US_PER_MINUTE)
            if first > last:
                continue
            bars, minutes = venue.market.session(day.day), range(first, last + 1)
            for minute in reversed(minutes) if window.descending else minutes:
                items = draw(bars, rows[at], minute)
                for us, text in reversed(items) if window.descending else items:
                    if low <= us <= high:
                        yield us, text

    return read


def _complete(day: TradingDay, now_ms: int) -> int:
    """How many of the session's minutes are complete."""
    return max(0, min(day.minutes, (now_ms - day.open_ms) // MINUTE_MS))


async def get_auctions(request: web.Request) -> web.Response:
    """Opening and closing auctions of each session."""
    venue = request.app[VENUE]
    now = venue.clock.now_ms()
    window = window_of(request, now)
    names, rows = _sorted_rows(request)
    places = [_EXCHANGES.get(venue.market.instruments[row].exchange, "V") for row in rows.tolist()]

    def read_page() -> str:
        found: list[list[tuple[int, str]]] = [[] for _ in names]
        for day in sessions(venue, window, now):
            bars, complete = venue.market.session(day.day), _complete(day, now)
            for at, row in enumerate(rows.tolist()):
                auction = auctions(bars, row, places[at], complete)
                if auction is not None:
                    found[at].append((day.open_ms * 1000, auction_text(auction)))

        def read(at: int, after: int | None) -> Iterator[tuple[int, str]]:
            return reversed(found[at]) if window.descending else iter(found[at])

        page, token = page_of(names, window, "A", read)
        return page_text("auctions", page, token, request.match_info.get("symbol"))

    return text_answer(await asyncio.to_thread(read_page))


_EXCHANGES = {"NASDAQ": "Q", "NYSE": "N", "AMEX": "A", "ARCA": "P"}
