"""Alpaca's JSON and msgpack to our values, and our orders to its JSON.

Tolerant where it is safe (unknown fields, numbers as text or floats, fields that come and go), and DataInvalid where
guessing could cost money: an order without a status, a position without a quantity.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgpack

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Asset, Bar, BrokerClock, DailyBar, Quote, Symbol
from tbot_bot.domain.money import ZERO, parse_decimal
from tbot_bot.domain.orders import (
    ClientOrderId,
    Execution,
    OrderChange,
    OrderIntent,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
)
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours

NEW_YORK = ZoneInfo("America/New_York")
_NORMAL_CLOSE = time(16, 0)

_WORKING = [
    "new",
    "accepted",
    "pending_new",
    "accepted_for_bidding",
    "held",
    "pending_cancel",
    "pending_replace",
    "pending_review",
    "stopped",
    "suspended",
    "calculated",
    "done_for_day",
]
_STATUS: Mapping[str, OrderStatus] = {
    **dict.fromkeys(_WORKING, OrderStatus.ACCEPTED),
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "replaced": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL, "buy_to_cover": Side.BUY}
_TYPES = {str(kind): kind for kind in OrderType}


def parse_order(raw: Any) -> OrderReport:
    """An order as REST and the trading stream tell it. Raises DataInvalid."""
    row = _object(raw, "order")
    filled = parse_decimal(row.get("filled_qty")) or ZERO
    status = _STATUS.get(_text(row, "status"), OrderStatus.UNKNOWN)
    if status is OrderStatus.ACCEPTED and filled > 0:
        status = OrderStatus.PARTIALLY_FILLED
    average = parse_decimal(row.get("filled_avg_price"))
    stamp = row.get("updated_at") or row.get("submitted_at") or row.get("created_at")
    return OrderReport(
        client_id=ClientOrderId(str(row.get("client_order_id") or _text(row, "id"))),
        broker_id=_text(row, "id"),
        symbol=Symbol(_text(row, "symbol")),
        side=_side(row),
        status=status,
        filled_quantity=filled,
        average_price=average if average else None,
        at=parse_time(stamp),
        quantity=parse_decimal(row.get("qty")),
        type=_TYPES.get(str(row.get("type") or row.get("order_type")), OrderType.MARKET),
        reason=_reason(row),
        limit_price=parse_decimal(row.get("limit_price")),
        stop_price=parse_decimal(row.get("stop_price")),
    )


def parse_execution(raw: Any, client_id: ClientOrderId | None) -> Execution:
    """A FILL activity; its id is "<time>::<execution id>". Raises DataInvalid."""
    row = _object(raw, "fill")
    return Execution(
        execution_id=_text(row, "id").rpartition("::")[2],
        broker_order_id=_text(row, "order_id"),
        client_id=client_id,
        symbol=Symbol(_text(row, "symbol")),
        side=_side(row),
        quantity=_number(row, "qty"),
        price=_number(row, "price"),
        at=parse_time(row.get("transaction_time")),
    )


def parse_account(raw: Any) -> Account:
    """Raises DataInvalid when equity, cash or buying power is missing: unknown money is no money."""
    row = {key.lower(): value for key, value in _object(raw, "account").items()}
    equity = _number(row, "equity")
    last_equity = parse_decimal(row.get("last_equity"))
    blocks = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
    return Account(
        account_id=str(row.get("account_number") or _text(row, "id")),
        equity=equity,
        cash=_number(row, "cash"),
        buying_power=_number(row, "buying_power"),
        last_equity=equity if last_equity is None else last_equity,
        trading_blocked=any(row.get(key) is True for key in blocks) or row.get("status", "ACTIVE") != "ACTIVE",
    )


def parse_position(raw: Any) -> Position:
    row = _object(raw, "position")
    quantity = _number(row, "qty")
    return Position(
        symbol=Symbol(_text(row, "symbol")),
        quantity=-abs(quantity) if row.get("side") == "short" else quantity,
        average_price=_number(row, "avg_entry_price"),
        price=parse_decimal(row.get("current_price")),
    )


def parse_asset(raw: Any) -> Asset:
    """A flag that is missing counts as no."""
    row = _object(raw, "asset")
    return Asset(
        symbol=Symbol(_text(row, "symbol")),
        name=str(row.get("name") or ""),
        exchange=str(row.get("exchange") or "").upper(),
        tradable=row.get("tradable") is True,
        fractionable=row.get("fractionable") is True,
        shortable=row.get("shortable") is True,
        easy_to_borrow=row.get("easy_to_borrow") is True,
        active=row.get("status") == "active",
    )


def parse_clock(raw: Any) -> BrokerClock:
    """`speed` is the paper venue's own field, 0 while its clock stands still; 1 where it is absent."""
    row = _object(raw, "clock")
    speed = parse_decimal(row.get("speed"))
    return BrokerClock(
        now=parse_time(row.get("timestamp")),
        is_open=row.get("is_open") is True,
        next_open=parse_time(row.get("next_open")),
        next_close=parse_time(row.get("next_close")),
        speed=Decimal(1) if speed is None or speed < 0 else speed,
    )


