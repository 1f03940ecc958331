"""User and account: profile, balances, positions, history, and orders."""

from decimal import Decimal, InvalidOperation
from typing import Literal, cast

from aiohttp import web

from tbot_bot.paper.book import Account, Fill, Order
from tbot_bot.paper.orders import Replacement, check_order
from tbot_bot.paper.refusal import FORBIDDEN_CODE, Refusal
from tbot_bot.paper.sessions import NEW_YORK, rfc3339, utc
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.view import dollars
from tbot_bot.paper.web import VENUE, account_of
from tools.counterparts.tradier.gains import match
from tools.counterparts.tradier.orders import (
    COMPLEX_IDS,
    DURATIONS,
    Placing,
    as_new_order,
    choice,
    order_row,
    read_placing,
)
from tools.counterparts.tradier.shape import Json, Problem, account_number, answer, collapsed

LOWEST_SHORT = 5
"""Dollars."""


def add_routes(app: web.Application) -> None:
    root = "/v1/accounts/{account}"
    app.add_routes(
        [
            web.get("/v1/user/profile", get_profile),
            web.get(f"{root}/balances", get_balances),
            web.get(f"{root}/positions", get_positions),
            web.get(f"{root}/history", get_history),
            web.get(f"{root}/gainloss", get_gainloss),
            web.get(f"{root}/orders", get_orders),
            web.post(f"{root}/orders", post_order),
            web.get(f"{root}/orders/{{id}}", get_order),
            web.put(f"{root}/orders/{{id}}", put_order),
            web.delete(f"{root}/orders/{{id}}", delete_order),
        ]
    )


async def get_profile(request: web.Request) -> web.Response:
    token = request.headers["Authorization"].partition(" ")[2]
    account = {
        "account_number": account_number(token),
        "classification": "individual",
        "day_trader": False,
        "option_level": 0,
        "status": "active",
        "type": "margin",
        "date_created": rfc3339(account_of(request).created_ms),
        "last_update_date": rfc3339(request.app[VENUE].sync()),
    }
    return answer(
        request, {"profile": {"id": f"id-{account['account_number']}", "name": "A Trader", "account": account}}
    )


