"""Alpaca's trading API: orders."""

from aiohttp import web

from tbot_bot.paper.book import CLOSED_STATUSES, Account, Order
from tbot_bot.paper.configurations import refuse_by_configuration
from tbot_bot.paper.market import asset_id
from tbot_bot.paper.orders import NewOrder, read_order, read_replacement
from tbot_bot.paper.refusal import Refusal, against_rule, invalid, not_found
from tbot_bot.paper.render import Json, order_json
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


def add_routes(app: web.Application) -> None:
    app.add_routes(
        [
            web.post("/v2/orders", post_order),
            web.get("/v2/orders", get_orders),
            web.delete("/v2/orders", delete_orders),
            web.get("/v2/orders:by_client_order_id", get_order_by_client_id),
            web.get("/v2/orders/{id}", get_order),
            web.patch("/v2/orders/{id}", patch_order),
            web.delete("/v2/orders/{id}", delete_order),
        ]
    )


def shown(venue: Venue, order: Order, *, nested: bool = False) -> Json:
    asset = asset_id(venue.market, order.symbol)
    return order_json(order, asset, [order_json(leg, asset) for leg in venue.exchange.legs(order)] if nested else None)


async def post_order(request: web.Request) -> web.Response:
    new = read_order(await body_of(request))
    if isinstance(new, Refusal):
        return refuse(new)
    return submitted(request.app[VENUE], account_of(request), new)


def submit(venue: Venue, account: Account, new: NewOrder, now_ms: int) -> Order | Refusal:
    return refuse_by_configuration(venue, account, new) or venue.admission.submit(account, new, now_ms)


def submitted(venue: Venue, account: Account, new: NewOrder) -> web.Response:
    order = submit(venue, account, new, venue.sync())
    return refuse(order) if isinstance(order, Refusal) else answer(shown(venue, order, nested=True))


async def get_orders(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    venue.sync()
    wanted = choice_of(request, "status", ("open", "closed", "all"), "open")
    nested, symbols, side = flag_of(request, "nested"), csv_of(request, "symbols"), _side(request)
    after, until = time_of(request, "after"), time_of(request, "until")
    first, last = _sequence(request, "after_order_id"), _sequence(request, "before_order_id")
    if set(csv_of(request, "asset_class")) - {"us_equity", "all"}:
        return answer([])
    orders = [
        order
        for order in (venue.exchange.open if wanted == "open" else venue.exchange.orders).values()
        if order.account == account.id
        and (wanted != "closed" or order.status in CLOSED_STATUSES)
        and (not symbols or order.symbol in symbols)
        and (not side or order.side == side)
        and (after is None or order.submitted_ms > after)
        and (until is None or order.submitted_ms < until)
        and (first is None or order.sequence > first)
        and (last is None or order.sequence < last)
    ]
    listed = {order.id for order in orders}
    if nested:
        orders = [order for order in orders if order.group in (None, order.id) or order.group not in listed]
    descending = choice_of(request, "direction", ("asc", "desc"), "desc") == "desc"
    orders.sort(key=lambda order: order.sequence, reverse=descending)
    limit = number_of(request, "limit", ORDERS_DEFAULT, ORDERS_TOP)
    return answer([shown(venue, order, nested=nested) for order in orders[:limit]])


def _side(request: web.Request) -> str:
    return choice_of(request, "side", ("buy", "sell"), "") if request.query.get("side") else ""


def _sequence(request: web.Request, name: str) -> int | None:
    """The place of the order that a parameter names."""
    found = request.query.get(name)
    if not found:
        return None
    order = request.app[VENUE].exchange.orders.get(found)
    if order is None or order.account != account_of(request).id:
        raise Refused(invalid(f"{name}: order {found} not found"))
    return order.sequence


def _find(request: web.Request) -> Order:
    venue = request.app[VENUE]
    venue.sync()
    order = venue.exchange.orders.get(request.match_info["id"])
    if order is None or order.account != account_of(request).id:
        raise Refused(not_found(f"order not found for {request.match_info['id']}"))
    return order


async def get_order(request: web.Request) -> web.Response:
    return answer(shown(request.app[VENUE], _find(request), nested=flag_of(request, "nested")))


async def get_order_by_client_id(request: web.Request) -> web.Response:
    venue = request.app[VENUE]
    venue.sync()
    name = request.query.get("client_order_id", "")
    order = venue.exchange.by_client_id.get((account_of(request).id, name))
    if order is None:
        return refuse(not_found(f"order not found for {name}"))
    return answer(shown(venue, order, nested=True))


async def patch_order(request: web.Request) -> web.Response:
    venue, order = request.app[VENUE], _find(request)
    change = read_replacement(await body_of(request))
    if isinstance(change, Refusal):
        return refuse(change)
    replaced = venue.admission.replace(account_of(request), order, change, venue.sync())
    return refuse(replaced) if isinstance(replaced, Refusal) else answer(shown(venue, replaced))


async def delete_order(request: web.Request) -> web.Response:
    venue, order = request.app[VENUE], _find(request)
    if not order.is_open:
        return refuse(against_rule(f'order is already in "{order.status}" state'))
    venue.exchange.cancel(order, venue.sync())
    venue.exchange.commit()
    return web.Response(status=204)


async def delete_orders(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    ended = cancel_all(venue, account, venue.sync())
    return answer([{"id": order_id, "status": 200} for order_id in ended], 207)


def cancel_all(venue: Venue, account: Account, now_ms: int) -> list[str]:
    ended = []
    for order in venue.exchange.open_orders(account):
        ended.append(order.id)
        if order.is_open:
            venue.exchange.cancel(order, now_ms)
    for order in venue.exchange.open_orders(account):
        venue.exchange.cancel(order, now_ms)
    venue.exchange.commit()
    return ended
