"""Bars, clock, calendar and symbols."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby

from aiohttp import web

from tbot_bot.paper.market import Instrument
from tbot_bot.paper.sessions import MINUTE_MS, NEW_YORK, TradingDay, utc
from tbot_bot.paper.ticks import trades
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.view import dollars
from tbot_bot.paper.web import VENUE
from tools.counterparts.tradier.quotes import EXCHANGES, get_quotes, number
from tools.counterparts.tradier.shape import Json, Problem, answer, collapsed

_MOST_TRADES = 5000
_PERIODS: Mapping[str, Callable[[str], str]] = {
    "daily": lambda day: day,
    "weekly": lambda day: "{}-{}".format(*date.fromisoformat(day).isocalendar()[:2]),
    "monthly": lambda day: day[:7],
}


def add_routes(app: web.Application) -> None:
    app.add_routes(
        [
            web.get("/v1/markets/quotes", get_quotes),
            web.post("/v1/markets/quotes", get_quotes),
            web.get("/v1/markets/timesales", get_timesales),
            web.get("/v1/markets/history", get_history),
            web.get("/v1/markets/clock", get_clock),
            web.get("/v1/markets/calendar", get_calendar),
            web.get("/v1/markets/lookup", get_lookup),
            web.get("/v1/markets/search", get_search),
            web.get("/v1/markets/etb", get_etb),
        ]
    )


async def get_timesales(request: web.Request) -> web.Response:
    """Completed minutes of this session or of earlier ones, or their trades; times are New York's, without a zone."""
    venue = request.app[VENUE]
    now = venue.sync()
    name, every = request.query.get("symbol", ""), {"tick": 0, "1min": 1, "5min": 5, "15min": 15}
    interval = request.query.get("interval") or "tick"
    if interval not in every:
        raise Problem(400, f"Invalid parameter, interval: {interval} is not valid.")
    row = venue.market.index.get(name)
    today = venue.view.day(now)
    first = _moment(request, "start", today.open_ms)
    last = min(_moment(request, "end", now), now)
    rows: list[Json] = []
    for day in venue.calendar.between(utc(first).astimezone(NEW_YORK).date(), today.day):
        if row is None or day.day not in set(venue.market.days):
            continue
        begin = max(first, day.open_ms)
        rows += _minutes(venue, row, day, begin, last, every[interval]) if every[interval] else []
        rows += [] if every[interval] else _trades(venue, row, day, begin, last)
    return answer(request, {"series": None if not rows else collapsed("data", rows)})


