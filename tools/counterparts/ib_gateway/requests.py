"""What clients ask, read from the fields of a frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from tbot_bot.paper.book import Fill, OrderType

_TYPES: dict[str, OrderType] = {
    "MKT": "market",
    "LMT": "limit",
    "STP": "stop",
    "STP LMT": "stop_limit",
    "TRAIL": "trailing_stop",
}


class Unreadable(Exception):
    """A request that makes no sense; the words are for the client, the code is the gateway's."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wanted:
    """A contract, by number or by symbol."""

    con_id: int
    symbol: str
    kind: str


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as a client places it: dollars, shares, percent."""

    number: int
    what: Wanted
    action: str
    quantity: Decimal
    type: OrderType
    limit: Decimal | None
    stop: Decimal | None
    trail_amount: Decimal | None
    trail_percent: Decimal | None
    force: str
    oca: str
    ref: str
    transmit: bool
    parent: int
    outside_rth: bool


def read_contract(fields: Sequence[str], at: int) -> Wanted:
    return Wanted(int(fields[at] or 0), fields[at + 1], fields[at + 2])


def read_order(fields: Sequence[str]) -> Placed:
    """PLACE_ORDER of server version 176. Raises Unreadable."""
    kind = _TYPES.get(fields[18])
    if kind is None:
        raise Unreadable(387, f"Unsupported order type for this exchange and security type: {fields[18]}")
    quantity = _number(fields[17])
    if quantity is None or quantity <= 0:
        raise Unreadable(321, "Error validating request: Total quantity must be positive")
    if quantity != quantity.to_integral_value():
        raise Unreadable(10243, "Fractional-sized order cannot be placed via API")
    limit, aux, percent = _number(fields[19]), _number(fields[20]), _number(fields[70])
    trailing = kind == "trailing_stop"
    return Placed(
        number=int(fields[1]),
        what=read_contract(fields, 2),
        action=fields[16],
        quantity=quantity,
        type=kind,
        limit=limit if kind in ("limit", "stop_limit") else None,
        stop=aux if kind in ("stop", "stop_limit") else None,
        trail_amount=aux if trailing and not percent else None,
        trail_percent=percent if trailing else None,
        force=fields[21],
        oca=fields[22],
        ref=fields[26],
        transmit=fields[27] == "1",
        parent=int(fields[28] or 0),
        outside_rth=fields[33] == "1",
    )


@dataclass(frozen=True, slots=True)
class Executions:
    """Which fills are asked for; client 0, no time and empty texts ask for all."""

    number: int
    client: int
    since_ms: int | None
    symbol: str
    side: str

    def wants(self, fill: Fill, client: int) -> bool:
        return (
            self.client in (0, client)
            and (self.since_ms is None or fill.time_ms >= self.since_ms)
            and self.symbol in ("", fill.symbol)
            and self.side in ("", fill.side)
        )


def read_executions(fields: Sequence[str]) -> Executions:
    """Raises Unreadable."""
    side = {"BUY": "buy", "BOT": "buy", "SELL": "sell", "SLD": "sell"}.get(fields[9].upper(), "")
    return Executions(int(fields[2]), int(fields[3] or 0), _moment(fields[5]), fields[6], side)


@dataclass(frozen=True, slots=True)
class History:
    """Bars asked for: seconds each, ending at `end` (milliseconds; None: now)."""

    number: int
    what: Wanted
    end_ms: int | None
    span: timedelta
    step_s: int
    epoch: bool
    keep: bool


_STEPS = {"1 min": 60, "5 mins": 300, "15 mins": 900, "1 hour": 3600, "1 day": 86_400}
_UNITS = {"S": 1, "D": 86_400, "W": 7 * 86_400, "M": 31 * 86_400, "Y": 366 * 86_400}


def read_history(fields: Sequence[str]) -> History:
    """Raises Unreadable."""
    count, _, unit = fields[17].partition(" ")
    step = _STEPS.get(fields[16])
    if step is None or unit not in _UNITS or not count.isdigit():
        raise Unreadable(321, f"Error validating request: bar size {fields[16]}, duration {fields[17]}")
    return History(
        int(fields[1]),
        read_contract(fields, 2),
        _moment(fields[15]),
        timedelta(seconds=int(count) * _UNITS[unit]),
        step,
        fields[20] == "2",
        fields[21] == "1",
    )


def _moment(text: str) -> int | None:
    if not text:
        return None
    day, clock, zone, *_ = [*text.replace("-", " ", 1).split(), "", "", ""]
    try:
        stamp = datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007 - its zone follows
        return int(stamp.replace(tzinfo=ZoneInfo(zone or "UTC")).timestamp() * 1000)
    except (ValueError, KeyError):
        raise Unreadable(10314, f"End Date/Time: The date, time, or time-zone entered is invalid: {text}") from None


def _number(text: str) -> Decimal | None:
    """None for what a client leaves unset."""
    try:
        value = Decimal(text) if text else None
    except InvalidOperation:
        raise Unreadable(321, f"Error validating request: {text} is no number") from None
    return None if value is None or value > Decimal(10) ** 300 else value


def side_of(placed: Placed) -> str:
    return {"BUY": "buy", "SELL": "sell", "SSHORT": "sell"}.get(placed.action, "")
