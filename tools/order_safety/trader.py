"""A trader of a small day: the runtime's own journal and desk over any adapter, and a life that may end anywhere."""

import queue
import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

from tbot_bot.broker.gateway import BrokerConnection
from tbot_bot.domain.errors import BrokerError, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Quote
from tbot_bot.domain.orders import (
    FINAL_STATUSES,
    ClientOrderId,
    OrderChange,
    OrderIntent,
    OrderReport,
    OrderStatus,
    OrderType,
    client_order_id,
)
from tbot_bot.domain.session import StrategyName
from tbot_bot.engine import events
from tbot_bot.ports.clock import MarketClock
from tbot_bot.runtime.desk import Desk, Inbox
from tbot_bot.runtime.journal import Journal, JournalledOrder, dead_report, read_journal
from tbot_bot.runtime.reconciler import status_of
from tbot_bot.support.path_resolver import Paths
from tools.order_safety.crash import Moments
from tools.order_safety.plan import Act, Kind, attempts, held, is_done

PAUSES = (0.03, 0.06, 0.12, 0.25, 0.5, 0.5)
"""Shorter than the bot's own, as long as no fault holds an order back for longer than they add up to."""
LONGEST_S = 40.0
_POLL_S = 0.05
_CHANGED = Decimal("0.98")


class Stuck(Exception):
    """The day could not be ended in time; what is left says why."""


