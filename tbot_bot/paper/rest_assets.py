"""Alpaca's trading API: clock, calendar, assets, corporate actions; words for what is not traded here."""

from datetime import date, datetime, timedelta
from itertools import pairwise

from aiohttp import web

from tbot_bot.paper.market import Instrument
from tbot_bot.paper.refusal import invalid, not_found
from tbot_bot.paper.render import Json, asset_json
from tbot_bot.paper.sessions import NEW_YORK, TradingDay, utc
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import VENUE, Refused, answer, choice_of, csv_of, refuse

ANNOUNCEMENT_KINDS = ("dividend", "merger", "spinoff", "split")
_ANNOUNCEMENT_DAYS = 90


def add_routes(app: web.Application) -> None:
    app.add_routes(
        [
            web.get("/v2/clock", get_clock),
            web.get("/v2/calendar", get_calendar),
            web.get("/v2/assets", get_assets),
            web.get("/v2/assets/{symbol}", get_asset),
            web.get("/v2/corporate_actions/announcements", get_announcements),
            web.get("/v2/corporate_actions/announcements/{id}", get_announcement),
            web.get("/v2/options/contracts", refuse_options),
            web.get("/v2/options/contracts/{symbol}", refuse_options),
            web.post("/v2/positions/{symbol}/exercise", refuse_options),
            web.post("/v2/positions/{symbol}/do-not-exercise", refuse_options),
        ]
    )


async def refuse_options(request: web.Request) -> web.Response:
    raise Refused(not_found("the paper venue trades US equities only: it has no options"))


async def get_announcements(request: web.Request) -> web.Response:
    """The market has no corporate actions; the question is checked nevertheless."""
    kinds = csv_of(request, "ca_types")
    if not kinds or {kind.lower() for kind in kinds} - set(ANNOUNCEMENT_KINDS):
        raise Refused(invalid(f"ca_types must be of {', '.join(ANNOUNCEMENT_KINDS)}"))
    if not request.query.get("since") or not request.query.get("until"):
        raise Refused(invalid("since and until are required"))
    first, last = _date(request, "since", date.min), _date(request, "until", date.max)
    if not timedelta(0) <= last - first <= timedelta(_ANNOUNCEMENT_DAYS):
        raise Refused(invalid(f"since and until must be at most {_ANNOUNCEMENT_DAYS} days apart"))
    return answer([])


async def get_announcement(request: web.Request) -> web.Response:
    raise Refused(not_found(f"corporate action not found for {request.match_info['id']}"))


async def get_clock(request: web.Request) -> web.Response:
    """Alpaca's fields and `speed`: market seconds per real second, 0 while the clock stands still."""
    venue = request.app[VENUE]
    now = venue.sync()
    skew = venue.faults.clock_skew_s * 1000
    return answer(
        {
            "timestamp": _eastern(now + skew),
            "is_open": venue.view.is_open(now),
            "next_open": _eastern(venue.calendar.next_open_ms(now)),
            "next_close": _eastern(venue.calendar.next_close_ms(now)),
            "speed": float(venue.clock.speed) if venue.clock.running else 0.0,
        }
    )


def _eastern(ms: int) -> str:
    return utc(ms).astimezone(NEW_YORK).isoformat()


async def get_calendar(request: web.Request) -> web.Response:
    """By trading date, or with `date_type=SETTLEMENT` by the date on which its trades settle."""
    days = request.app[VENUE].calendar.days
    first, last = _date(request, "start", days[0].day), _date(request, "end", days[-1].day)
    by_settlement = choice_of(request, "date_type", ("TRADING", "SETTLEMENT"), "TRADING") == "SETTLEMENT"
    return answer(
        [
            _calendar_json(day, settles.day)
            for day, settles in pairwise(days)
            if first <= (settles.day if by_settlement else day.day) <= last
        ]
    )


def _calendar_json(day: TradingDay, settles: date) -> Json:
    """Trades settle on the following session."""
    return {
        "date": day.day.isoformat(),
        "open": utc(day.open_ms).astimezone(NEW_YORK).strftime("%H:%M"),
        "close": utc(day.close_ms).astimezone(NEW_YORK).strftime("%H:%M"),
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": settles.isoformat(),
    }


def _date(request: web.Request, name: str, default: date) -> date:
    value = request.query.get(name)
    if not value:
        return default
    try:
        return datetime.fromisoformat(value.replace(" ", "+")).date()
    except ValueError:
        raise Refused(invalid(f"invalid {name}: {value} is no date")) from None


async def get_assets(request: web.Request) -> web.Response:
    status = choice_of(request, "status", ("active", "inactive", "all"), "active")
    classes = {"us_equity", "us_option", "crypto", "crypto_perp", "ipo", "treasury", "corporate", "equity_perp"}
    wanted = choice_of(request, "asset_class", tuple(classes), "us_equity")
    exchange, attributes = request.query.get("exchange"), csv_of(request, "attributes")
    if status == "inactive" or wanted != "us_equity" or attributes:
        return answer([])
    items = request.app[VENUE].market.instruments
    return answer([asset_json(item) for item in items if exchange in (None, "", item.exchange)])


async def get_asset(request: web.Request) -> web.Response:
    item = instrument(request.app[VENUE], request.match_info["symbol"])
    if item is None:
        return refuse(not_found(f"asset not found for {request.match_info['symbol']}"))
    return answer(asset_json(item))


def instrument(venue: Venue, name: str) -> Instrument | None:
    row = venue.market.index.get(name)
    if row is not None:
        return venue.market.instruments[row]
    return next((item for item in venue.market.instruments if item.asset_id == name), None)
