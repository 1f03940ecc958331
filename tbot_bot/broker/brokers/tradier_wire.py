"""Tradier's JSON to our values, and our orders to its forms.

Its lists collapse: nothing is "null" or null, one is an object, many are a list. DataInvalid where guessing could cost
money."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Asset, Bar, DailyBar, Quote, Symbol
from tbot_bot.domain.money import ZERO, parse_decimal
from tbot_bot.domain.orders import (
    FINAL_STATUSES,
    ClientOrderId,
    Execution,
    OrderIntent,
    OrderReport,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours

NEW_YORK = ZoneInfo("America/New_York")
_NORMAL_OPEN, _NORMAL_CLOSE = time(9, 30), time(16, 0)
_EMPTY = ("", "null", None)
_STATUS = {
    "open": OrderStatus.ACCEPTED,
    "pending": OrderStatus.ACCEPTED,
    "calculated": OrderStatus.ACCEPTED,
    "accepted_for_bidding": OrderStatus.ACCEPTED,
    "held": OrderStatus.ACCEPTED,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
    "error": OrderStatus.REJECTED,
}
_SIDES = {"buy": Side.BUY, "buy_to_cover": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}
_TYPES = {str(kind): kind for kind in OrderType}
_EXCHANGES = {"Q": "NASDAQ", "N": "NYSE", "P": "ARCA", "A": "AMEX", "Z": "BATS"}
LEG = "-leg"
"""A closing leg has no tag of its own; it is known by its entry's, this, and its place in the order."""


def rows(raw: Any, outer: str, inner: str) -> tuple[Mapping[str, Any], ...]:
    """The objects of a collapsed list. Raises DataInvalid for what is neither empty, one nor many."""
    body = _object(raw, "answer")
    if outer not in body:
        raise DataInvalid(f"the broker's answer has no {outer}")
    held = body[outer]
    if held in _EMPTY:
        return ()
    listed = _object(held, outer).get(inner)
    if listed in _EMPTY:
        return ()
    many = listed if isinstance(listed, list) else [listed]
    return tuple(_object(each, inner) for each in many)


# orders


def order_form(intent: OrderIntent, now: datetime) -> dict[str, str]:
    """The form of a POST /orders; `now` tells which of the extended sessions is meant."""
    side, back = sides_of(intent)
    duration = _duration(intent, now)
    entry = {
        "symbol": str(intent.symbol),
        "side": side,
        "quantity": _plain(intent.quantity or ZERO),
        "type": intent.type.value,
        "price": _plain(intent.limit_price),
        "stop": _plain(intent.stop_price),
    }
    exits = [
        {"type": kind, name: _plain(price)}
        for kind, name, price in (
            ("limit", "price", intent.take_profit_price),
            ("stop", "stop", intent.stop_loss_price),
        )
        if price is not None
    ]
    common = {"duration": duration, "tag": str(intent.client_id)}
    if not exits:
        return {"class": "equity", **common, **{key: value for key, value in entry.items() if value}}
    legs = [entry, *({**entry, "side": back, "price": "", "stop": "", **each} for each in exits)]
    form = {"class": "otoco" if len(exits) == 2 else "oto", **common}
    for number, leg in enumerate(legs):
        form |= {f"{key}[{number}]": value for key, value in leg.items() if value}
    return form


def sides_of(intent: OrderIntent) -> tuple[str, str]:
    """Tradier's side of an order and of what closes it again: an entry opens, all else closes."""
    opens = intent.purpose is Purpose.ENTRY
    if intent.side is Side.BUY:
        return ("buy", "sell") if opens else ("buy_to_cover", "sell_short")
    return ("sell_short", "buy_to_cover") if opens else ("sell", "buy")


def _duration(intent: OrderIntent, now: datetime) -> str:
    clock = now.astimezone(NEW_YORK).time()
    if intent.extended_hours and clock < _NORMAL_OPEN:
        return "pre"
    if intent.extended_hours and clock >= _NORMAL_CLOSE:
        return "post"
    return "gtc" if intent.time_in_force is TimeInForce.GTC else "day"