async def get_balances(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    worth = venue.exchange.worth(account, now)
    orders = venue.exchange.open_orders(account)
    power = _cents(worth.buying_power)
    cost = sum((held.cost for held in account.positions.values()), Decimal(0))
    closed, _ = match(_fills(request))
    body = {
        "option_short_value": 0,
        "total_equity": _cents(worth.equity),
        "account_number": request.match_info["account"],
        "account_type": "margin",
        "close_pl": _cents(sum((each.gain for each in closed if _is_today(each.closed_ms, now)), Decimal(0))),
        "current_requirement": _cents(worth.gross / 2),
        "equity": 0,
        "long_market_value": _cents(worth.long_value),
        "market_value": _cents(worth.long_value + worth.short_value),
        "open_pl": _cents(worth.long_value + worth.short_value - cost),
        "option_long_value": 0,
        "option_requirement": 0,
        "pending_orders_count": len(orders),
        "short_market_value": _cents(worth.short_value),
        "stock_long_value": _cents(worth.long_value),
        "total_cash": _cents(account.cash),
        "uncleared_funds": 0,
        "pending_cash": 0,
        "margin": {
            "fed_call": 0,
            "maintenance_call": 0,
            "option_buying_power": power / 2,
            "stock_buying_power": power,
            "stock_short_value": _cents(worth.short_value),
            "sweep": 0,
        },
    }
    return answer(request, {"balances": body})


async def get_positions(request: web.Request) -> web.Response:
    """`id` and `date_acquired` are those of the oldest lot that is left."""
    venue, account = request.app[VENUE], account_of(request)
    venue.sync()
    _, lots = match(_fills(request))
    rows = [
        {
            "cost_basis": _cents(held.cost),
            "date_acquired": rfc3339(lots[held.symbol][0].fill.time_ms),
            "id": lots[held.symbol][0].fill.sequence + 1,
            "quantity": float(held.qty),
            "symbol": held.symbol,
        }
        for held in account.positions.values()
    ]
    return answer(request, {"positions": collapsed("position", rows)})


async def get_history(request: web.Request) -> web.Response:
    """Trades, newest first; 25 of them unless more are asked for."""
    request.app[VENUE].sync()
    rows = [
        {
            "amount": _cents(-fill.qty * fill.price if fill.side == "buy" else fill.qty * fill.price),
            "date": rfc3339(fill.time_ms),
            "type": "trade",
            "trade": {
                "commission": 0.0,
                "description": fill.symbol,
                "price": float(fill.price),
                "quantity": float(fill.qty if fill.side == "buy" else -fill.qty),
                "symbol": fill.symbol,
                "trade_type": "Equity",
            },
        }
        for fill in reversed(_fills(request))
        if request.query.get("symbol", fill.symbol).upper() == fill.symbol
        and request.query.get("type", "trade") == "trade"
        and _between(request, fill.time_ms)
    ]
    return answer(request, {"history": collapsed("event", _page(request, rows, 25))})


async def get_gainloss(request: web.Request) -> web.Response:
    """Closed positions by their day of closing, or of opening."""
    request.app[VENUE].sync()
    closed, _ = match(_fills(request))
    by_opening = request.query.get("sortBy", "closeDate").lower().startswith("open")
    closed.sort(
        key=lambda each: each.opened_ms if by_opening else each.closed_ms,
        reverse=request.query.get("sort", "desc") != "asc",
    )
    rows = [
        {
            "close_date": rfc3339(each.closed_ms),
            "cost": _cents(each.cost),
            "gain_loss": _cents(each.gain),
            "gain_loss_percent": _cents(100 * each.gain / each.cost),
            "open_date": rfc3339(each.opened_ms),
            "proceeds": _cents(each.proceeds),
            "quantity": float(each.qty),
            "symbol": each.symbol,
            "term": each.days,
        }
        for each in closed
        if request.query.get("symbol", "").upper() in each.symbol and _between(request, each.closed_ms)
    ]
    return answer(request, {"gainloss": collapsed("closed_position", _page(request, rows, 100))})


def _fills(request: web.Request) -> list[Fill]:
    """The account's, oldest first."""
    account = account_of(request).id
    return [fill for fill in request.app[VENUE].exchange.fills if fill.account == account]


def _page(request: web.Request, rows: list[Json], size: int) -> list[Json]:
    page, size = _whole(request, "page", 1), _whole(request, "limit", size)
    return rows[(page - 1) * size : page * size]


def _between(request: web.Request, ms: int) -> bool:
    day = utc(ms).astimezone(NEW_YORK).date().isoformat()
    return (request.query.get("start") or day) <= day <= (request.query.get("end") or day)


def _is_today(ms: int, now: int) -> bool:
    return utc(ms).astimezone(NEW_YORK).date() == utc(now).astimezone(NEW_YORK).date()


def _cents(value: Decimal) -> float:
    return float(round(value, 2))


async def get_orders(request: web.Request) -> web.Response:
    """Those of today's session alone, as Tradier keeps them."""
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    today, tags = utc(now).astimezone(NEW_YORK).date(), _wants_tags(request)
    heads = [
        order
        for order in venue.exchange.orders.values()
        if order.account == account.id
        and order.group in (None, order.id)
        and (order.is_open or utc(max(order.updated_ms, order.submitted_ms)).astimezone(NEW_YORK).date() == today)
    ]
    rows = [order_row(venue.exchange, order, tags=tags) for order in heads]
    return answer(request, {"orders": collapsed("order", _page(request, rows, 250))})


async def get_order(request: web.Request) -> web.Response:
    order = _find(request)
    return answer(request, {"order": order_row(request.app[VENUE].exchange, order, tags=_wants_tags(request))})


async def post_order(request: web.Request) -> web.Response:
    """200 with errors for what is wrong with the order; what the account cannot do is taken in and then rejected."""
    form = {**request.query, **{key: str(value) for key, value in (await request.post()).items()}}
    placing, venue = read_placing(form), request.app[VENUE]
    new = as_new_order(placing)
    refusal = check_order(new)
    if refusal is not None:
        raise Problem(200, refusal.message)
    now = venue.sync()
    _check_sides(account_of(request), placing)
    _check_prices(venue, placing, now)
    if placing.preview:
        body: Json = {
            "status": "ok",
            "commission": 0.0,
            "symbol": new.symbol,
            "quantity": float(new.qty or 0),
            "result": True,
        }
        return answer(request, {"order": body})
    order = venue.admission.submit(account_of(request), new, now)
    if isinstance(order, Refusal):
        if order.code != FORBIDDEN_CODE:
            raise Problem(200, order.message)
        order = venue.admission.reject(account_of(request), new, order.message, now)
    number = order.sequence + (COMPLEX_IDS if venue.exchange.legs(order) else 0)
    return answer(request, {"order": {"id": number, "status": "ok", "partner_id": "tbot-counterpart"}})


def _check_sides(account: Account, placing: Placing) -> None:
    """An order may not turn a position around, and says whether it opens or closes a short one."""
    leg = placing.legs[0]
    held = account.positions[leg.symbol].qty if leg.symbol in account.positions else Decimal(0)
    wrong = {
        "sell": held <= 0,
        "sell_short": held > 0,
        "buy_to_cover": held >= 0,
        "buy": held < 0,
    }[leg.side]
    if wrong and placing.kind != "oco":
        raise Problem(200, f"Order side {leg.side} does not fit the position of {held} shares in {leg.symbol}.")
    if leg.side in ("sell", "buy_to_cover") and leg.quantity > abs(held):
        raise Problem(200, f"{leg.side} of {leg.quantity} is more than the position of {held} shares in {leg.symbol}.")
    if leg.side == "sell_short" and placing.duration == "gtc":
        raise Problem(200, "GTC orders are not allowed for short sales.")


def _check_prices(venue: Venue, placing: Placing, now: int) -> None:
    """A cheap stock is not sold short; a stop order waits on its side of the market, or it would be none."""
    leg, quote = placing.legs[0], venue.view.quote(placing.legs[0].symbol, now)
    if quote is None:
        return
    if leg.side == "sell_short" and dollars(quote.bid) < LOWEST_SHORT:
        raise Problem(200, f"Short sale orders cannot be placed for stock priced below ${LOWEST_SHORT}.")
    if leg.stop is None or placing.kind == "oco":
        return
    if leg.side in ("sell", "sell_short") and leg.stop >= dollars(quote.bid):
        raise Problem(200, "Sell stop orders must have a stop price below the current bid.")
    if leg.side in ("buy", "buy_to_cover") and leg.stop <= dollars(quote.ask):
        raise Problem(200, "Buy stop orders must have a stop price above the current ask.")


async def put_order(request: web.Request) -> web.Response:
    """Duration and prices may change; the quantity may not."""
    venue, order = request.app[VENUE], _find(request)
    form = {**request.query, **{key: str(value) for key, value in (await request.post()).items()}}
    if not order.is_open:
        raise Problem(400, "order already in finalized state")
    if form.get("type", order.type) != order.type:
        raise Problem(400, f"Invalid parameter, type: an order stays a {order.type} order here.")
    prices = {name: _price(form, name) for name in ("price", "stop")}
    duration = choice(form, "duration", DURATIONS) if form.get("duration") else ""
    if (duration in ("pre", "post")) != order.extended_hours and duration:
        raise Problem(400, "Invalid parameter, duration: an order keeps to its sessions.")
    force = cast("Literal['day', 'gtc'] | None", duration if duration in ("day", "gtc") else None)
    change = Replacement(None, prices["price"], prices["stop"], None, force, None)
    refusal = venue.admission.amend(account_of(request), order, change, venue.sync())
    if refusal is not None:
        raise Problem(200, refusal.message)
    return answer(request, {"order": {"id": int(request.match_info["id"]), "status": "ok"}})


async def delete_order(request: web.Request) -> web.Response:
    venue, order = request.app[VENUE], _find(request)
    if not order.is_open:
        raise Problem(400, "order already in finalized state")
    venue.exchange.cancel(order, venue.sync())
    venue.exchange.commit()
    return answer(request, {"order": {"id": int(request.match_info["id"]), "status": "ok"}})


def _find(request: web.Request) -> Order:
    venue, account = request.app[VENUE], account_of(request)
    venue.sync()
    text = request.match_info["id"]
    number = int(text) if text.isascii() and text.isdigit() else 0
    number -= COMPLEX_IDS if number > COMPLEX_IDS else 0
    for order in venue.exchange.orders.values():
        if order.sequence == number and order.account == account.id:
            return order
    raise Problem(400, "order not found")


def _price(form: dict[str, str], name: str) -> Decimal | None:
    if not form.get(name):
        return None
    try:
        return Decimal(form[name])
    except InvalidOperation:
        raise Problem(400, f"Invalid parameter, {name}: must be a number.") from None


def _wants_tags(request: web.Request) -> bool:
    return request.query.get("includeTags", "").lower() == "true"


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else default
