"""Alpaca's trading API, REST v2."""

from datetime import date, datetime
from decimal import Decimal

from aiohttp import web

from tbot_bot.paper.account import held_for_orders
from tbot_bot.paper.book import CLOSED_STATUSES, Account, Fill, Order, Position
from tbot_bot.paper.market import Instrument, asset_id
from tbot_bot.paper.orders import NewOrder, read_order, read_replacement
from tbot_bot.paper.refusal import Refusal, against_rule, invalid, not_found
from tbot_bot.paper.render import Json, account_json, activity_id, asset_json, fill_json, order_json, position_json
from tbot_bot.paper.sessions import NEW_YORK, utc
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import (
    VENUE,
    Refused,
    account_of,
    answer,
    body_of,
    choice_of,
    csv_of,
    flag_of,
    number_of,
    refuse,
    time_of,
)

ORDERS_DEFAULT, ORDERS_TOP = 50, 500
ACTIVITIES_TOP = 100


def add_routes(app: web.Application) -> None:
    app.add_routes(
        [
            web.get("/v2/account", get_account),
            web.get("/v2/account/activities", get_activities),
            web.get("/v2/account/activities/FILL", get_activities),
            web.get("/v2/clock", get_clock),
            web.get("/v2/calendar", get_calendar),
            web.get("/v2/assets", get_assets),
            web.get("/v2/assets/{symbol}", get_asset),
            web.post("/v2/orders", post_order),
            web.get("/v2/orders", get_orders),
            web.delete("/v2/orders", delete_orders),
            web.get("/v2/orders:by_client_order_id", get_order_by_client_id),
            web.get("/v2/orders/{id}", get_order),
            web.patch("/v2/orders/{id}", patch_order),
            web.delete("/v2/orders/{id}", delete_order),
            web.get("/v2/positions", get_positions),
            web.delete("/v2/positions", delete_positions),
            web.get("/v2/positions/{symbol}", get_position),
            web.delete("/v2/positions/{symbol}", delete_position),
        ]
    )


