"""User and account: profile, balances, positions, history, and orders."""

from decimal import Decimal, InvalidOperation

from aiohttp import web

from tbot_bot.paper.book import Account, Order
from tbot_bot.paper.orders import Replacement, check_order
from tbot_bot.paper.refusal import FORBIDDEN_CODE, Refusal
from tbot_bot.paper.sessions import NEW_YORK, rfc3339, utc
from tbot_bot.paper.web import VENUE, account_of
from tools.counterparts.tradier.orders import COMPLEX_IDS, Placing, as_new_order, order_row, read_placing
from tools.counterparts.tradier.shape import Json, Problem, account_number, answer, collapsed


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
    market = worth.equity - account.cash
    power = float(round(worth.buying_power, 2))
    body = {
        "account_number": request.match_info["account"],
        "account_type": "margin",
        "total_equity": float(round(worth.equity, 2)),
        "total_cash": float(round(account.cash, 2)),
        "market_value": float(round(market, 2)),
        "equity": float(round(worth.equity, 2)),
        "long_market_value": float(round(market, 2)),
        "open_pl": 0.0,
        "close_pl": 0.0,
        "pending_orders_count": len(venue.exchange.open_orders(account)),
        "uncleared_funds": 0,
        "margin": {"fed_call": 0, "maintenance_call": 0, "stock_buying_power": power, "sweep": 0},
    }
    return answer(request, {"balances": body})


async def get_positions(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    rows = [
        {
            "cost_basis": float(round(held.cost, 2)),
            "date_acquired": rfc3339(now),
            "id": number,
            "quantity": float(held.qty),
            "symbol": held.symbol,
        }
        for number, held in enumerate(account.positions.values(), 1)
    ]
    return answer(request, {"positions": collapsed("position", rows)})


async def get_history(request: web.Request) -> web.Response:
    """Trades, newest first."""
    venue, account = request.app[VENUE], account_of(request)
    venue.sync()
    rows = [
        {
            "amount": float(round(-fill.qty * fill.price if fill.side == "buy" else fill.qty * fill.price, 2)),
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
        for fill in reversed(venue.exchange.fills)
        if fill.account == account.id
    ]
    return answer(request, {"history": collapsed("event", rows)})


async def get_gainloss(request: web.Request) -> web.Response:
    return answer(request, {"gainloss": "null"})


async def get_orders(request: web.Request) -> web.Response:
    """Those of today's session alone, as Tradier keeps them."""
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    today, tags = utc(now).astimezone(NEW_YORK).date(), _wants_tags(request)
    page, size = _whole(request, "page", 1), _whole(request, "limit", 250)
    heads = [
        order
        for order in venue.exchange.orders.values()
        if order.account == account.id
        and order.group in (None, order.id)
        and (order.is_open or utc(max(order.updated_ms, order.submitted_ms)).astimezone(NEW_YORK).date() == today)
    ]
    rows = [order_row(venue.exchange, order, tags=tags) for order in heads][(page - 1) * size : page * size]
    return answer(request, {"orders": collapsed("order", rows)})


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


async def put_order(request: web.Request) -> web.Response:
    """Type, duration and prices may change, the quantity may not."""
    venue, order = request.app[VENUE], _find(request)
    form = {**request.query, **{key: str(value) for key, value in (await request.post()).items()}}
    if not order.is_open:
        raise Problem(400, "order already in finalized state")
    prices = {name: _price(form, name) for name in ("price", "stop")}
    change = Replacement(None, prices["price"], prices["stop"], None, None, None)
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