class Trader:
    """Lives one life: takes up what the journal says, then does what is left of the acts, one after another."""

    def __init__(
        self, paths: Paths, session: date, broker: BrokerConnection, clock: MarketClock, moments: Moments
    ) -> None:
        self._session = session
        self._broker = broker
        self._clock = clock
        self._moments = moments
        self._inbox: Inbox = queue.SimpleQueue()
        self.orders: dict[ClientOrderId, JournalledOrder] = dict(read_journal(paths, session).orders)
        self._journal = Journal(paths, session)
        self._desk = Desk(broker, broker, clock, self._inbox, PAUSES)
        self._deadline = time.monotonic() + LONGEST_S

    def live(self, acts: tuple[Act, ...]) -> None:
        """Raises Stuck."""
        for client_id, order in tuple(self.orders.items()):
            if status_of(order) not in FINAL_STATUSES:
                self._inquire(client_id)
        for act in acts:
            while not is_done(act, self.orders):
                self._in_time(act)
                self._step(act)

    def close(self) -> None:
        self._desk.close()
        self._journal.close()

    def _in_time(self, act: Act) -> None:
        if time.monotonic() > self._deadline:
            tried = [(o.intent.client_id, str(status_of(o))) for o in attempts(act, self.orders)]
            raise Stuck(f"{act.kind.value} of {act.symbol} does not end: {tried}")

    def _step(self, act: Act) -> None:
        living = [o for o in attempts(act, self.orders) if status_of(o) not in FINAL_STATUSES]
        if not living:
            self._send(act)
            return
        for order in living:
            client_id = order.intent.client_id
            working = status_of(order) in (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)
            if working and act.kind is Kind.REST and not self._is_changed(order):
                self._change(order)
            elif working and act.kind in (Kind.REST, Kind.STOP):
                self._moments.during("cancel")
                self._desk.cancel(client_id)
                self._moments.at("cancel asked")
            time.sleep(_POLL_S)
            self._inquire(client_id)

    # orders

    def _send(self, act: Act) -> None:
        quantity = held(act.symbol, self.orders) if act.kind is Kind.SELL else act.quantity
        quote = self._quote(act)
        if quote is None or quantity <= 0:
            time.sleep(_POLL_S)
            return
        intent = self._intent(act, quantity, (quote.price * act.factor).quantize(Decimal("0.01")))
        self._intend(intent)
        self._moments.during("submit")
        self._desk.submit(intent)
        self._answer(intent.client_id)

    def _quote(self, act: Act) -> Quote | None:
        try:
            return next(iter(self._broker.quotes((act.symbol,))), None)
        except BrokerError:
            return None

    def _intent(self, act: Act, quantity: Decimal, price: Decimal) -> OrderIntent:
        number = len(attempts(act, self.orders))
        name = client_order_id("orders", self._session, StrategyName.OPEN, act.symbol, act.purpose, number)
        return OrderIntent(
            client_id=name,
            session=self._session,
            strategy=StrategyName.OPEN,
            symbol=act.symbol,
            side=act.side,
            purpose=act.purpose,
            trade_id=name,
            created_at=self._clock.now(),
            reason=act.kind.value,
            type=act.type,
            quantity=quantity,
            limit_price=price if act.type is OrderType.LIMIT else None,
            stop_price=price if act.type is OrderType.STOP else None,
        )

    def _is_changed(self, order: JournalledOrder) -> bool:
        """Each resting order is changed once: by a new one where the broker makes one, else in place."""
        name = order.intent.client_id
        return any(o.intent.trade_id == name and o.intent.client_id != name for o in self.orders.values()) or (
            order.intent.trade_id != name
        )

    def _change(self, order: JournalledOrder) -> None:
        old = order.intent
        assert old.limit_price is not None
        price = (old.limit_price * _CHANGED).quantize(Decimal("0.01"))
        number = len([o for o in self.orders.values() if o.intent.symbol == old.symbol])
        name = client_order_id("orders", self._session, StrategyName.OPEN, old.symbol, old.purpose, number)
        new = replace(old, client_id=name, trade_id=old.client_id, limit_price=price)
        self._intend(new)
        self._moments.during("replace")
        try:
            report = self._broker.replace_order(old.client_id, OrderChange(name, limit_price=price))
        except OrderRefused as error:
            self._note(dead_report(new, OrderStatus.REJECTED, error.reason, self._clock.now()))
        except (OrderFateUnknown, BrokerError):
            self._inquire(name)
        else:
            self._moments.at("replace answered")
            self._note(report)
            if report.client_id == old.client_id:
                self._note(dead_report(new, OrderStatus.REJECTED, "changed in place", self._clock.now()))
        self._inquire(old.client_id)

    # words

    def _intend(self, intent: OrderIntent) -> None:
        self._moments.at("before the intent")
        self._journal.intend(intent)
        self.orders[intent.client_id] = JournalledOrder(intent)
        self._moments.at("intent written")

    def _inquire(self, client_id: ClientOrderId) -> None:
        self._desk.inquire(client_id)
        self._answer(client_id)

    def _answer(self, client_id: ClientOrderId) -> None:
        """Take in what the desk says until it has spoken of this order."""
        while True:
            try:
                said = self._inbox.get(timeout=LONGEST_S)
            except queue.Empty:
                raise Stuck(f"the desk says nothing of {client_id}") from None
            about = self._take_in(said)
            if about == client_id:
                return

    def _take_in(self, said: object) -> ClientOrderId | None:
        now = self._clock.now()
        if isinstance(said, events.OrderReported):
            self._moments.at("answered")
            self._note(said.report)
            return said.report.client_id
        if not isinstance(said, events.OrderNotSent | events.OrderAbsent | events.OrderLost):
            return None
        intent = self.orders[said.client_id].intent
        if isinstance(said, events.OrderLost):
            self._note(dead_report(intent, OrderStatus.UNKNOWN, "fate unknown", now))
        else:
            absent = isinstance(said, events.OrderAbsent)
            self._note(dead_report(intent, OrderStatus.REJECTED, "absent" if absent else "refused", now))
        return said.client_id

    def _note(self, report: OrderReport) -> None:
        known = self.orders.get(report.client_id)
        if known is None or status_of(known) in FINAL_STATUSES:
            return
        self._journal.report(report)
        self.orders[report.client_id] = JournalledOrder(known.intent, report)
        self._moments.at("report written")
