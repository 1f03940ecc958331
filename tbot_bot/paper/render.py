"""The venue's records as Alpaca's JSON."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tbot_bot.paper.account import Worth
from tbot_bot.paper.book import Account, Fill, Order, OrderEvent, Position
from tbot_bot.paper.market import Instrument
from tbot_bot.paper.sessions import rfc3339

Json = dict[str, Any]


def text(value: Decimal | None, places: int = 9) -> str | None:
    """Plain digits, trailing zeros dropped."""
    if value is None:
        return None
    rounded = round(value, places)
    return format(rounded.normalize(), "f") if rounded else "0"


def money(value: Decimal) -> str:
    return format(round(value, 4).normalize(), "f") if value else "0"


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def event_json(event: OrderEvent, asset_id: str) -> Json:
    """A trade update."""
    update: Json = {
        "event": event.kind,
        "timestamp": rfc3339(event.at_ms),
        "execution_id": event.id,
        "order": order_json(event.order, asset_id),
    }
    if event.fill is not None:
        update["price"] = format(event.fill.price, "f")
        update["qty"] = format(event.fill.qty, "f")
        update["position_qty"] = format(event.held, "f")
    return update


def order_json(order: Order, asset_id: str, legs: Iterable[Json] | None = None) -> Json:
    shown = list(legs) if legs is not None else None
    # The broker leaves these out of an order that is not part of a complex one.
    more = {} if order.group is None else {"group_id": order.group, "group_role": order.role}
    if order.intent is not None:
        more["position_intent"] = order.intent
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": rfc3339(order.submitted_ms),
        "updated_at": rfc3339(max(order.updated_ms, order.submitted_ms)),
        "submitted_at": rfc3339(order.submitted_ms),
        "filled_at": _time(order.filled_ms),
        "expired_at": _time(order.expired_ms),
        "canceled_at": _time(order.canceled_ms),
        "failed_at": _time(order.failed_ms),
        "replaced_at": _time(order.replaced_ms),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id,
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": text(order.notional),
        "qty": None if order.notional is not None else text(order.qty),
        "filled_qty": text(order.filled_qty),
        "filled_avg_price": text(order.average_price, 6),
        "order_class": "" if order.order_class == "simple" else order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": text(order.limit_price),
        "stop_price": text(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": shown or None,
        "trail_percent": text(order.trail_percent),
        "trail_price": text(order.trail_price),
        "hwm": text(order.hwm),
        "subtag": None,
        "source": None,
        **more,
    }


def account_json(account: Account, value: Worth) -> Json:
    margin = value.gross / MARGIN_DIVISOR
    return {
        "id": account.id,
        "account_number": "PA" + account.id.replace("-", "")[:8].upper(),
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "buying_power": money(value.buying_power),
        "regt_buying_power": money(value.buying_power),
        "non_marginable_buying_power": money(max(Decimal(0), value.cash - value.working)),
        "cash": money(value.cash),
        "accrued_fees": "0",
        "pending_transfer_out": "0",
        "pending_transfer_in": "0",
        "portfolio_value": money(value.equity),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "created_at": rfc3339(account.created_ms),
        "trade_suspended_by_user": False,
        "multiplier": money(value.multiplier),
        "shorting_enabled": value.multiplier > 1,
        "equity": money(value.equity),
        "last_equity": money(account.last_equity),
        "long_market_value": money(value.long_value),
        "short_market_value": money(value.short_value),
        "initial_margin": money(margin),
        "maintenance_margin": money(value.gross * Decimal("0.3")),
        "last_maintenance_margin": "0",
        "sma": "0",
    }


MARGIN_DIVISOR = Decimal(2)


def asset_json(item: Instrument) -> Json:
    return {
        "id": item.asset_id,
        "class": "us_equity",
        "exchange": item.exchange,
        "symbol": item.symbol,
        "name": item.name,
        "status": "active",
        "tradable": item.tradable,
        "marginable": item.marginable,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30" if item.marginable else "100",
        "margin_requirement_short": "30" if item.shortable else "100",
        "shortable": item.shortable,
        "easy_to_borrow": item.easy_to_borrow,
        "borrow_status": "easy_to_borrow" if item.easy_to_borrow else "hard_to_borrow",
        "fractionable": item.fractionable,
        "attributes": [],
    }


def position_json(position: Position, item: Instrument, last: Decimal, previous: Decimal, available: Decimal) -> Json:
    value = position.qty * last
    profit = value - position.cost
    basis = abs(position.cost)
    change = last / previous - 1 if previous else Decimal(0)
    return {
        "asset_id": item.asset_id,
        "symbol": item.symbol,
        "exchange": item.exchange,
        "asset_class": "us_equity",
        "asset_marginable": item.marginable,
        "qty": text(position.qty),
        "qty_available": text(available if position.qty > 0 else -available),
        "avg_entry_price": text(position.average_price, 6),
        "side": "long" if position.qty > 0 else "short",
        "market_value": money(value),
        "cost_basis": money(position.cost),
        "unrealized_pl": money(profit),
        "unrealized_plpc": text(profit / basis if basis else Decimal(0), 8),
        "unrealized_intraday_pl": money(profit),
        "unrealized_intraday_plpc": text(profit / basis if basis else Decimal(0), 8),
        "current_price": text(last),
        "lastday_price": text(previous),
        "change_today": text(change, 8),
    }


def fill_json(fill: Fill) -> Json:
    return {
        "id": activity_id(fill),
        "activity_type": "FILL",
        "account_id": fill.account,
        "transaction_time": rfc3339(fill.time_ms),
        "type": fill.kind,
        "price": text(fill.price),
        "qty": text(fill.qty),
        "side": fill.side,
        "symbol": fill.symbol,
        "leaves_qty": text(fill.leaves),
        "order_id": fill.order_id,
        "cum_qty": text(fill.cumulative),
        "order_status": fill.order_status,
    }


def activity_id(fill: Fill) -> str:
    """`YYYYMMDDHHMMSSmmm::execution id`."""
    digits = "".join(letter for letter in rfc3339(fill.time_ms)[:19] if letter.isdigit())
    return f"{digits}{fill.time_ms % 1000:03d}::{fill.execution_id}"
