"""The small order book of one symbol in one third of a minute: made from its bar's volume, range and spread."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from tbot_bot.paper.book import ZERO, Side
from tbot_bot.paper.view import CENT_TICKS, Segment, dollars

PARTICIPATION = Decimal("0.10")
MIN_CAPACITY = Decimal(100)
SHARE_STEP = Decimal("0.000000001")
_WEIGHTS = (Decimal("0.4"), Decimal("0.3"), Decimal("0.2"), Decimal("0.1"))
_RANGE_PARTS = 10


@dataclass(frozen=True, slots=True)
class Depth:
    """Both sides are alike: `sizes` in shares, the touch first, each level `step` ticks (whole cents) further away.

    Together they hold the tenth of a third's volume that the venue's orders may take, or 100 shares if that is more.
    """

    sizes: tuple[Decimal, ...]
    step: int

    @property
    def capacity(self) -> Decimal:
        return sum(self.sizes, ZERO)


@dataclass(slots=True)
class Taken:
    """Shares that orders of each side took out of the book in the running third of a minute."""

    buy: Decimal = ZERO
    sell: Decimal = ZERO

    def on(self, side: Side) -> Decimal:
        return self.buy if side == "buy" else self.sell

    def add(self, side: Side, qty: Decimal) -> None:
        if side == "buy":
            self.buy += qty
        else:
            self.sell += qty

    @property
    def total(self) -> Decimal:
        return self.buy + self.sell


def depth(volume: int, range_ticks: int, half: int) -> Depth:
    """Of a minute's bar; `half` is half the spread in ticks."""
    capacity = max(MIN_CAPACITY, (volume * PARTICIPATION / 3).to_integral_value(ROUND_DOWN))
    sizes = [(capacity * weight).to_integral_value(ROUND_DOWN) for weight in _WEIGHTS]
    sizes[-1] += capacity - sum(sizes, ZERO)
    step = max(half // 2, range_ticks // _RANGE_PARTS)
    return Depth(tuple(sizes), max(-(-step // CENT_TICKS), 1) * CENT_TICKS)


def depth_in(segment: Segment, row: int, half_spread: float) -> Depth:
    """Of a symbol in the segment's minute; `half_spread` as a share of the price."""
    bars, minute = segment.bars, segment.minute
    reach = int(bars.high[row, minute] - bars.low[row, minute])
    return depth(int(bars.volume[row, minute]), reach, round(int(bars.close[row, minute]) * half_spread))


def levels(book: Depth, taken: Taken, side: Side, touch: int, limit: int | None) -> Iterator[tuple[int, Decimal]]:
    """Price in ticks and whole shares that an order of `side` finds from the touch outwards, not beyond `limit`."""
    eaten, free = taken.on(side), book.capacity - taken.total
    for place, size in enumerate(book.sizes):
        price = touch + place * book.step if side == "buy" else max(touch - place * book.step, CENT_TICKS)
        if limit is not None and (price > limit if side == "buy" else price < limit):
            return
        left = min(max(size - eaten, ZERO), free).to_integral_value(ROUND_DOWN)
        eaten, free = max(eaten - size, ZERO), free - left
        if left > 0:
            yield price, left


def walk(found: Iterator[tuple[int, Decimal]], wanted: Decimal) -> list[tuple[int, Decimal]]:
    """Price and shares of each fill, until nothing more is wanted."""
    fills = []
    for price, size in found:
        if wanted <= 0:
            break
        fills.append((price, min(size, wanted)))
        wanted -= min(size, wanted)
    return fills


def affordable(found: Iterator[tuple[int, Decimal]], money: Decimal) -> Decimal:
    """Shares that `money` dollars buy along these levels, beyond which the last price holds; rounded down."""
    shares, price = ZERO, None
    for ticks, size in found:
        price = dollars(ticks)
        if size * price >= money:
            break
        shares, money = shares + size, money - size * price
    return ZERO if price is None else (shares + money / price).quantize(SHARE_STEP, ROUND_DOWN)
