"""Reading an order from a request, and the rules that need no account."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast

from tbot_bot.paper.book import OrderClass, OrderType, Side, TimeInForce
from tbot_bot.paper.refusal import Refusal, against_rule, forbidden, invalid

MAX_CLIENT_ORDER_ID = 128
MIN_NOTIONAL = Decimal(1)
_TYPES = ("market", "limit", "stop", "stop_limit", "trailing_stop")
_CLASSES = ("simple", "bracket", "oco", "oto")
_TIMES = ("day", "gtc", "opg", "cls", "ioc", "fok")
_INTENTS = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as asked for: dollars and shares; exactly one of `qty` and `notional`."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    order_class: OrderClass
    client_order_id: str
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    extended_hours: bool
    take_profit_limit: Decimal | None
    stop_loss_stop: Decimal | None
    stop_loss_limit: Decimal | None
    intent: str | None = None
    """What the client says that the order does to its position: `buy_to_open` and so on."""

    @property
    def is_fractional(self) -> bool:
        return self.notional is not None or (self.qty is not None and self.qty != self.qty.to_integral_value())

    @property
    def reference_price(self) -> Decimal | None:
        return self.limit_price or self.stop_price


@dataclass(frozen=True, slots=True)
class Replacement:
    """A PATCH: None keeps what was."""

    qty: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail: Decimal | None
    time_in_force: Literal["day", "gtc"] | None
    client_order_id: str | None


class _Invalid(Exception):
    """A field that cannot be read; caught in this module."""


def read_order(body: object) -> NewOrder | Refusal:
    if not isinstance(body, Mapping):
        return invalid("request body format is invalid")
    try:
        order = _read(body)
    except _Invalid as e:
        return invalid(str(e))
    return check_order(order) or order


def check_order(order: NewOrder) -> Refusal | None:
    """The rules that need no account."""
    checks = (_check_amount, _check_type, _check_class, _check_fraction, _check_hours, _check_time, _check_increments)
    return next((refusal for check in checks if (refusal := check(order)) is not None), None)


def read_replacement(body: object) -> Replacement | Refusal:
    if not isinstance(body, Mapping):
        return invalid("request body format is invalid")
    try:
        tif = body.get("time_in_force")
        change = Replacement(
            _number(body, "qty"),
            _number(body, "limit_price"),
            _number(body, "stop_price"),
            _number(body, "trail"),
            None if tif is None else _time_in_force(str(tif)),
            _client_id(body) if body.get("client_order_id") else None,
        )
    except _Invalid as e:
        return invalid(str(e))
    if change.qty is not None and change.qty != change.qty.to_integral_value():
        return invalid("qty must be an integer when replacing")
    return check_change(change) or change


def check_change(change: Replacement) -> Refusal | None:
    """The rules of a change that need no account."""
    for name, price in (("limit_price", change.limit_price), ("stop_price", change.stop_price)):
        if price is not None and _sub_penny(price):
            return _increment(name, price)
    return None


def _read(body: Mapping[str, Any]) -> NewOrder:
    symbol = body.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise _Invalid("symbol is required")
    profit, loss = _part(body, "take_profit"), _part(body, "stop_loss")
    hours = body.get("extended_hours") or False
    if not isinstance(hours, bool):
        raise _Invalid("extended_hours must be a boolean")
    return NewOrder(
        symbol=symbol,
        side=cast("Side", _choice(body, "side", ("buy", "sell"))),
        type=cast("OrderType", _choice(body, "type", _TYPES)),
        time_in_force=cast("TimeInForce", _choice(body, "time_in_force", _TIMES)),
        order_class=cast("OrderClass", _choice(body, "order_class", _CLASSES, "simple")),
        client_order_id=_client_id(body),
        qty=_number(body, "qty"),
        notional=_number(body, "notional"),
        limit_price=_number(body, "limit_price"),
        stop_price=_number(body, "stop_price"),
        trail_price=_number(body, "trail_price"),
        trail_percent=_number(body, "trail_percent"),
        extended_hours=hours,
        take_profit_limit=_number(profit, "limit_price"),
        stop_loss_stop=_number(loss, "stop_price"),
        stop_loss_limit=_number(loss, "limit_price"),
        intent=_choice(body, "position_intent", _INTENTS) if body.get("position_intent") else None,
    )


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name) or {}
    if not isinstance(part, Mapping):
        raise _Invalid(f"{name} must be an object")
    return part


def _choice(body: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
    value = body.get(name) or default
    if value is None:
        raise _Invalid(f"{name} is required")
    if value not in allowed:
        raise _Invalid(f"invalid {name}: {value}")
    return str(value)


def _time_in_force(value: str) -> Literal["day", "gtc"]:
    if value not in ("day", "gtc"):
        raise _Invalid(f"invalid time_in_force: {value} (an order can be changed to day or gtc)")
    return cast("Literal['day', 'gtc']", value)


def _number(body: Mapping[str, Any], name: str) -> Decimal | None:
    """A positive amount, sent as a number or as text."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _Invalid(f"{name} must be a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise _Invalid(f"{name} must be a number") from None
    if not number.is_finite() or number <= 0 or number > Decimal(10) ** 12:
        raise _Invalid(f"{name} must be > 0")
    if -int(number.normalize().as_tuple().exponent) > 9:
        raise _Invalid(f"{name} has more than 9 decimal places")
    return number


def _client_id(body: Mapping[str, Any]) -> str:
    value = body.get("client_order_id")
    if value is None or value == "":
        return str(uuid.uuid4())
    if not isinstance(value, str) or len(value) > MAX_CLIENT_ORDER_ID:
        raise _Invalid(f"client_order_id must be text of at most {MAX_CLIENT_ORDER_ID} characters")
    return value