def parse_orders(raw: Mapping[str, Any]) -> tuple[OrderReport, ...]:
    """An order, or the legs of a complex one. Raises DataInvalid."""
    legs = raw.get("leg")
    tag = str(raw.get("tag") or "")
    if legs in _EMPTY:
        return (_report(raw, tag or f"tradier-{_text(raw, 'id')}"),)
    many = legs if isinstance(legs, list) else [legs]
    name = tag or f"tradier-{_text(raw, 'id')}"
    return tuple(
        _report(_object(leg, "leg"), name if number == 1 else f"{name}{LEG}{number}")
        for number, leg in enumerate(many, 1)
    )


def _report(row: Mapping[str, Any], name: str) -> OrderReport:
    filled = parse_decimal(row.get("exec_quantity")) or ZERO
    status = _STATUS.get(_text(row, "status"), OrderStatus.UNKNOWN)
    if status is OrderStatus.ACCEPTED and filled > 0:
        status = OrderStatus.PARTIALLY_FILLED
    average = parse_decimal(row.get("avg_fill_price"))
    side = _SIDES.get(_text(row, "side"))
    if side is None:
        raise DataInvalid(f"{row.get('side')!r} is not a side")
    if filled > 0 and not average:
        raise DataInvalid(f"order {row.get('id')} is filled without a price")
    return OrderReport(
        client_id=ClientOrderId(name),
        broker_id=_text(row, "id"),
        symbol=Symbol(_text(row, "symbol")),
        side=side,
        status=status,
        filled_quantity=filled,
        average_price=average if filled > 0 else None,
        at=parse_time(row.get("transaction_date") or row.get("create_date")),
        quantity=parse_decimal(row.get("quantity")),
        type=_TYPES.get(str(row.get("type")), OrderType.MARKET),
        reason=str(row.get("reason_description") or ""),
        limit_price=parse_decimal(row.get("price")),
        stop_price=parse_decimal(row.get("stop_price")),
    )


def execution_of(report: OrderReport) -> Execution | None:
    """All that was filled of a final order, as one execution: Tradier tells sums alone, and only a sum that no longer
    grows can be told again, by any process, as exactly the same."""
    if report.status not in FINAL_STATUSES or not report.filled_quantity or report.average_price is None:
        return None
    return Execution(
        execution_id=f"tradier-{report.broker_id}",
        broker_order_id=report.broker_id,
        client_id=report.client_id,
        symbol=report.symbol,
        side=report.side,
        quantity=report.filled_quantity,
        price=report.average_price,
        at=report.at,
    )


# account


def parse_account(raw: Any) -> Account:
    """Raises DataInvalid when equity, cash or buying power is missing: unknown money is no money."""
    row = _object(_object(raw, "answer").get("balances"), "balances")
    kind = str(row.get("account_type", ""))
    inner = row.get(kind) if isinstance(row.get(kind), Mapping) else {}
    power = parse_decimal(_object(inner, kind).get("stock_buying_power"))
    if power is None:
        power = parse_decimal(_object(inner, kind).get("cash_available"))
    equity, cash = parse_decimal(row.get("total_equity")), parse_decimal(row.get("total_cash"))
    if equity is None or cash is None or power is None:
        raise DataInvalid("the broker's balances lack total_equity, total_cash or the buying power")
    closed = parse_decimal(row.get("close_pl")) or ZERO
    opened = parse_decimal(row.get("open_pl")) or ZERO
    return Account(_text(row, "account_number"), equity, cash, power, equity - closed - opened)


def parse_position(raw: Any) -> Position:
    row = _object(raw, "position")
    quantity, cost = parse_decimal(row.get("quantity")), parse_decimal(row.get("cost_basis"))
    if not quantity or cost is None:
        raise DataInvalid("a position has no quantity or no cost")
    return Position(Symbol(_text(row, "symbol")), quantity, abs(cost / quantity))


# market


def parse_quote(raw: Any) -> Quote | None:
    """None for a symbol that has no price at all."""
    row = _object(raw, "quote")
    bid, ask = parse_decimal(row.get("bid")) or ZERO, parse_decimal(row.get("ask")) or ZERO
    last = parse_decimal(row.get("last"))
    stamps = [int(value) for name in ("bid_date", "ask_date", "trade_date") if (value := _whole(row.get(name)))]
    if not stamps or (not last and not (bid and ask)):
        return None
    return Quote(Symbol(_text(row, "symbol")), _moment(max(stamps) / 1000), bid, ask, last or None)


