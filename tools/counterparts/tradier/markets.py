"""Quotes, bars, clock, calendar and symbols."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from tbot_bot.paper.market import Instrument
from tbot_bot.paper.sessions import MINUTE_MS, NEW_YORK, TradingDay, utc
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.view import dollars
from tbot_bot.paper.web import VENUE
from tools.counterparts.tradier.shape import Json, Problem, answer, collapsed

_EXCHANGES = {"NASDAQ": "Q", "NYSE": "N", "ARCA": "P", "AMEX": "A", "BATS": "Z"}
_MAX_SYMBOLS = 10_000


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
            web.get("/v1/markets/search", get_lookup),
            web.get("/v1/markets/etb", get_etb),
        ]
    )


async def get_quotes(request: web.Request) -> web.Response:
    form = await request.post()
    text = str(form.get("symbols") or request.query.get("symbols", ""))
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))[:_MAX_SYMBOLS]
    if not names:
        raise Problem(400, "Invalid parameter, symbols: is required.")
    venue = request.app[VENUE]
    now = venue.sync()
    known = [name for name in names if name in venue.market.index]
    unknown = [name for name in names if name not in venue.market.index]
    body = collapsed("quote", [_quote(venue, name, now) for name in known])
    if unknown:
        body = body if isinstance(body, dict) else {}
        body["unmatched_symbols"] = {"symbol": unknown[0] if len(unknown) == 1 else unknown}
    return answer(request, {"quotes": body})


def _quote(venue: Venue, name: str, now: int) -> Json:
    item = venue.market.instruments[venue.market.index[name]]
    quote, last = venue.view.quote(name, now), venue.view.price(name, now)
    stamp = min(now, venue.view.day(now).close_ms)
    return {
        "symbol": name,
        "description": item.name,
        "exch": _EXCHANGES.get(item.exchange, "Q"),
        "type": "stock",
        "last": _float(last),
        "change": 0.0,
        "volume": 0,
        "open": None,
        "high": None,
        "low": None,
        "close": None,
        "bid": _float(dollars(quote.bid)) if quote else 0,
        "ask": _float(dollars(quote.ask)) if quote else 0,
        "change_percentage": 0.0,
        "average_volume": 0,
        "last_volume": 100,
        "trade_date": stamp,
        "prevclose": None,
        "week_52_high": 0.0,
        "week_52_low": 0.0,
        "bidsize": 1,
        "bidexch": "Q",
        "bid_date": stamp,
        "asksize": 1,
        "askexch": "Q",
        "ask_date": stamp,
        "root_symbols": name,
    }


async def get_timesales(request: web.Request) -> web.Response:
    """Completed minutes of this session or of earlier ones; times are New York's, without a zone."""
    venue = request.app[VENUE]
    now = venue.sync()
    name, every = request.query.get("symbol", ""), {"1min": 1, "5min": 5, "15min": 15}
    interval = request.query.get("interval", "tick")
    if interval not in every:
        raise Problem(400, f"Invalid parameter, interval: {interval} is not kept here; use 1min, 5min or 15min.")
    row = venue.market.index.get(name)
    today = venue.view.day(now)
    first = _moment(request, "start", today.open_ms)
    last = _moment(request, "end", now)
    rows: list[Json] = []
    for day in venue.calendar.between(utc(first).astimezone(NEW_YORK).date(), today.day):
        if row is not None and day.day in set(venue.market.days):
            rows += _minutes(venue, row, day, max(first, day.open_ms), min(last, now), every[interval])
    return answer(request, {"series": None if not rows else {"data": rows[0] if len(rows) == 1 else rows}})


def _minutes(venue: Venue, row: int, day: TradingDay, first: int, last: int, step: int) -> list[Json]:
    bars = venue.market.session(day.day)
    size = step * MINUTE_MS
    complete = min(day.minutes * MINUTE_MS, venue.clock.now_ms() - day.open_ms) // size
    begin = max(0, -(-(first - day.open_ms) // size))
    end = min(complete, (last - day.open_ms) // size + 1)
    rows = []
    for number in range(begin, max(begin, end)):
        cut = slice(number * step, (number + 1) * step)
        volume = bars.volume[row, cut]
        traded = volume > 0
        if not traded.any():
            continue
        highs, lows = bars.high[row, cut][traded], bars.low[row, cut][traded]
        opened, closed = bars.open[row, cut][traded][0], bars.close[row, cut][traded][-1]
        at = day.open_ms + number * size
        rows.append(
            {
                "time": utc(at).astimezone(NEW_YORK).strftime("%Y-%m-%dT%H:%M:%S"),
                "timestamp": at // 1000,
                "price": _float((dollars(int(highs.max())) + dollars(int(lows.min()))) / 2),
                "open": _float(dollars(int(opened))),
                "high": _float(dollars(int(highs.max()))),
                "low": _float(dollars(int(lows.min()))),
                "close": _float(dollars(int(closed))),
                "volume": int(volume.sum()),
                "vwap": _float((dollars(int(highs.max())) + dollars(int(lows.min())) + dollars(int(closed))) / 3),
            }
        )
    return rows


async def get_history(request: web.Request) -> web.Response:
    """Daily bars of completed sessions."""
    venue = request.app[VENUE]
    now = venue.sync()
    if request.query.get("interval", "daily") != "daily":
        raise Problem(400, "Invalid parameter, interval: only daily is kept here.")
    row = venue.market.index.get(request.query.get("symbol", ""))
    first = request.query.get("start", "0000-00-00")[:10]
    last = request.query.get("end", "9999-99-99")[:10]
    today = venue.view.day(now)
    days = [*venue.past_days(now, 300), *([today.day] if now >= today.close_ms else [])]
    rows = [_day(venue, row, day) for day in days if row is not None and first <= day.isoformat() <= last]
    kept = [each for each in rows if each is not None]
    return answer(request, {"history": None if not kept else {"day": kept[0] if len(kept) == 1 else kept}})


def _day(venue: Venue, row: int, day: date) -> Json | None:
    daily = venue.market.daily(day)
    if daily is None or not daily.volume[row]:
        return None
    prices = {name: _float(dollars(int(getattr(daily, name)[row]))) for name in ("open", "high", "low", "close")}
    return {"date": day.isoformat(), **prices, "volume": int(daily.volume[row])}


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
    wanted = request.query.get("q", "").upper()
    found = [item for item in request.app[VENUE].market.instruments if item.symbol.startswith(wanted)]
    rows = [_security(item) for item in found if wanted]
    return answer(request, {"securities": None if not rows else collapsed("security", rows)})


async def get_etb(request: web.Request) -> web.Response:
    rows = [_security(item) for item in request.app[VENUE].market.instruments if item.easy_to_borrow]
    return answer(request, {"securities": None if not rows else collapsed("security", rows)})


def _security(item: Instrument) -> Json:
    return {
        "symbol": item.symbol,
        "exchange": _EXCHANGES.get(item.exchange, "Q"),
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


def _float(value: Decimal | None) -> Any:
    return None if value is None else float(round(value, 4))
