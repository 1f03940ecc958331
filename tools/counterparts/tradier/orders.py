"""Orders as Tradier takes them in and tells them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal, cast

from tbot_bot.paper.book import Order, OrderType, Side
from tbot_bot.paper.exchange import Exchange
from tbot_bot.paper.orders import NewOrder
from tbot_bot.paper.sessions import rfc3339
from tools.counterparts.tradier.shape import Json, Problem

COMPLEX_IDS = 1_000_000
"""A complex order has an id of its own beside those of its legs: this much above its first leg's."""
_TYPES = ("market", "limit", "stop", "stop_limit")
_SIDES: Mapping[str, Side] = {"buy": "buy", "buy_to_cover": "buy", "sell": "sell", "sell_short": "sell"}
DURATIONS = ("day", "gtc", "pre", "post")
_STATUS = {
    "pending_new": "pending",
    "accepted": "pending",
    "new": "open",
    "held": "open",
    "partially_filled": "partially_filled",
    "filled": "filled",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
    "replaced": "canceled",
}


@dataclass(frozen=True, slots=True)
class Leg:
    """One order of a request. `side`: Tradier's four."""

    symbol: str
    side: str
    type: OrderType
    quantity: Decimal
    price: Decimal | None
    stop: Decimal | None


@dataclass(frozen=True, slots=True)
class Placing:
    """A request to place orders, as read. `kind`: equity, oto, oco, otoco."""

    kind: str
    duration: str
    tag: str
    preview: bool
    legs: tuple[Leg, ...]


def read_placing(form: Mapping[str, str]) -> Placing:
    """Raises Problem 400 for what cannot be read."""
    kind = choice(form, "class", ("equity", "oto", "oco", "otoco"))
    legs = {"equity": 1, "oto": 2, "oco": 2, "otoco": 3}[kind]
    tag = form.get("tag", "")
    if len(tag) > 255 or not all(c.isascii() and (c.isalnum() or c == "-") for c in tag):
        raise Problem(400, "Invalid parameter, tag: may contain letters, numbers and - only, up to 255.")
    names = [""] if kind == "equity" else [f"[{number}]" for number in range(legs)]
    return Placing(
        kind,
        choice(form, "duration", DURATIONS),
        tag,
        form.get("preview", "").lower() == "true",
        tuple(_leg(form, suffix) for suffix in names),
    )


def _leg(form: Mapping[str, str], suffix: str) -> Leg:
    kind = choice(form, f"type{suffix}", _TYPES)
    side = choice(form, f"side{suffix}", tuple(_SIDES))
    symbol = form.get(f"symbol{suffix}") or form.get("symbol", "")
    if not symbol:
        raise Problem(400, f"Invalid parameter, symbol{suffix}: is required.")
    quantity = _number(form, f"quantity{suffix}")
    if quantity is None or quantity != quantity.to_integral_value():
        raise Problem(400, f"Invalid parameter, quantity{suffix}: must be a whole number of shares.")
    price, stop = _number(form, f"price{suffix}"), _number(form, f"stop{suffix}")
    if (price is None) == (kind in ("limit", "stop_limit")):
        raise Problem(400, f"Invalid parameter, price{suffix}: {'is required' if price is None else 'is not allowed'}.")
    if (stop is None) == (kind in ("stop", "stop_limit")):
        raise Problem(400, f"Invalid parameter, stop{suffix}: {'is required' if stop is None else 'is not allowed'}.")
    return Leg(symbol, side, cast("OrderType", kind), quantity, price, stop)


def as_new_order(placing: Placing) -> NewOrder:
    """For the exchange. Raises Problem 400 for legs that make no complex order."""
    first = placing.legs[0]
    profit, loss, loss_limit = _exits(placing)
    oco = placing.kind == "oco"
    return NewOrder(
        symbol=first.symbol,
        side=_SIDES[first.side],
        type="limit" if oco else first.type,
        time_in_force="gtc" if placing.duration == "gtc" else "day",
        order_class=cast("Literal['simple', 'bracket', 'oco', 'oto']", _class(placing)),
        client_order_id=f"{uuid.uuid4()}.{placing.duration}.{first.side}|{placing.tag}",
        qty=first.quantity,
        notional=None,
        limit_price=None if oco else first.price,
        stop_price=None if oco else first.stop,
        trail_price=None,
        trail_percent=None,
        extended_hours=placing.duration in ("pre", "post"),
        take_profit_limit=profit,
        stop_loss_stop=loss,
        stop_loss_limit=loss_limit,
    )


