"""An in-memory exchange with faults, a host with a journal, and a day that drives an Engine through both.

The exchange is strict where a real one would lose money: it records every violation (an id used twice, more sold than
held, an entry where none may be) instead of correcting it.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import (
    FINAL_STATUSES,
    ClientOrderId,
    OrderIntent,
    OrderReport,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
)
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import BotState
from tbot_bot.engine import commands as c
from tbot_bot.engine import events as e
from tbot_bot.engine.context import DayContext, RestoredOrder
from tbot_bot.engine.engine import Engine
from tools.simulation.builders import MINUTE, OPEN, at
from tools.simulation.market import Market

STEP = timedelta(seconds=15)
ZERO = Decimal(0)


@dataclass(frozen=True)
class Faults:
    """Probabilities per act, and the steps at which the bot dies."""

    reject: float = 0
    lost: float = 0
    never_arrived: float = 0
    partial: float = 0
    duplicate: float = 0
    drop_report: float = 0
    shuffle: float = 0
    cancel_lost: float = 0
    account_fails: float = 0
    crashes: frozenset[int] = frozenset()


@dataclass
class SimOrder:
    intent: OrderIntent
    quantity: Decimal
    status: OrderStatus = OrderStatus.ACCEPTED
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    cancelling: bool = False

    @property
    def live(self) -> bool:
        return self.status not in FINAL_STATUSES

    def report(self, now: datetime) -> OrderReport:
        average = self.cost / self.filled if self.filled else None
        intent = self.intent
        return OrderReport(
            intent.client_id,
            f"b-{intent.client_id}",
            intent.symbol,
            intent.side,
            self.status,
            self.filled,
            average,
            now,
            self.quantity,
            intent.type,
        )


class Exchange:
    """Market orders fill at the next step, stops when touched; cash and shares are exact."""

    def __init__(self, market: Market, faults: Faults, seed: int, cash: Decimal = Decimal(100_000)) -> None:
        self.market, self.faults, self.cash = market, faults, cash
        self.dice = random.Random(seed)
        self.orders: dict[ClientOrderId, SimOrder] = {}
        self.positions: dict[Symbol, Decimal] = {}
        self.violations: list[str] = []
        self.now = OPEN

    def price(self, symbol: Symbol, side: Side) -> Decimal:
        quote = self.market.quote(symbol, self.now)
        assert quote is not None
        return quote.ask if side is Side.BUY else quote.bid

    def accept(self, intent: OrderIntent) -> SimOrder:
        if intent.client_id in self.orders:
            self.violations.append(f"{intent.client_id} was sent twice")
            return self.orders[intent.client_id]
        quantity = intent.quantity
        if quantity is None:
            assert intent.notional is not None
            quantity = (intent.notional / self.price(intent.symbol, intent.side)).quantize(
                Decimal("0.000001"), "ROUND_DOWN"
            )
        order = SimOrder(intent, quantity)
        self._check_holding(intent, quantity)
        self.orders[intent.client_id] = order
        return order

    def _check_holding(self, intent: OrderIntent, quantity: Decimal) -> None:
        if intent.purpose is Purpose.ENTRY:
            return
        sign = 1 if intent.side is Side.SELL else -1
        rivals = [o for o in self.orders.values() if o.live and o.intent.purpose is not Purpose.ENTRY]
        promised = sum((o.quantity - o.filled for o in rivals if o.intent.symbol == intent.symbol), ZERO)
        held = self.positions.get(intent.symbol, ZERO) * sign
        if quantity + promised > held:
            self.violations.append(f"{intent.client_id}: {quantity} of {held} {intent.symbol}, {promised} promised")

    def step(self, now: datetime) -> list[OrderReport]:
        """Match and cancel; returns the news."""
        self.now = now
        news: list[OrderReport] = []
        for order in self.orders.values():
            if not order.live:
                continue
            before = (order.status, order.filled)
            price = self.price(order.intent.symbol, order.intent.side)
            stop = order.intent.stop_price
            if order.intent.type is OrderType.MARKET or (stop is not None and self._touched(order, price, stop)):
                self._fill(order, price)
            if order.live and order.cancelling:
                order.status = OrderStatus.CANCELLED
            if (order.status, order.filled) != before:
                news.append(order.report(now))
        return news

    def _touched(self, order: SimOrder, price: Decimal, stop: Decimal) -> bool:
        return price <= stop if order.intent.side is Side.SELL else price >= stop

    def _fill(self, order: SimOrder, price: Decimal) -> None:
        if order.intent.notional is not None:
            # As at the real broker: the order is for this much money, whatever the price has become since.
            shares_left = (order.intent.notional - order.cost) / price
            order.quantity = order.filled + shares_left.quantize(Decimal("0.000001"), "ROUND_DOWN")
        left = order.quantity - order.filled
        part = self.dice.random() < self.faults.partial
        shares = min(left, (left / 2).quantize(Decimal("0.000001"))) if part else left
        if shares <= 0:
            shares = left
        sign = 1 if order.intent.side is Side.BUY else -1
        order.filled += shares
        order.cost += shares * price
        order.status = OrderStatus.FILLED if order.filled == order.quantity else OrderStatus.PARTIALLY_FILLED
        symbol = order.intent.symbol
        self.positions[symbol] = self.positions.get(symbol, ZERO) + sign * shares
        self.cash -= sign * shares * price

    def account(self) -> Account:
        value = sum((q * self.price(s, Side.SELL) for s, q in self.positions.items()), ZERO)
        return Account("sim", self.cash + value, self.cash, self.cash, Decimal(100_000))

    def shown(self) -> tuple[Position, ...]:
        return tuple(Position(s, q, ZERO) for s, q in self.positions.items() if q != 0)

    @property
    def flat(self) -> bool:
        return not self.shown() and not any(order.live for order in self.orders.values())


@dataclass
class Journal:
    intents: dict[ClientOrderId, OrderIntent] = field(default_factory=dict)
    reports: dict[ClientOrderId, OrderReport] = field(default_factory=dict)

    def restored(self) -> tuple[RestoredOrder, ...]:
        return tuple(RestoredOrder(i, self.reports.get(k)) for k, i in self.intents.items())


class Simulation:
    """The host: performs commands, feeds events, kills and restarts the engine, and watches the laws."""

    def __init__(self, context: DayContext, market: Market, faults: Faults, seed: int) -> None:
        self.context, self.market, self.faults = context, market, faults
        self.exchange = Exchange(market, faults, seed)
        self.dice = random.Random(seed + 1)
        self.journal = Journal()
        self.engine = Engine(context)
        self.commands: list[c.Command] = []
        self.asked: dict[ClientOrderId, int] = {}
        self.watched: tuple[Symbol, ...] = ()
        self.mail: list[tuple[datetime, OrderReport]] = []
        self.done: c.DayDone | None = None
        self.state = context.state
        self.tripped = ""
        self.no_entries_since = ""
        self.now = OPEN
        self._dying = False
        self._busy = False
        self._fuse: int | None = None
        self._events: deque[e.Event] = deque()

    def of(self, kind: type) -> list[c.Command]:
        return [command for command in self.commands if isinstance(command, kind)]

    def run(self, script: Callable[["Simulation", int], None] | None = None, minutes: int = 390) -> "Simulation":
        """Play the day in steps of 15 s; `script(self, step)` may inject events."""
        steps_a_minute = MINUTE // STEP
        self.feed(e.Reconciled(self.now, clean=True))
        for step in range(1, minutes * steps_a_minute):
            self.now = OPEN + step * STEP
            if step in self.faults.crashes:
                self._fuse = self.dice.randint(1, 6)
            self._step(step % steps_a_minute == 0)
            if script is not None:
                script(self, step)
            if self._dying or self._fuse is not None:
                self._restart()
            if self.done is not None:
                break
        return self

    def _step(self, minute_ended: bool) -> None:
        for report in self.exchange.step(self.now):
            self._post(report)
        for due, report in sorted(self.mail, key=lambda m: m[0]):
            if due <= self.now:
                self.mail.remove((due, report))
                self._deliver(report)
        self._answer_inquiries()
        self.feed(e.TimePassed(self.now))
        self._push_quotes(self.watched)
        if minute_ended:
            self.feed(e.MinuteClosed(self.now, self.market.minute(self.now)))

    def _post(self, report: OrderReport) -> None:
        if self.dice.random() < self.faults.drop_report:
            return
        late = self.dice.choice((1, 2, 3)) if self.dice.random() < self.faults.shuffle else 0
        self.mail.append((self.now + late * STEP, report))
        if self.dice.random() < self.faults.duplicate:
            self.mail.append((self.now + self.dice.choice((0, 1, 4)) * STEP, report))

    def _deliver(self, report: OrderReport) -> None:
        self.journal.reports[report.client_id] = report
        self.feed(e.OrderReported(self.now, report))

    def _answer_inquiries(self) -> None:
        for client_id, tries in list(self.asked.items()):
            order = self.exchange.orders.get(client_id)
            if order is not None:
                del self.asked[client_id]
                self._deliver(order.report(self.now))
            elif tries >= 3:
                del self.asked[client_id]
                self._note_dead(client_id)
                self.feed(e.OrderAbsent(self.now, client_id))
            else:
                self.asked[client_id] = tries + 1

    def _note_dead(self, client_id: ClientOrderId) -> None:
        i = self.journal.intents[client_id]
        self.journal.reports[client_id] = OrderReport(
            client_id, "", i.symbol, i.side, OrderStatus.REJECTED, ZERO, None, self.now
        )

    def _push_quotes(self, symbols: tuple[Symbol, ...]) -> None:
        quotes = [q for s in symbols if (q := self.market.quote(s, self.now)) is not None]
        if quotes:
            self.feed(e.QuotesSeen(self.now, tuple(quotes)))

    def feed(self, event: e.Event) -> None:
        """Events queue up while commands are performed, as in a real host."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        while self._events and self._alive():
            for command in self.engine.handle(self._events.popleft()):
                self.commands.append(command)
                self._perform(command)
                if not self._alive():
                    break
        self._busy = False

    def _alive(self) -> bool:
        return not self._dying

    def _perform(self, command: c.Command) -> None:
        self._die_in_time(command)
        if self._dying:
            return
        match command:
            case c.Submit(intent):
                self._submit(intent)
            case c.Cancel() | c.CancelEverything():
                self._cancel(command)
            case c.Inquire(client_id):
                self.asked.setdefault(client_id, 0)
            case c.AskQuotes(symbols):
                self._push_quotes(symbols)
            case c.AskAccount():
                self._tell_account()
            case c.Watch(symbols):
                self.watched = symbols
            case c.MoveState(to):
                self.state = to
                if to in (BotState.EMERGENCY_CLOSING, BotState.GRACEFUL_CLOSING):
                    self.no_entries_since = to
            case c.DayDone():
                assert self.done is None, "DayDone came twice"
                self.done = command

    def _die_in_time(self, command: c.Command) -> None:
        """A planned death falls between two commands, or between the journal and the wire."""
        if self._fuse is None:
            return
        self._fuse -= 1
        if self._fuse <= 0:
            self._dying = True
            if isinstance(command, c.Submit):
                self._write_down(command.intent)

    def _cancel(self, command: c.Cancel | c.CancelEverything) -> None:
        for order in self.exchange.orders.values():
            meant = isinstance(command, c.CancelEverything) or order.intent.client_id == command.client_id
            if order.live and meant and self.dice.random() >= self.faults.cancel_lost:
                order.cancelling = True

    def _write_down(self, intent: OrderIntent) -> None:
        if intent.client_id in self.journal.intents:
            self.exchange.violations.append(f"{intent.client_id} was meant twice")
        if intent.purpose is Purpose.ENTRY and self.no_entries_since:
            self.exchange.violations.append(f"entry {intent.client_id} during {self.no_entries_since}")
        self.journal.intents[intent.client_id] = intent

    def _submit(self, intent: OrderIntent) -> None:
        self._write_down(intent)
        luck = self.dice.random
        if luck() < self.faults.reject:
            self._note_dead(intent.client_id)
            self.feed(e.OrderNotSent(self.now, intent.client_id, "simulated refusal"))
        elif luck() < self.faults.never_arrived:
            self.feed(e.OrderLost(self.now, intent.client_id))
        else:
            order = self.exchange.accept(intent)
            if luck() < self.faults.lost:
                self.feed(e.OrderLost(self.now, intent.client_id))
            else:
                self._deliver(order.report(self.now))

    def _tell_account(self) -> None:
        if self.dice.random() < self.faults.account_fails:
            self.feed(e.AccountSeen(self.now, None, None))
        else:
            self.feed(e.AccountSeen(self.now, self.exchange.account(), self.exchange.shown()))

    def _restart(self) -> None:
        """A new engine from the journal. One that died right after the end has to find that the day is over, too."""
        self._dying, self._fuse, self.done = False, None, None
        self._events.clear()
        self.tripped = self.tripped or self.engine.view().tripped
        self.mail, self.asked, self.watched = [], {}, ()
        self.engine = Engine(
            replace(self.context, restored=self.journal.restored(), tripped=self.tripped, state=self.state)
        )
        self.feed(e.Reconciled(self.now, clean=True))
        for minute in range(1, (self.now - OPEN) // MINUTE + 1):
            self.feed(e.MinuteClosed(at(minute), self.market.minute(at(minute)), late=True))
