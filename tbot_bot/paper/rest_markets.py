"""Alpaca's clock and calendar v3: of the one market that the venue has, under its several names."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from tbot_bot.paper.refusal import Refusal, invalid
from tbot_bot.paper.render import Json
from tbot_bot.paper.sessions import NEW_YORK, TradingDay, utc
from tbot_bot.paper.web import VENUE, Refused, answer, csv_of, time_of

_MARKETS = {
    "NYSE": ("XNYS", "New York Stock Exchange"),
    "XNYS": ("XNYS", "New York Stock Exchange"),
    "NASDAQ": ("XNAS", "NASDAQ"),
    "XNAS": ("XNAS", "NASDAQ"),
    "IEX": ("IEXG", "Investors Exchange"),
    "IEXG": ("IEXG", "Investors Exchange"),
}
PRE_HOUR, POST_HOUR = 4, 20


def add_routes(app: web.Application) -> None:
    app.add_routes([web.get("/v3/clock", get_clocks), web.get("/v3/calendar/{market}", get_calendar)])


def _market(name: str) -> Json:
    if name not in _MARKETS:
        raise Refused(_bad(f"market {name[:20]} is not of the paper venue: {', '.join(_MARKETS)}"))
    mic, title = _MARKETS[name]
    acronym = next(key for key, (code, _) in _MARKETS.items() if code == mic)
    return {"mic": mic, "acronym": acronym, "name": title, "timezone": "America/New_York"}


def _bad(message: str) -> Refusal:
    """This version answers 400 where the second says 422."""
    return Refusal(400, invalid(message).code, message)


def _hour(day: TradingDay, hour: int) -> int:
    return int(datetime(day.day.year, day.day.month, day.day.day, hour, tzinfo=NEW_YORK).timestamp() * 1000)


def _text(ms: int, zone: ZoneInfo = NEW_YORK) -> str:
    return utc(ms).astimezone(zone).isoformat(timespec="seconds")


async def get_clocks(request: web.Request) -> web.Response:
    venue = request.app[VENUE]
    asked = time_of(request, "time")
    now = venue.sync() + venue.faults.clock_skew_s * 1000 if asked is None else asked
    today = venue.calendar.on(utc(now).astimezone(NEW_YORK).date())
    phase, until = _phase(today, now)
    if until is None:
        following = venue.calendar.on(utc(venue.calendar.next_open_ms(now)).astimezone(NEW_YORK).date())
        until = now if following is None else _hour(following, PRE_HOUR)
    shown = {
        "timestamp": _text(now),
        "is_market_day": today is not None,
        "next_market_open": _text(venue.calendar.next_open_ms(now)),
        "next_market_close": _text(venue.calendar.next_close_ms(now)),
        "phase": phase,
        "phase_until": _text(until),
    }
    names = csv_of(request, "markets")
    if not names:
        raise Refused(_bad("markets is required"))
    return answer({"clocks": [{"market": _market(name), **shown} for name in names]})


def _phase(today: TradingDay | None, now_ms: int) -> tuple[str, int | None]:
    """The phase and its end; None where another day begins the next one."""
    if today is None:
        return "closed", None
    steps = (
        ("closed", _hour(today, PRE_HOUR)),
        ("pre", today.open_ms),
        ("core", today.close_ms),
        ("post", _hour(today, POST_HOUR)),
    )
    return next(((name, end) for name, end in steps if now_ms < end), ("closed", None))


async def get_calendar(request: web.Request) -> web.Response:
    """A week from today unless told otherwise; times in New York's zone or, with `timezone=UTC`, in that."""
    venue = request.app[VENUE]
    zone = request.query.get("timezone") or "America/New_York"
    if zone not in ("America/New_York", "UTC"):
        raise Refused(_bad("timezone must be America/New_York or UTC"))
    first = _date(request, "start", venue.view.day(venue.sync()).day)
    last = _date(request, "end", min(first, date.max - timedelta(days=7)) + timedelta(days=7))
    market = _market(request.match_info["market"])
    every = venue.calendar.days
    days = [
        _day(day, every[venue.calendar.position(day.day) + 1], ZoneInfo(zone))
        for day in venue.calendar.between(first, min(last, every[-2].day))
    ]
    return answer({"market": market, "calendar": days})


def _date(request: web.Request, name: str, default: date) -> date:
    value = request.query.get(name)
    try:
        return date.fromisoformat(value[:10]) if value else default
    except ValueError:
        raise Refused(_bad(f"invalid {name}: {value} is no date")) from None


def _day(day: TradingDay, settles: TradingDay, zone: ZoneInfo) -> Json:
    return {
        "date": day.day.isoformat(),
        "settlement_date": settles.day.isoformat(),
        "pre_start": _text(_hour(day, PRE_HOUR), zone),
        "pre_end": _text(day.open_ms, zone),
        "core_start": _text(day.open_ms, zone),
        "core_end": _text(day.close_ms, zone),
        "post_start": _text(day.close_ms, zone),
        "post_end": _text(_hour(day, POST_HOUR), zone),
    }
