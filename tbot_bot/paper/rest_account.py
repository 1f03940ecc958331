"""Alpaca's trading API: account, its configuration, activities and history."""

from aiohttp import web

from tbot_bot.paper.book import Fill
from tbot_bot.paper.configurations import configuration_of, read_configuration, save_configuration
from tbot_bot.paper.history import portfolio_history, read_question
from tbot_bot.paper.refusal import Refusal, invalid
from tbot_bot.paper.render import account_json, activity_id, fill_json
from tbot_bot.paper.sessions import NEW_YORK, utc
from tbot_bot.paper.web import (
    VENUE,
    Refused,
    account_of,
    answer,
    body_of,
    choice_of,
    csv_of,
    number_of,
    refuse,
    time_of,
)

ACTIVITIES_TOP = 100


def add_routes(app: web.Application) -> None:
    app.add_routes(
        [
            web.get("/v2/account", get_account),
            web.get("/v2/account/activities", get_activities),
            web.get("/v2/account/activities/{kind}", get_activities),
            web.get("/v2/account/configurations", get_configurations),
            web.patch("/v2/account/configurations", patch_configurations),
            web.get("/v2/account/portfolio/history", get_portfolio_history),
        ]
    )


async def get_account(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    shown = account_json(account, venue.exchange.worth(account, now))
    chosen = configuration_of(venue, account)
    shown["trade_suspended_by_user"] = chosen.suspend_trade
    shown["shorting_enabled"] = bool(shown["shorting_enabled"]) and not chosen.no_shorting
    return answer(shown)


async def get_configurations(request: web.Request) -> web.Response:
    return answer(configuration_of(request.app[VENUE], account_of(request)).json())


async def patch_configurations(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    changed = read_configuration(configuration_of(venue, account), await body_of(request))
    if isinstance(changed, Refusal):
        return refuse(changed)
    save_configuration(venue, account, changed)
    return answer(changed.json())


async def get_portfolio_history(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    question = read_question(venue, dict(request.query), now)
    if isinstance(question, Refusal):
        return refuse(question)
    return answer(portfolio_history(venue, account, question, now))


async def get_activities(request: web.Request) -> web.Response:
    """The account's executions; of other kinds there are none. `page_token` is the last id seen and continues in the
    direction asked for."""
    venue, account = request.app[VENUE], account_of(request)
    venue.sync()
    if not _wants_fills(request):
        return answer([])
    after, until, day = time_of(request, "after"), time_of(request, "until"), request.query.get("date")
    descending = choice_of(request, "direction", ("asc", "desc"), "desc") == "desc"
    size = number_of(request, "page_size", ACTIVITIES_TOP, ACTIVITIES_TOP)
    order = request.query.get("order_id")
    fills = [
        fill
        for fill in venue.exchange.fills
        if fill.account == account.id
        and (after is None or fill.time_ms > after)
        and (until is None or fill.time_ms < until)
        and (not order or fill.order_id == order)
        and (not day or utc(fill.time_ms).astimezone(NEW_YORK).date().isoformat() == day[:10])
    ]
    if descending:
        fills.reverse()
    return answer([fill_json(fill) for fill in _after_token(fills, request.query.get("page_token"))[:size]])


def _wants_fills(request: web.Request) -> bool:
    kinds = [request.match_info["kind"]] if "kind" in request.match_info else csv_of(request, "activity_types")
    category = request.query.get("category")
    if category and kinds:
        raise Refused(invalid("activity_types and category cannot be used together"))
    if category:
        wanted = choice_of(request, "category", ("trade_activity", "non_trade_activity"), "")
        return wanted == "trade_activity"
    wrong = next((kind for kind in kinds if not kind.isalpha() or not kind.isupper() or len(kind) > 8), None)
    if wrong is not None:
        raise Refused(invalid(f"invalid activity type: {wrong[:20]}"))
    return not kinds or "FILL" in kinds


def _after_token(fills: list[Fill], token: str | None) -> list[Fill]:
    if not token:
        return fills
    for at, fill in enumerate(fills):
        if activity_id(fill) == token:
            return fills[at + 1 :]
    raise Refused(invalid("page_token is unknown"))
