"""Alpaca's trading API: positions."""

from decimal import Decimal

from aiohttp import web

from tbot_bot.paper.account import held_for_orders
from tbot_bot.paper.book import Account, Position
from tbot_bot.paper.orders import NewOrder, read_order
from tbot_bot.paper.refusal import Refusal, invalid, not_found
from tbot_bot.paper.render import Json, position_json
from tbot_bot.paper.rest_assets import instrument
from tbot_bot.paper.rest_orders import cancel_all, shown, submit, submitted
from tbot_bot.paper.venue import Venue
from tbot_bot.paper.web import VENUE, Refused, account_of, answer, flag_of, refuse


def add_routes(app: web.Application) -> None:
    app.add_routes(
        [
            web.get("/v2/positions", get_positions),
            web.delete("/v2/positions", delete_positions),
            web.get("/v2/positions/{symbol}", get_position),
            web.delete("/v2/positions/{symbol}", delete_position),
        ]
    )


async def get_positions(request: web.Request) -> web.Response:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    return answer([_position(venue, account, position, now) for position in account.positions.values()])


def _held(request: web.Request) -> tuple[Position, int]:
    venue, account = request.app[VENUE], account_of(request)
    now = venue.sync()
    item = instrument(venue, request.match_info["symbol"])
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
    return refuse(new) if isinstance(new, Refusal) else submitted(venue, account, new)


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
        cancel_all(venue, account, now)
    results: list[Json] = []
    for position in list(account.positions.values()):
        new = _closing(position, abs(position.qty))
        order = new if isinstance(new, Refusal) else submit(venue, account, new, now)
        if isinstance(order, Refusal):
            results.append({"symbol": position.symbol, "status": order.status, "body": order.body()})
        else:
            body = shown(venue, order)
            results.append({"symbol": position.symbol, "status": 200, "order_id": order.id, "body": body})
    return answer(results, 207)