def parse_session(raw: Any) -> SessionHours:
    """A calendar row: date, and open and close as HH:MM in New York."""
    row = _object(raw, "calendar")
    try:
        day = date.fromisoformat(_text(row, "date"))
        opens, closes = time.fromisoformat(_text(row, "open")), time.fromisoformat(_text(row, "close"))
    except ValueError as error:
        raise DataInvalid(f"a calendar row cannot be read: {error}") from error
    opened, closed = (datetime.combine(day, at, NEW_YORK).astimezone(UTC) for at in (opens, closes))
    return SessionHours(day, opened, closed, early_close=closes < _NORMAL_CLOSE)


def parse_bar(symbol: str, raw: Any) -> Bar:
    """A minute bar of REST or of the data stream. Raises DataInvalid."""
    row = _object(raw, "bar")
    return Bar(Symbol(symbol), parse_time(row.get("t")), *_ohlc(row), int(_number(row, "v")))


def parse_daily_bar(symbol: str, raw: Any) -> DailyBar:
    """A session's bar; its stamp is midnight in New York."""
    row = _object(raw, "bar")
    day = parse_time(row.get("t")).astimezone(NEW_YORK).date()
    return DailyBar(Symbol(symbol), day, *_ohlc(row), int(_number(row, "v")))


def parse_snapshot(symbol: str, raw: Any) -> Quote | None:
    """Latest quote and trade; None when neither is known."""
    row = _object(raw, "snapshot")
    quote, trade = row.get("latestQuote") or {}, row.get("latestTrade") or {}
    last = parse_decimal(trade.get("p")) or None
    bid, ask = parse_decimal(quote.get("bp")) or ZERO, parse_decimal(quote.get("ap")) or ZERO
    if last is None and not (bid > 0 and ask > 0):
        return None
    return Quote(Symbol(symbol), parse_time(quote.get("t") or trade.get("t")), bid, ask, last)


def parse_quote(raw: Any) -> Quote:
    """A quote of the data stream."""
    row = _object(raw, "quote")
    return Quote(Symbol(_text(row, "S")), parse_time(row.get("t")), _number(row, "bp"), _number(row, "ap"))


def parse_time(value: Any) -> datetime:
    """UTC from ISO text (nanoseconds are cut to microseconds) or a msgpack timestamp. Raises DataInvalid."""
    if isinstance(value, msgpack.Timestamp):
        return datetime.fromtimestamp(value.seconds, UTC) + timedelta(microseconds=value.nanoseconds // 1000)
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise DataInvalid(f"{value!r} is not a time") from error
    if moment.tzinfo is None:
        raise DataInvalid(f"{value!r} has no time zone")
    return moment.astimezone(UTC)


def order_body(intent: OrderIntent) -> dict[str, Any]:
    """The POST /v2/orders body. `trail_percent` goes out as it is: in percent, 1 = 1 %."""
    body: dict[str, Any] = {
        "symbol": intent.symbol,
        "side": intent.side.value,
        "type": intent.type.value,
        "time_in_force": intent.time_in_force.value,
        "client_order_id": intent.client_id,
    }
    amounts = {
        "qty": intent.quantity,
        "notional": intent.notional,
        "limit_price": intent.limit_price,
        "stop_price": intent.stop_price,
        "trail_percent": intent.trail_percent,
    }
    body.update({key: _plain(value) for key, value in amounts.items() if value is not None})
    target, stop = intent.take_profit_price, intent.stop_loss_price
    if target is not None:
        body["take_profit"] = {"limit_price": _plain(target)}
    if stop is not None:
        body["stop_loss"] = {"stop_price": _plain(stop)}
    if target is not None or stop is not None:
        body["order_class"] = "bracket" if target is not None and stop is not None else "oto"
    if intent.extended_hours:
        body["extended_hours"] = True
    return body


def change_body(change: OrderChange) -> dict[str, Any]:
    """The PATCH /v2/orders/{id} body; `trail` is of the kind that the order has (percent, as we send them)."""
    changes = {
        "qty": change.quantity,
        "limit_price": change.limit_price,
        "stop_price": change.stop_price,
        "trail": change.trail_percent,
    }
    plain = {key: _plain(value) for key, value in changes.items() if value is not None}
    return {"client_order_id": change.client_id, **plain}


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _object(raw: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise DataInvalid(f"the broker's {what} is not an object")
    return raw


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise DataInvalid(f"the broker's answer has no {key}")
    return value


def _number(row: Mapping[str, Any], key: str) -> Decimal:
    value = parse_decimal(row.get(key))
    if value is None:
        raise DataInvalid(f"the broker's answer has no number {key}")
    return value


def _side(row: Mapping[str, Any]) -> Side:
    side = _SIDES.get(_text(row, "side"))
    if side is None:
        raise DataInvalid(f"{row.get('side')!r} is not a side")
    return side


def _reason(row: Mapping[str, Any]) -> str:
    if row.get("status") == "replaced":
        return f"replaced by {row.get('replaced_by')}"
    return str(row.get("reject_reason") or "")


def _ohlc(row: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return _number(row, "o"), _number(row, "h"), _number(row, "l"), _number(row, "c")
