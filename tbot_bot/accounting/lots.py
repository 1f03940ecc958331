"""First in, first out: what a fill closes of the open lots, and what it opens. Pure, in the ledger's integers."""

from dataclasses import dataclass, replace

from tbot_bot.accounting.units import divide, to_micros, to_nanos, value_micros
from tbot_bot.domain.books import BookedFill
from tbot_bot.domain.orders import Side


@dataclass(frozen=True, slots=True)
class Lot:
    """What is left of one opening fill: nano-shares (positive), its value and its fee in micro-dollars.

    The side that opened it says whether it is held (buy) or owed (sell)."""

    fill: BookedFill
    quantity: int
    value: int
    fee: int

    @property
    def sign(self) -> int:
        return 1 if self.fill.side is Side.BUY else -1


@dataclass(frozen=True, slots=True)
class Match:
    """Shares of `opened` that `closed` ended: nano-shares; values and fees in micro-dollars."""

    opened: BookedFill
    closed: BookedFill
    quantity: int
    opened_value: int
    closed_value: int
    fees: int

    @property
    def realised(self) -> int:
        """Gain before fees, micro-dollars."""
        gain = self.closed_value - self.opened_value
        return gain if self.opened.side is Side.BUY else -gain


@dataclass(frozen=True, slots=True)
class Matched:
    """The lots after a fill, oldest first, and what it closed."""

    lots: tuple[Lot, ...]
    matches: tuple[Match, ...]


def apply_fill(lots: tuple[Lot, ...], fill: BookedFill) -> Matched:
    """Close lots of the other side, oldest first; what is left of the fill opens a lot.

    A part of a lot takes its share of value and fee, rounded half to even; the last part takes the rest, so that
    nothing is lost to rounding."""
    quantity = to_nanos(fill.quantity)
    rest = Lot(fill, quantity, value_micros(quantity, to_nanos(fill.price)), to_micros(fill.fee))
    kept: list[Lot] = []
    matches: list[Match] = []
    for lot in lots:
        if rest.quantity == 0 or lot.fill.side is fill.side:
            kept.append(lot)
            continue
        part, lot_left = _split(lot, rest.quantity)
        closing, rest = _split(rest, part.quantity)
        fees = part.fee + closing.fee
        matches.append(Match(lot.fill, fill, part.quantity, part.value, closing.value, fees))
        if lot_left.quantity:
            kept.append(lot_left)
    if rest.quantity:
        kept.append(rest)
    return Matched(tuple(kept), tuple(matches))


def _split(lot: Lot, wanted: int) -> tuple[Lot, Lot]:
    """(at most `wanted` nano-shares of `lot`, the rest of it)."""
    quantity = min(wanted, lot.quantity)
    value = divide(lot.value * quantity, lot.quantity)
    fee = divide(lot.fee * quantity, lot.quantity)
    taken = replace(lot, quantity=quantity, value=value, fee=fee)
    left = replace(lot, quantity=lot.quantity - quantity, value=lot.value - value, fee=lot.fee - fee)
    return taken, left


def cost(lots: tuple[Lot, ...]) -> int:
    """Σ value, signed: what the securities account holds of a symbol, micro-dollars."""
    return sum(lot.sign * lot.value for lot in lots)


def held(lots: tuple[Lot, ...]) -> int:
    """Σ shares, signed, nano-shares; negative = short."""
    return sum(lot.sign * lot.quantity for lot in lots)