async def get_account(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    return answer(account_json(account, venue.exchange.worth(account, now)))


async def get_activities(request: web.Request) -> web.Response:
    """FILL activities; `page_token` is the last id seen and continues in the direction asked for."""
    venue, account = request.app[VENUE], account_of(request)
    venue.sync()
    kinds = csv_of(request, "activity_types")
    if kinds and "FILL" not in kinds:
        return answer([])
    after, until, day = time_of(request, "after"), time_of(request, "until"), request.query.get("date")
    descending = choice_of(request, "direction", ("asc", "desc"), "desc") == "desc"
    size = number_of(request, "page_size", ACTIVITIES_TOP, ACTIVITIES_TOP)
    fills = [
        fill
        for fill in venue.exchange.fills
        if fill.account == account.id
        and (after is None or fill.time_ms > after)
        and (until is None or fill.time_ms < until)
        and (not day or utc(fill.time_ms).astimezone(NEW_YORK).date().isoformat() == day[:10])
    ]
    if descending:
        fills.reverse()
    return answer([fill_json(fill) for fill in _after_token(fills, request.query.get("page_token"))[:size]])


def _after_token(fills: list[Fill], token: str | None) -> list[Fill]:
    if not token:
        return fills
    for at, fill in enumerate(fills):
        if activity_id(fill) == token:
            return fills[at + 1 :]
    raise Refused(invalid("page_token is unknown"))


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
    venue = request.app[VENUE]
    first, last = (
        _date(request, "start", venue.calendar.days[0].day),
        _date(request, "end", venue.calendar.days[-1].day),
    )
    return answer(
        [
            {
                "date": day.day.isoformat(),
                "open": utc(day.open_ms).astimezone(NEW_YORK).strftime("%H:%M"),
                "close": utc(day.close_ms).astimezone(NEW_YORK).strftime("%H:%M"),
                "session_open": "0400",
                "session_close": "2000",
            }
            for day in venue.calendar.between(first, last)
        ]
    )


def _date(request: web.Request, name: str, default: date) -> date:
    value = request.query.get(name)
    if not value:
        return default
    try:
        return datetime.fromisoformat(value.replace(" ", "+")).date()
    except ValueError:
        raise Refused(invalid(f"invalid {name}: {value} is no date")) from None


async def get_assets(request: web.Request) -> web.Response:
    status, exchange = request.query.get("status", "active"), request.query.get("exchange")
    if status == "inactive" or request.query.get("asset_class", "us_equity") != "us_equity":
        return answer([])
    items = request.app[VENUE].market.instruments
    return answer([asset_json(item) for item in items if exchange in (None, "", item.exchange)])


async def get_asset(request: web.Request) -> web.Response:
    item = _instrument(request.app[VENUE], request.match_info["symbol"])
    if item is None:
        return refuse(not_found(f"asset not found for {request.match_info['symbol']}"))
    return answer(asset_json(item))


def _instrument(venue: Venue, name: str) -> Instrument | None:
    row = venue.market.index.get(name)
    if row is not None:
        return venue.market.instruments[row]
    return next((item for item in venue.market.instruments if item.asset_id == name), None)


def _shown(venue: Venue, order: Order, *, nested: bool = False) -> Json:
    asset = asset_id(venue.market, order.symbol)
    return order_json(order, asset, [order_json(leg, asset) for leg in venue.exchange.legs(order)] if nested else None)


async def post_order(request: web.Request) -> web.Response:
    new = read_order(await body_of(request))
    if isinstance(new, Refusal):
        return refuse(new)
    return _submitted(request.app[VENUE], account_of(request), new)


def _submitted(venue: Venue, account: Account, new: NewOrder) -> web.Response:
    order = venue.admission.submit(account, new, venue.sync())
    return refuse(order) if isinstance(order, Refusal) else answer(_shown(venue, order, nested=True))


async def get_orders(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    venue.sync()
    wanted = choice_of(request, "status", ("open", "closed", "all"), "open")
    nested, symbols, side = flag_of(request, "nested"), csv_of(request, "symbols"), request.query.get("side")
    after, until = time_of(request, "after"), time_of(request, "until")
    orders = [
        order
        for order in (venue.exchange.open if wanted == "open" else venue.exchange.orders).values()
        if order.account == account.id
        and (wanted != "closed" or order.status in CLOSED_STATUSES)
        and (not symbols or order.symbol in symbols)
        and (not side or order.side == side)
        and (after is None or order.submitted_ms > after)
        and (until is None or order.submitted_ms < until)
    ]
    shown = {order.id for order in orders}
    if nested:
        orders = [order for order in orders if order.group in (None, order.id) or order.group not in shown]
    descending = choice_of(request, "direction", ("asc", "desc"), "desc") == "desc"
    orders.sort(key=lambda order: order.sequence, reverse=descending)
    limit = number_of(request, "limit", ORDERS_DEFAULT, ORDERS_TOP)
    return answer([_shown(venue, order, nested=nested) for order in orders[:limit]])


def _find(request: web.Request) -> Order:
    venue = request.app[VENUE]
    venue.sync()
    order = venue.exchange.orders.get(request.match_info["id"])
    if order is None or order.account != account_of(request).id:
        raise Refused(not_found(f"order not found for {request.match_info['id']}"))
    return order


async def get_order(request: web.Request) -> web.Response:
    return answer(_shown(request.app[VENUE], _find(request), nested=flag_of(request, "nested")))


async def get_order_by_client_id(request: web.Request) -> web.Response:
    venue = request.app[VENUE]
    venue.sync()
    name = request.query.get("client_order_id", "")
    order = venue.exchange.by_client_id.get((account_of(request).id, name))
    if order is None:
        return refuse(not_found(f"order not found for {name}"))
    return answer(_shown(venue, order, nested=True))


async def patch_order(request: web.Request) -> web.Response:
    venue, order = request.app[VENUE], _find(request)
    change = read_replacement(await body_of(request))
    if isinstance(change, Refusal):
        return refuse(change)
    replaced = venue.admission.replace(account_of(request), order, change, venue.sync())
    return refuse(replaced) if isinstance(replaced, Refusal) else answer(_shown(venue, replaced))


async def delete_order(request: web.Request) -> web.Response:
    venue, order = request.app[VENUE], _find(request)
    if not order.is_open:
        return refuse(against_rule(f'order is already in "{order.status}" state'))
    venue.exchange.cancel(order, venue.sync())
    venue.exchange.commit()
    return web.Response(status=204)


async def delete_orders(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    ended = _cancel_all(venue, account, venue.sync())
    return answer([{"id": order_id, "status": 200} for order_id in ended], 207)


def _cancel_all(venue: Venue, account: Account, now_ms: int) -> list[str]:
    ended = []
    for order in venue.exchange.open_orders(account):
        ended.append(order.id)
        if order.is_open:
            venue.exchange.cancel(order, now_ms)
    for order in venue.exchange.open_orders(account):
        venue.exchange.cancel(order, now_ms)
    venue.exchange.commit()
    return ended


async def get_positions(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    return answer([_position(venue, account, position, now) for position in account.positions.values()])


def _held(request: web.Request) -> tuple[Position, int]:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    item = _instrument(venue, request.match_info["symbol"])
    position = account.positions.get(item.symbol) if item else None
    if position is None:
        raise Refused(not_found("position does not exist"))
    return position, now


async def get_position(request: web.Request) -> web.Response:
    position, now = _held(request)
    return answer(_position(request.app[VENUE], account_of(request), position, now))


def _position(venue: Venue, account: Account, position: Position, now_ms: int) -> Json:
    row = venue.market.index[position.symbol]
    previous = Decimal(int(venue.view.bars(now_ms).previous_close[row])) / 10_000
    last = venue.view.price(position.symbol, now_ms) or position.average_price
    held = held_for_orders(account, position.symbol, venue.exchange.open_orders(account, position.symbol))
    return position_json(position, venue.market.instruments[row], last, previous, abs(position.qty) - held)


async def delete_position(request: web.Request) -> web.Response:
    """A market order for the whole position, or for `qty` or `percentage` of it."""
    venue, account = request.app[VENUE], account_of(request)
    position, _ = _held(request)
    qty, percentage = request.query.get("qty"), request.query.get("percentage")
    amount = abs(position.qty)
    if qty and percentage:
        return refuse(invalid("use either qty or percentage"))
    try:
        if qty:
            amount = Decimal(qty)
        elif percentage:
            amount = (amount * Decimal(percentage) / 100).quantize(Decimal("0.000000001"))
    except ArithmeticError:
        return refuse(invalid("qty and percentage must be numbers"))
    new = _closing(position, amount)
    return refuse(new) if isinstance(new, Refusal) else _submitted(venue, account, new)


def _closing(position: Position, amount: Decimal) -> NewOrder | Refusal:
    return read_order(
        {
            "symbol": position.symbol,
            "side": "sell" if position.qty > 0 else "buy",
            "type": "market",
            "time_in_force": "day",
            "qty": format(amount, "f"),
        }
    )


async def delete_positions(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    if flag_of(request, "cancel_orders"):
        _cancel_all(venue, account, now)
    results: list[Json] = []
    for position in list(account.positions.values()):
        new = _closing(position, abs(position.qty))
        order = new if isinstance(new, Refusal) else venue.admission.submit(account, new, now)
        if isinstance(order, Refusal):
            results.append({"symbol": position.symbol, "status": order.status, "body": order.body()})
        else:
            body = _shown(venue, order)
            results.append({"symbol": position.symbol, "status": 200, "order_id": order.id, "body": body})
    return answer(results, 207)
