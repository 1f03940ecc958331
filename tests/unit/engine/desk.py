"""An engine at a desk: events in by short words, the commands of each step out."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from tbot_bot.domain.market import Quote, Symbol
from tbot_bot.domain.orders import OrderIntent, OrderReport, OrderStatus, Purpose
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.engine import commands as c
from tbot_bot.engine import events as e
from tbot_bot.engine.engine import Engine
from tools.simulation.builders import at, bar, context, quote

T = TypeVar("T")


class Desk:
    """`minute` counts from the open. Unless told otherwise the account is healthy and reconciled."""

    def __init__(self, names: tuple[str, ...] = ("AAA",), *, healthy: bool = True, **changes: Any) -> None:
        self.context = context(names, **changes)
        self.names = names
        self.engine = Engine(self.context)
        self.all: list[c.Command] = []
        self.now = at(0)
        if healthy:
            self.feed(e.Reconciled(self.now, clean=True))
            self.account()

    def feed(self, event: e.Event) -> tuple[c.Command, ...]:
        told = self.engine.handle(event)
        self.all += told
        return told

    def time(self, minute: float, second: float = 0) -> tuple[c.Command, ...]:
        self.now = at(minute, second)
        return self.feed(e.TimePassed(self.now))

    def closes(self, minute: int, late: bool = False, **prices: str) -> tuple[c.Command, ...]:
        """The minute that began at `minute` has closed; symbols without a price closed at 20.00."""
        self.now = at(minute + 1)
        bars = {Symbol(n): bar(n, minute, prices.get(n, "20.00")) for n in self.names if prices.get(n) != ""}
        return self.feed(e.MinuteClosed(self.now, bars, late))

    def quiet_morning(self, until: int = 20) -> None:
        """Minutes 0 to `until` − 1: every symbol trades at 19.90 to 20.10, and the account is asked regularly."""
        for minute in range(until):
            self.now = at(minute + 1)
            bars = {Symbol(n): bar(n, minute, "20.00", high="20.10", low="19.90") for n in self.names}
            self.feed(e.MinuteClosed(self.now, bars))
        self.account()

    def quotes(
        self, *, half_spread: str = "0.01", stamp: datetime | None = None, **prices: str
    ) -> tuple[c.Command, ...]:
        found: Iterable[Quote] = [quote(n, p, stamp or self.now, half_spread) for n, p in prices.items()]
        return self.feed(e.QuotesSeen(self.now, tuple(found)))

    def account(self, equity: str | None = "100000", positions: dict[str, str] | None = None) -> tuple[c.Command, ...]:
        money = Decimal(equity) if equity is not None else None
        known = None if money is None else Account("a", money, money, money, Decimal(100_000))
        shown = tuple(Position(Symbol(s), Decimal(q), Decimal(20)) for s, q in (positions or {}).items())
        return self.feed(e.AccountSeen(self.now, known, None if money is None else shown))

    def report(
        self, intent: OrderIntent, status: str, filled: str = "0", price: str | None = None, reason: str = ""
    ) -> tuple[c.Command, ...]:
        average = Decimal(price) if price else None
        said = OrderReport(
            intent.client_id,
            "b1",
            intent.symbol,
            intent.side,
            OrderStatus(status),
            Decimal(filled),
            average,
            self.now,
            reason=reason,
        )
        return self.feed(e.OrderReported(self.now, said))

    def breakout(self, **prices: str) -> tuple[c.Command, ...]:
        """A quiet morning, then the first breakout minute closes at these prices."""
        self.quiet_morning()
        return self.closes(20, **prices)

    def enter(self, name: str = "AAA", price: str = "21.00") -> OrderIntent:
        """A breakout, its quote, and the entry that follows."""
        self.breakout(**{name: price})
        return only(self.quotes(**{name: price}), c.Submit).intent

    def hold(self, name: str = "AAA", price: str = "21.00", shares: str = "38") -> tuple[OrderIntent, OrderIntent]:
        """An entry, filled, and the stop that rests for it."""
        entry = self.enter(name, price)
        stop = only(self.report(entry, "filled", shares, price), c.Submit).intent
        assert stop.purpose is Purpose.PROTECT
        self.report(stop, "accepted")
        return entry, stop

    @property
    def intents(self) -> list[OrderIntent]:
        return [command.intent for command in self.all if isinstance(command, c.Submit)]


def those(commands: Iterable[c.Command], kind: type[T]) -> list[T]:
    return [command for command in commands if isinstance(command, kind)]


def only(commands: Iterable[c.Command], kind: type[T]) -> T:
    found = those(commands, kind)
    assert len(found) == 1, found
    return found[0]
