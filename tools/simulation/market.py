"""A made-up trading day: minute bars of a few symbols, some with stories that the strategies look for."""

import random
from datetime import datetime
from decimal import Decimal

from tbot_bot.domain.market import Bar, Quote, Symbol
from tools.simulation.builders import MINUTE, OPEN, at

CENT = Decimal("0.01")
MINUTES = 390


class Market:
    """Bars are fixed by the seed before the day begins; a quote lies on its minute's line from open to close."""

    def __init__(self, names: tuple[str, ...], seed: int) -> None:
        self._random = random.Random(seed)
        self.bars: dict[Symbol, list[Bar]] = {Symbol(name): self._walk(Symbol(name)) for name in names}

    def _walk(self, symbol: Symbol) -> list[Bar]:
        dice = self._random
        price = dice.uniform(15, 80)
        moves = {minute: dice.gauss(0, 0.0008) for minute in range(MINUTES)}
        story = dice.choice(("none", "open", "open", "mid", "mid", "close", "close"))
        sign = dice.choice((1, -1))
        if story == "open":
            moves[dice.randint(20, 27)] = sign * dice.uniform(0.03, 0.05)
        elif story == "mid":
            moves[dice.randint(75, 83)] = sign * dice.uniform(0.025, 0.04)
        elif story == "close":
            moves.update({minute: sign * dice.uniform(0.001, 0.003) for minute in range(300, 310)})
        drift = dice.choice((-0.0012, 0.0, 0.0012))
        found: list[Bar] = []
        for minute in range(MINUTES):
            after = price * (1 + moves[minute] + (drift if minute > 30 and story == "open" else 0))
            wiggle = price * 0.0004
            high = Decimal(max(price, after) + wiggle).quantize(CENT)
            low = Decimal(min(price, after) - wiggle).quantize(CENT)
            start, end = (min(max(Decimal(p).quantize(CENT), low), high) for p in (price, after))
            found.append(Bar(symbol, at(minute), start, high, low, end, dice.randint(3_000, 20_000)))
            price = after
        return found

    def minute(self, end: datetime) -> dict[Symbol, Bar]:
        """The bars that closed at `end`; a few symbols did not trade."""
        index = (end - OPEN) // MINUTE - 1
        dice = random.Random(index)
        return {s: bars[index] for s, bars in self.bars.items() if dice.random() > 0.02}

    def quote(self, symbol: Symbol, now: datetime) -> Quote | None:
        bars = self.bars.get(symbol)
        if bars is None:
            return None
        index = min((now - OPEN) // MINUTE, MINUTES - 1)
        bar, part = bars[index], Decimal((now - at(index)).total_seconds()) / 60
        price = (bar.open + (bar.close - bar.open) * min(part, Decimal(1))).quantize(CENT)
        return Quote(symbol, now, price - CENT, price + CENT, price)
