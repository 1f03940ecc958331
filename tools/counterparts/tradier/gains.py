"""Closed positions and the days that open ones were acquired on, from an account's fills: first in, first out."""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.paper.book import Fill
from tbot_bot.paper.sessions import NEW_YORK, utc


@dataclass(frozen=True, slots=True)
class Lot:
    """Shares opened by one fill; negative for a short one."""

    fill: Fill
    qty: Decimal


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed part of a lot. `qty` is negative for a short one, `cost`, `proceeds`: dollars paid and got."""

    symbol: str
    qty: Decimal
    opened_ms: int
    closed_ms: int
    cost: Decimal
    proceeds: Decimal

    @property
    def gain(self) -> Decimal:
        return self.proceeds - self.cost

    @property
    def days(self) -> int:
        return (utc(self.closed_ms).astimezone(NEW_YORK).date() - utc(self.opened_ms).astimezone(NEW_YORK).date()).days


def match(fills: Iterable[Fill]) -> tuple[list[Closed], dict[str, list[Lot]]]:
    """What was closed, oldest first, and the lots that are left of each symbol. `fills`: an account's, oldest first."""
    lots: dict[str, deque[Lot]] = defaultdict(deque)
    closed: list[Closed] = []
    for fill in fills:
        left, held = (fill.qty if fill.side == "buy" else -fill.qty), lots[fill.symbol]
        while left and held and (held[0].qty > 0) != (left > 0):
            lot = held.popleft()
            part = min(abs(lot.qty), abs(left)).copy_sign(lot.qty)
            closed.append(_closed(lot, fill, part))
            if lot.qty != part:
                held.appendleft(Lot(lot.fill, lot.qty - part))
            left += part
        if left:
            held.append(Lot(fill, left))
    return closed, {symbol: list(held) for symbol, held in lots.items() if held}


def _closed(lot: Lot, fill: Fill, part: Decimal) -> Closed:
    bought, sold = (lot.fill, fill) if part > 0 else (fill, lot.fill)
    size = abs(part)
    return Closed(fill.symbol, part, lot.fill.time_ms, fill.time_ms, size * bought.price, size * sold.price)