def _class(placing: Placing) -> str:
    return {"equity": "simple", "otoco": "bracket"}.get(placing.kind, placing.kind)


def _exits(placing: Placing) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Target, stop and the stop's limit among the legs that close."""
    if placing.kind == "equity":
        return None, None, None
    closing = placing.legs if placing.kind == "oco" else placing.legs[1:]
    if placing.kind != "oco" and any(_SIDES[leg.side] == _SIDES[placing.legs[0].side] for leg in closing):
        raise Problem(400, "Invalid parameter, side[1]: must be opposite of side[0].")
    target = next((leg.price for leg in closing if leg.type == "limit"), None)
    stop = next((leg for leg in closing if leg.type in ("stop", "stop_limit")), None)
    if len(closing) == 2 and (target is None or stop is None):
        raise Problem(400, "Invalid parameter, type: an OCO needs one limit and one stop order.")
    return target, stop.stop if stop else None, stop.price if stop else None


def choice(form: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    value = form.get(name, "").lower()
    if value not in allowed:
        raise Problem(400, f"Invalid parameter, {name}: {'is required' if not value else f'{value} is not valid'}.")
    return value


def _number(form: Mapping[str, str], name: str) -> Decimal | None:
    text = form.get(name, "")
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise Problem(400, f"Invalid parameter, {name}: must be a positive number.")
    return value


# telling


def order_row(exchange: Exchange, order: Order, *, tags: bool) -> Json:
    """A simple order, or the head of a complex one with all its legs."""
    legs = exchange.legs(order)
    if not legs:
        return _plain_row(exchange, order, order.sequence, tags=tags)
    kind = {"bracket": "otoco"}.get(order.order_class, order.order_class)
    row = _plain_row(exchange, order, order.sequence + COMPLEX_IDS, tags=tags) | {
        "class": kind,
        "num_legs": len(legs) + 1,
    }
    row["leg"] = [_plain_row(exchange, leg, leg.sequence, tags=False) for leg in (order, *legs)]
    return row


def _plain_row(exchange: Exchange, order: Order, number: int, *, tags: bool) -> Json:
    last = None
    if order.filled_qty:
        last = next((fill for fill in reversed(exchange.fills) if fill.order_id == order.id), None)
    average = float(round(order.average_price, 6)) if order.average_price is not None else 0.0
    row: Json = {
        "id": number,
        "type": order.type,
        "symbol": order.symbol,
        "side": side_of(order),
        "quantity": float(order.qty or 0),
        "status": _STATUS[order.status],
        "duration": _duration(order),
        "avg_fill_price": average,
        "exec_quantity": float(order.filled_qty),
        "last_fill_price": float(last.price) if last else 0.0,
        "last_fill_quantity": float(last.qty) if last else 0.0,
        "remaining_quantity": float(order.remaining) if order.is_open else 0.0,
        "create_date": rfc3339(order.submitted_ms),
        "transaction_date": rfc3339(max(order.updated_ms, order.submitted_ms)),
        "class": "equity",
    }
    if order.limit_price is not None:
        row["price"] = float(order.limit_price)
    if order.stop_price is not None:
        row["stop_price"] = float(order.stop_price)
    if order.status == "rejected":
        row["reason_description"] = order.reason
    tag = order.client_order_id.partition("|")[2]
    if tags and tag:
        row["tag"] = tag
    return row


def _duration(order: Order) -> str:
    """A pre or post market order's as asked for; of others, which may have been changed, the exchange's."""
    asked = order.client_order_id.partition("|")[0].split(".")
    return asked[1] if order.extended_hours and len(asked) > 2 else order.time_in_force


def side_of(order: Order) -> str:
    """Tradier's four sides, as asked for; of a closing leg the exchange's own."""
    asked = order.client_order_id.partition("|")[0].rpartition(".")[2]
    return asked if asked in _SIDES else order.side
