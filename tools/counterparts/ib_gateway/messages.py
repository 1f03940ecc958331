"""What the gateway says: each function makes the fields of one message, in the order that clients decode."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tbot_bot.paper.book import Fill, Order, Position
from tbot_bot.paper.market import Instrument
from tbot_bot.paper.sessions import utc

Fields = Sequence[Any]
FIRST_CON_ID = 1000
FIRST_PERM_ID = 1_000_000_000
_TYPES = {"market": "MKT", "limit": "LMT", "stop": "STP", "stop_limit": "STP LMT", "trailing_stop": "TRAIL"}
_EXCHANGES = {"ARCA": "ARCA", "NASDAQ": "NASDAQ", "NYSE": "NYSE", "AMEX": "AMEX", "BATS": "BATS"}


@dataclass(frozen=True, slots=True)
class Name:
    """How a client knows an order; kept in the exchange's own id of it."""

    client: int
    order: int
    ref: str

    def text(self) -> str:
        return f"{self.client}.{self.order}|{self.ref}"


def name_of(order: Order) -> Name:
    head, _, ref = order.client_order_id.partition("|")
    client, _, number = head.partition(".")
    return Name(int(client), int(number), ref) if client.isdigit() and number.isdigit() else Name(0, 0, ref)


def frame(fields: Fields) -> bytes:
    """Length and NUL-ended text, as both sides send."""
    body = "".join(f"{_text(field)}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def contract(item: Instrument, row: int) -> list[Any]:
    """conId to tradingClass, with the exchange that orders go to."""
    return [FIRST_CON_ID + row, item.symbol, "STK", "", 0, "", "", "SMART", "USD", item.symbol, item.symbol]


def perm_id(order: Order) -> int:
    return FIRST_PERM_ID + order.sequence


def status_of(order: Order) -> str:
    """The gateway's word for an order's state."""
    if order.status in ("new", "partially_filled"):
        rests = order.type in ("stop", "stop_limit", "trailing_stop") and not order.triggered
        return "PreSubmitted" if rests else "Submitted"
    return {
        "pending_new": "PreSubmitted",
        "accepted": "PreSubmitted",
        "held": "PreSubmitted",
        "filled": "Filled",
        "canceled": "Cancelled",
        "expired": "Cancelled",
        "replaced": "Cancelled",
        "rejected": "Inactive",
    }[order.status]


def error(number: int, code: int, words: str) -> Fields:
    return [4, 2, number, code, words, ""]


def order_status(order: Order, parent: int, last_price: Decimal | None = None) -> Fields:
    name = name_of(order)
    average = round(order.average_price, 8) if order.average_price is not None else 0
    remaining = order.remaining if order.is_open else max((order.qty or 0) - order.filled_qty, Decimal(0))
    counts = [order.filled_qty, remaining, average, perm_id(order), parent, last_price or 0]
    return [3, name.order, status_of(order), *counts, name.client, "", 0]


def open_order(order: Order, about: list[Any], account: str, parent: int, oca: str) -> Fields:
    name = name_of(order)
    return [
        5,
        name.order,
        *about,
        *_terms(order, oca, account),
        name.ref,
        name.client,
        perm_id(order),
        order.extended_hours,
        False,
        0,
        "",
        "",
        *("", "", "", "", ""),
        *("", "", "", ""),
        *(0, "", -1, 0, "", "", "", "", ""),
        *("", False, False, False, "", 1 if oca else 0, False, False, ""),
        *(parent, 0, "", 0, "", ""),
        *(False, 0, _trail_stop(order), order.trail_percent, "", "", ""),
        *(0, 0, 0),
        *("", "", ""),
        "",
        *(False, "", "", False, 0),
        "",
        *(False, False),
        status_of(order),
        *([""] * 9),
        *("", "", "", "", ""),
        *(False, False),
        0,
        *("", "", _trail_stop(order), "", "", "", "", 0),
        *("", "", ""),
        *("", False, False, False, ""),
        *("", "", False),
        *("", "", "", "", ""),
    ]


def completed_order(order: Order, about: list[Any], account: str, oca: str) -> Fields:
    name = name_of(order)
    return [
        101,
        *about,
        *_terms(order, oca, account),
        name.ref,
        perm_id(order),
        order.extended_hours,
        False,
        0,
        "",
        *("", "", "", "", ""),
        *("", "", "", ""),
        *(0, "", -1),
        *("", "", "", "", ""),
        *("", False, False, ""),
        *(1 if oca else 0, 0, "", 0, "", ""),
        *(False, 0, _trail_stop(order), order.trail_percent, ""),
        *(0, 0, 0),
        *("", "", ""),
        "",
        *("", "", False, 0),
        "",
        *(False, status_of(order), False, False),
        0,
        *(_trail_stop(order), "", "", False, False),
        *("", order.filled_qty, 0, False, "", False, False, 0),
        *(_stamp(order.updated_ms), order.reason or status_of(order)),
        *("", "", "", "", ""),
    ]


def _terms(order: Order, oca: str, account: str) -> list[Any]:
    """Action to origin."""
    limit = order.limit_price if order.limit_price is not None else 0
    aux = order.trail_price if order.type == "trailing_stop" else order.stop_price
    action = "BUY" if order.side == "buy" else "SELL"
    kind, force = _TYPES[order.type], order.time_in_force.upper()
    return [action, order.qty, kind, limit, aux if aux is not None else 0, force, oca, account, "", 0]


def _trail_stop(order: Order) -> Decimal | None:
    return order.stop_price if order.type == "trailing_stop" else None


def execution(number: int, fill: Fill, order: Order, about: list[Any], account: str) -> Fields:
    name = name_of(order)
    return [
        11,
        number,
        name.order,
        *about,
        execution_id(fill),
        _stamp(fill.time_ms),
        account,
        "ISLAND",
        "BOT" if fill.side == "buy" else "SLD",
        fill.qty,
        fill.price,
        perm_id(order),
        name.client,
        0,
        fill.cumulative,
        round(order.average_price or fill.price, 8),
        name.ref,
        "",
        "",
        "",
        2,
    ]


def execution_id(fill: Fill) -> str:
    return f"0000e0d5.{fill.sequence:08x}.01.01"


def commission(fill: Fill) -> Fields:
    return [59, 1, execution_id(fill), 0.0, "USD", 0.0, 0.0, ""]


def position(held: Position, about: list[Any], account: str) -> Fields:
    return [61, 3, account, *about, held.qty, round(held.average_price, 8) if held.qty else 0]


def portfolio(held: Position, about: list[Any], price: Decimal, account: str) -> Fields:
    value = held.qty * price
    primary = [*about[:7], "NASDAQ", *about[8:]]
    return [7, 8, *primary, held.qty, price, value, round(held.average_price, 8), value - held.cost, 0, account]


def contract_details(number: int, item: Instrument, row: int, hours: str) -> Fields:
    """A stock; `hours`: liquid hours as the gateway writes them."""
    exchange = _EXCHANGES.get(item.exchange, "NASDAQ")
    return [
        *(10, number, item.symbol, "STK", "", 0, "", "SMART", "USD", item.symbol, "NMS", item.symbol),
        *(FIRST_CON_ID + row, 0.01, "", "LMT,MKT,STP,STPLMT,TRAIL", f"SMART,{exchange}", 1, 0, item.name, exchange),
        *("", "", "", "", "US/Eastern", hours, hours, "", 0, 0),
        *(1, "", "", "26", "", "COMMON", 1, 1, 100),
    ]


def historical(number: int, first: str, last: str, bars: Sequence[Fields]) -> Fields:
    return [17, number, first, last, len(bars), *(value for bar in bars for value in bar)]


def historical_update(number: int, bar: Fields) -> Fields:
    """Takes a bar as `historical` does: date, open, high, low, close, volume, average, count."""
    day, opened, high, low, close, volume, average, count = bar
    return [90, number, count, day, opened, close, high, low, average, volume]


def _stamp(ms: int) -> str:
    return f"{utc(ms):%Y%m%d %H:%M:%S} UTC"