def _trades(venue: Venue, row: int, day: TradingDay, first: int, last: int) -> list[Json]:
    """The latest of a stretch, no more than the most that one answer holds."""
    bars = venue.market.session(day.day)
    complete = min(day.minutes, max(0, venue.clock.now_ms() - day.open_ms) // MINUTE_MS)
    end = min(complete, (last - day.open_ms) // MINUTE_MS + 1)
    rows: list[Json] = []
    for minute in range(max(0, (first - day.open_ms) // MINUTE_MS), end):
        for us, text in trades(bars, row, "", minute):
            if first <= us // 1000 <= last:
                told = json.loads(text)
                when = f"{utc(us // 1000).astimezone(NEW_YORK):%Y-%m-%dT%H:%M:%S}"
                stamp = us // 1_000_000
                rows.append({"time": when, "timestamp": stamp, "price": told["p"], "volume": told["s"]})
    return rows[-_MOST_TRADES:]


def _minutes(venue: Venue, row: int, day: TradingDay, first: int, last: int, step: int) -> list[Json]:
    bars = venue.market.session(day.day)
    size = step * MINUTE_MS
    complete = min(day.minutes * MINUTE_MS, venue.clock.now_ms() - day.open_ms) // size
    begin = max(0, -(-(first - day.open_ms) // size))
    end = min(complete, (last - day.open_ms) // size + 1)
    rows = []
    for place in range(begin, max(begin, end)):
        cut = slice(place * step, (place + 1) * step)
        volume = bars.volume[row, cut]
        traded = volume > 0
        if not traded.any():
            continue
        highs, lows = bars.high[row, cut][traded], bars.low[row, cut][traded]
        opened, closed = bars.open[row, cut][traded][0], bars.close[row, cut][traded][-1]
        at = day.open_ms + place * size
        rows.append(
            {
                "time": utc(at).astimezone(NEW_YORK).strftime("%Y-%m-%dT%H:%M:%S"),
                "timestamp": at // 1000,
                "price": number((dollars(int(highs.max())) + dollars(int(lows.min()))) / 2),
                "open": number(dollars(int(opened))),
                "high": number(dollars(int(highs.max()))),
                "low": number(dollars(int(lows.min()))),
                "close": number(dollars(int(closed))),
                "volume": int(volume.sum()),
                "vwap": number((dollars(int(highs.max())) + dollars(int(lows.min())) + dollars(int(closed))) / 3),
            }
        )
    return rows


async def get_history(request: web.Request) -> web.Response:
    """Bars of completed sessions, of weeks from Monday on and of months."""
    venue = request.app[VENUE]
    now = venue.sync()
    interval = request.query.get("interval") or "daily"
    if interval not in _PERIODS:
        raise Problem(400, f"Invalid parameter, interval: {interval} is not valid.")
    row = venue.market.index.get(request.query.get("symbol", ""))
    first = request.query.get("start", "0000-00-00")[:10]
    last = request.query.get("end", "9999-99-99")[:10]
    today = venue.view.day(now)
    days = [*venue.past_days(now, 300), *([today.day] if now >= today.close_ms else [])]
    rows = [_day(venue, row, day) for day in days if row is not None and first <= day.isoformat() <= last]
    kept = [each for each in rows if each is not None]
    bars = [_joined(list(part)) for _, part in groupby(kept, lambda bar: _PERIODS[interval](bar["date"]))]
    return answer(request, {"history": None if not bars else collapsed("day", bars)})


def _day(venue: Venue, row: int, day: date) -> Json | None:
    daily = venue.market.daily(day)
    if daily is None or not daily.volume[row]:
        return None
    prices = {name: number(dollars(int(getattr(daily, name)[row]))) for name in ("open", "high", "low", "close")}
    return {"date": day.isoformat(), **prices, "volume": int(daily.volume[row])}


def _joined(bars: list[Json]) -> Json:
    """One bar, dated by its first session."""
    high, low = max(bar["high"] for bar in bars), min(bar["low"] for bar in bars)
    volume = sum(bar["volume"] for bar in bars)
    return bars[0] | {"high": high, "low": low, "close": bars[-1]["close"], "volume": volume}


async def get_clock(request: web.Request) -> web.Response:
    venue = request.app[VENUE]
    now = venue.sync() + venue.faults.clock_skew_s * 1000
    here = utc(now).astimezone(NEW_YORK)
    state, change, following = _state(venue, now)
    body = {
        "date": here.date().isoformat(),
        "description": f"Market is {state}" + (f" from {here:%H:%M} to {change}" if state != "closed" else "."),
        "state": state,
        "timestamp": now // 1000,
        "next_change": change,
        "next_state": following,
    }
    return answer(request, {"clock": body})


def _state(venue: Venue, now: int) -> tuple[str, str, str]:
    """State, time of the next change, state after it."""
    here = utc(now).astimezone(NEW_YORK)
    day, clock = venue.calendar.on(here.date()), f"{here:%H:%M}"
    if day is None or clock < "04:00" or clock >= "20:00":
        return "closed", "04:00", "premarket"
    close = f"{utc(day.close_ms).astimezone(NEW_YORK):%H:%M}"
    if clock < "09:30":
        return "premarket", "09:30", "open"
    if clock < close:
        return "open", close, "postmarket"
    return "postmarket", "20:00", "closed"


async def get_calendar(request: web.Request) -> web.Response:
    """A month of days."""
    here = utc(request.app[VENUE].sync()).astimezone(NEW_YORK)
    year, month = int(request.query.get("year", here.year)), int(request.query.get("month", here.month))
    if not (1 <= month <= 12 and 1900 < year < 2200):
        raise Problem(400, "Invalid parameter, month: is not valid.")
    day, rows = date(year, month, 1), list[Json]()
    while day.month == month:
        rows.append(_calendar_day(request.app[VENUE], day))
        day += timedelta(days=1)
    return answer(request, {"calendar": {"month": month, "year": year, "days": {"day": rows}}})


def _calendar_day(venue: Venue, day: date) -> Json:
    session = venue.calendar.on(day)
    if session is None:
        return {"date": day.isoformat(), "status": "closed", "description": "Market is closed"}
    close = f"{utc(session.close_ms).astimezone(NEW_YORK):%H:%M}"
    return {
        "date": day.isoformat(),
        "status": "open",
        "description": "Market is open",
        "premarket": {"start": "04:00", "end": "09:30"},
        "open": {"start": "09:30", "end": close},
        "postmarket": {"start": close, "end": "20:00"},
    }


async def get_lookup(request: web.Request) -> web.Response:
    """Symbols that begin as asked."""
    wanted = request.query.get("q", "").upper()
    return _securities(request, lambda item: bool(wanted) and item.symbol.startswith(wanted))


async def get_search(request: web.Request) -> web.Response:
    """Companies whose name has the words, or symbols that begin so."""
    wanted = request.query.get("q", "").upper()
    return _securities(
        request, lambda item: bool(wanted) and (wanted in item.name.upper() or item.symbol.startswith(wanted))
    )


def _securities(request: web.Request, wanted: Callable[[Instrument], bool]) -> web.Response:
    codes = set(filter(None, request.query.get("exchanges", "").split(",")))
    kinds = set(filter(None, request.query.get("types", "").split(",")))
    rows = [_security(item) for item in request.app[VENUE].market.instruments if wanted(item)]
    kept = [row for row in rows if row["exchange"] in (codes or {row["exchange"]})]
    kept = [row for row in kept if row["type"] in (kinds or {row["type"]})]
    return answer(request, {"securities": None if not kept else collapsed("security", kept)})


async def get_etb(request: web.Request) -> web.Response:
    return _securities(request, lambda item: item.easy_to_borrow)


def _security(item: Instrument) -> Json:
    return {
        "symbol": item.symbol,
        "exchange": EXCHANGES.get(item.exchange, "Q"),
        "type": "stock",
        "description": item.name,
    }


def _moment(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp() * 1000)
    except ValueError:
        raise Problem(400, f"Invalid parameter, {name}: {text} is no time.") from None