def _check_amount(order: NewOrder) -> Refusal | None:
    if (order.qty is None) == (order.notional is None):
        return invalid("exactly one of qty and notional is required")
    if order.notional is not None:
        if order.type != "market" or order.time_in_force != "day":
            return against_rule("notional orders must be market orders with time_in_force day")
        if order.notional < MIN_NOTIONAL:
            return forbidden("cost basis must be >= minimal amount of order 1")
        if -int(order.notional.normalize().as_tuple().exponent) > 2:
            return against_rule("notional value must be limited to 2 decimal places")
    return None


def _check_type(order: NewOrder) -> Refusal | None:
    wants_limit = order.type in ("limit", "stop_limit") and order.order_class != "oco"
    wants_stop = order.type in ("stop", "stop_limit")
    if wants_limit != (order.limit_price is not None) and not (order.order_class == "oco" and order.type == "limit"):
        return invalid(f"{order.type} orders {'require' if wants_limit else 'must not have'} limit_price")
    if wants_stop != (order.stop_price is not None):
        return invalid(f"{order.type} orders {'require' if wants_stop else 'must not have'} stop_price")
    trails = (order.trail_price is not None) + (order.trail_percent is not None)
    if order.type == "trailing_stop" and trails != 1:
        return invalid("trailing stop orders must specify one of trail_price or trail_percent")
    if order.type != "trailing_stop" and trails:
        return invalid(f"{order.type} orders must not have a trail")
    if order.trail_percent is not None and order.trail_percent >= 100:
        return invalid("trail_percent must be below 100")
    return None


def _check_class(order: NewOrder) -> Refusal | None:
    profit, loss = order.take_profit_limit, order.stop_loss_stop
    if order.stop_loss_limit is not None and loss is None:
        return invalid("stop_loss.stop_price is required")
    if order.order_class == "simple":
        return invalid("take_profit and stop_loss need an order_class") if profit or loss else None
    if order.order_class in ("bracket", "oco") and (profit is None or loss is None):
        return invalid(f"{order.order_class} orders require take_profit.limit_price and stop_loss.stop_price")
    if order.order_class == "oto" and (profit is None) == (loss is None):
        return invalid("oto orders require one of take_profit and stop_loss")
    if order.order_class == "oco" and order.type != "limit":
        return invalid("oco orders must be limit orders")
    if order.order_class in ("bracket", "oto") and order.type == "trailing_stop":
        return invalid(f"{order.order_class} orders cannot be trailing stops")
    return _check_legs(order)


def _check_legs(order: NewOrder) -> Refusal | None:
    """The take profit lies beyond the stop loss, seen from the position that they close."""
    long = (order.side == "buy") != (order.order_class == "oco")
    profit, loss = order.take_profit_limit, order.stop_loss_stop
    if profit is not None and loss is not None and (profit <= loss if long else profit >= loss):
        sign = ">" if long else "<"
        return against_rule(f"take_profit.limit_price must be {sign} stop_loss.stop_price")
    base = order.reference_price
    if order.order_class == "oco" or base is None:
        return None
    return check_legs_against(order, base)


def check_legs_against(order: NewOrder, base: Decimal) -> Refusal | None:
    """Legs on the right sides of the entry's price."""
    cent, long = Decimal("0.01"), order.side == "buy"
    profit, loss = order.take_profit_limit, order.stop_loss_stop
    if profit is not None and (profit < base + cent if long else profit > base - cent):
        side = ">= base_price + 0.01" if long else "<= base_price - 0.01"
        return against_rule(f"take_profit.limit_price must be {side}")
    if loss is not None and (loss > base - cent if long else loss < base + cent):
        side = "<= base_price - 0.01" if long else ">= base_price + 0.01"
        return against_rule(f"stop_loss.stop_price must be {side}")
    return None


def _check_fraction(order: NewOrder) -> Refusal | None:
    if not order.is_fractional:
        return None
    if order.order_class != "simple":
        return against_rule("fractional orders must be simple orders")
    if order.time_in_force != "day":
        return against_rule("fractional orders must be DAY orders")
    if order.type == "trailing_stop":
        return against_rule("fractional orders cannot be trailing stops")
    return None


def _check_hours(order: NewOrder) -> Refusal | None:
    fits = order.type == "limit" and order.order_class == "simple" and order.time_in_force in ("day", "gtc")
    if order.extended_hours and not fits:
        return against_rule("extended hours order must be DAY or GTC limit orders")
    return None


def _check_time(order: NewOrder) -> Refusal | None:
    """Orders for an auction or for at once are plain."""
    if order.time_in_force in ("day", "gtc"):
        return None
    if order.type not in ("market", "limit"):
        return against_rule(f"{order.time_in_force} orders must be market or limit orders")
    if order.order_class != "simple":
        return against_rule(f"{order.order_class} orders must be DAY or GTC orders")
    return None


def _check_increments(order: NewOrder) -> Refusal | None:
    prices = (
        ("limit_price", order.limit_price),
        ("stop_price", order.stop_price),
        ("trail_price", order.trail_price),
        ("take_profit.limit_price", order.take_profit_limit),
        ("stop_loss.stop_price", order.stop_loss_stop),
        ("stop_loss.limit_price", order.stop_loss_limit),
    )
    for name, price in prices:
        if price is not None and _sub_penny(price):
            return _increment(name, price)
    return None


def _sub_penny(price: Decimal) -> bool:
    return -int(price.normalize().as_tuple().exponent) > (2 if price >= 1 else 4)


def _increment(name: str, price: Decimal) -> Refusal:
    return against_rule(f"invalid {name} {price}. sub-penny increment does not fulfill minimum pricing criteria")