def parse_bar(symbol: Symbol, raw: Any) -> Bar | None:
    """None where the minute had no trade of the regular kind (open to close are null then)."""
    row = _object(raw, "bar")
    prices = [parse_decimal(row.get(name)) for name in ("open", "high", "low", "close")]
    if any(price is None or price <= 0 for price in prices):
        return None
    opened, high, low, close = (price for price in prices if price is not None)
    return Bar(symbol, _bar_start(row), opened, high, low, close, _whole(row.get("volume")) or 0)


def _bar_start(row: Mapping[str, Any]) -> datetime:
    stamp = _whole(row.get("timestamp"))
    if stamp:
        return _moment(stamp)
    try:
        return datetime.fromisoformat(str(row.get("time"))).replace(tzinfo=NEW_YORK).astimezone(UTC)
    except ValueError as error:
        raise DataInvalid("a bar has no time") from error


def parse_daily_bar(symbol: Symbol, raw: Any) -> DailyBar | None:
    row = _object(raw, "day")
    prices = [parse_decimal(row.get(name)) for name in ("open", "high", "low", "close")]
    if any(price is None or price <= 0 for price in prices):
        return None
    opened, high, low, close = (price for price in prices if price is not None)
    return DailyBar(symbol, _date(row), opened, high, low, close, _whole(row.get("volume")) or 0)


def parse_session(raw: Any) -> SessionHours | None:
    """None for a day without a session."""
    row = _object(raw, "calendar day")
    hours = row.get("open")
    if row.get("status") != "open" or not isinstance(hours, Mapping):
        return None
    day = _date(row)
    opened, closed = (_at(day, _text(hours, name)) for name in ("start", "end"))
    early = closed.astimezone(NEW_YORK).time() < _NORMAL_CLOSE
    return SessionHours(day, opened, closed, early)


def _at(day: date, text: str) -> datetime:
    try:
        return datetime.combine(day, time.fromisoformat(text), NEW_YORK).astimezone(UTC)
    except ValueError as error:
        raise DataInvalid(f"{text!r} is not a time of day") from error


def parse_asset(raw: Any, *, borrowable: bool) -> Asset:
    """From a quote's or a symbol's row."""
    row = _object(raw, "symbol")
    code = str(row.get("exch") or row.get("exchange") or "")
    return Asset(
        symbol=Symbol(_text(row, "symbol")),
        name=str(row.get("description") or ""),
        exchange=_EXCHANGES.get(code, code),
        tradable=True,
        fractionable=False,
        shortable=borrowable,
        easy_to_borrow=borrowable,
    )


# words


def parse_time(value: Any) -> datetime:
    """Raises DataInvalid."""
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError as error:
        raise DataInvalid(f"{value!r} is not a time") from error
    if moment.tzinfo is None:
        raise DataInvalid(f"{value!r} has no time zone")
    return moment.astimezone(UTC)


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise DataInvalid("a time is out of range") from error


def errors_of(raw: Any) -> str:
    """The words of an answer that says no with status 200; empty for any other."""
    held = raw.get("errors") if isinstance(raw, Mapping) else None
    if held in _EMPTY:
        return ""
    words = held.get("error") if isinstance(held, Mapping) else held
    return "; ".join(map(str, words)) if isinstance(words, list) else str(words)


def _object(raw: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise DataInvalid(f"the broker's {what} is not an object")
    return raw


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value in _EMPTY or isinstance(value, dict | list | bool):
        raise DataInvalid(f"the broker's answer has no {key}")
    return str(value)


def _date(row: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(_text(row, "date"))
    except ValueError as error:
        raise DataInvalid(f"{row.get('date')!r} is not a date") from error


def _whole(value: Any) -> int | None:
    number = parse_decimal(value)
    return int(number) if number is not None else None


def _plain(number: Decimal | None) -> str:
    return "" if number is None else format(number.normalize(), "f")
