"""Two brokers as one: entries go to the second while the first is down; what was opened stays where it was opened.

An id's route is on the disk before its order leaves and never changes, so no order reaches two brokers. What the first
broker holds is told as it was last seen while it cannot be asked."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TypeVar

from tbot_bot.broker.gateway import BrokerConnection
from tbot_bot.broker.health import PATIENCE, Health, Patience
from tbot_bot.broker.merged import added, common
from tbot_bot.broker.routes import PRIMARY, SECONDARY, RouteLog
from tbot_bot.domain.errors import BrokerDenied, BrokerError, BrokerUnavailable, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Asset, Bar, BrokerClock, DailyBar, Quote, Symbol
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderChange, OrderIntent, OrderReport, Purpose
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours
from tbot_bot.ports.broker import Capabilities, StreamHandlers

T = TypeVar("T")
_SECOND = "2-"
"""Before the ids of the secondary broker's executions, so that two brokers' ids cannot meet."""
_LOOKS = 3
"""Answers of "no such order" after which an order of unknown fate is taken for never arrived."""


class FailoverBroker:
    """Implements ports.Broker, MarketData and Streams over two connections. `tag` marks in the ledger what went to the
    second. `switched` is told (up, words) whenever the first broker is found down or well again. Thread-safe."""

    def __init__(
        self,
        primary: BrokerConnection,
        secondary: BrokerConnection,
        routes: RouteLog,
        tag: str,
        switched: Callable[[bool, str], None],
        patience: Patience = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first, self._second = primary, secondary
        self._routes = routes
        self._tag = tag
        self._health = Health(patience, self._switch(switched), monotonic)
        self._handlers: StreamHandlers | None = None
        self._lock = threading.Lock()
        self._unknown: dict[ClientOrderId, Symbol] = {}
        self._absent: Counter[ClientOrderId] = Counter()
        self._unseen: dict[ClientOrderId, Symbol] = {}
        self._missed: datetime | None = None
        self._seen_positions: tuple[Position, ...] | None = None
        self._seen_orders: tuple[OrderReport, ...] | None = None
        self._seen_account: Account | None = None
        self._seen_second: Account | None = None
        self._seen_second_positions: tuple[Position, ...] = ()
        self._seen_second_orders: tuple[OrderReport, ...] = ()

    @property
    def on_primary(self) -> bool:
        """Where new entries go."""
        return self._health.up

    @property
    def capabilities(self) -> Capabilities:
        """What both can do: an entry may go to either."""
        return common(self._first.capabilities, self._second.capabilities)

    def connect(self) -> None:
        """Both must answer once: without having seen what they hold, nothing is known.

        Raises BrokerUnavailable, BrokerDenied."""
        self._first.connect()
        try:
            self._second.connect()
        except BrokerError as error:
            raise type(error)(f"secondary broker: {error}; or clear SECONDARY_BROKER_CODE") from error
        self.get_positions()
        self.open_orders()
        if self.get_account_info().account_id == self.second_account_id:
            raise BrokerDenied("the secondary broker opens the first one's account: failover needs a second account")

    def self_check(self) -> tuple[str, ...]:
        second = tuple(f"secondary broker: {words}" for words in self._second.self_check())
        return (*self._first.self_check(), *second)

    def close(self) -> None:
        self._first.close()
        self._second.close()
        self._routes.close()

    # facts: from the broker that entries go to, else from the other

    def get_clock(self) -> BrokerClock:
        return self._either(lambda broker: broker.get_clock())

    def get_calendar(self, first: date, last: date) -> tuple[SessionHours, ...]:
        return self._either(lambda broker: broker.get_calendar(first, last))

    def get_assets(self, symbols: Sequence[Symbol] | None = None) -> tuple[Asset, ...]:
        return self._either(lambda broker: broker.get_assets(symbols))

    def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        return self._either(lambda broker: broker.quotes(symbols))

    def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]:
        return self._either(lambda broker: broker.bars(symbols, start, end))

    def daily_bars(self, symbols: Sequence[Symbol], first: date, last: date) -> tuple[DailyBar, ...]:
        return self._either(lambda broker: broker.daily_bars(symbols, first, last))

    # both accounts together

    def get_account_info(self) -> Account:
        """Equity and cash of both, from the beginning, so that a switch looks like no gain; what can be bought with is
        the money of the broker that entries go to. The first account's name stands for both."""
        first = self._ask_first(lambda broker: broker.get_account_info(), self._seen_account)
        self._seen_account = first
        second = self._second_account()
        now = first if self.on_primary else second
        return Account(
            first.account_id,
            first.equity + second.equity,
            first.cash + second.cash,
            now.buying_power,
            first.last_equity + second.last_equity,
            now.trading_blocked,
        )

    def _second_account(self) -> Account:
        """As it was last seen while it cannot be asked and nothing is to go to it."""
        try:
            self._seen_second = self._second.get_account_info()
        except BrokerUnavailable:
            if not self.on_primary or self._seen_second is None:
                raise
        return self._seen_second

    @property
    def second_account_id(self) -> str:
        return self._second_account().account_id

    def get_positions(self) -> tuple[Position, ...]:
        """What was last seen at a broker that is down is no answer when entries went there since: it may hold more."""
        with self._lock:
            settled = set(self._unseen) - set(self._unknown)
        try:
            first = self._ask(lambda broker: broker.get_positions())
        except BrokerUnavailable as error:
            if self.on_primary or self._seen_positions is None:
                raise
            if self._unseen:
                raise BrokerUnavailable("an entry went to the broker that is down just before it was lost") from error
            first = self._seen_positions
        else:
            with self._lock:
                for client_id in settled:
                    self._unseen.pop(client_id, None)
        self._seen_positions = first
        self._seen_second_positions = self._asked_second(lambda broker: broker.get_positions())
        return added(first, self._seen_second_positions)

    def open_orders(self) -> tuple[OrderReport, ...]:
        first = self._ask_first(lambda broker: broker.open_orders(), self._seen_orders)
        self._seen_orders = first
        self._seen_second_orders = self._asked_second(lambda broker: broker.open_orders())
        return first + self._seen_second_orders

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        """While the first broker is down its part is missing; it is asked for again when it is back."""
        earliest = since if self._missed is None else min(since, self._missed)
        try:
            first = self._ask(lambda broker: broker.executions_since(earliest))
        except BrokerUnavailable:
            self._missed = earliest
            if self.on_primary:
                raise
            first = ()
        else:
            self._missed = None
        second = self._asked_second(lambda broker: broker.executions_since(since))
        marked = tuple(
            replace(
                each, execution_id=_SECOND + each.execution_id, broker_order_id=f"{self._tag}:{each.broker_order_id}"
            )
            for each in second
        )
        return tuple(sorted(first + marked, key=lambda each: each.at))

    def _asked_second(self, ask: Callable[[BrokerConnection], tuple[T, ...]]) -> tuple[T, ...]:
        """Nothing from a broker that nothing ever went to."""
        return ask(self._second) if SECONDARY in self._routes.known().values() else ()

    # orders

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        if self._route_of(client_id) == SECONDARY:
            return self._second.get_order(client_id)
        report = self._ask(lambda broker: broker.get_order(client_id))
        with self._lock:
            # Absent at first it may still be on its way in.
            self._absent[client_id] += report is None and client_id in self._unknown
            if report is not None or self._absent[client_id] >= _LOOKS:
                self._unknown.pop(client_id, None)
        return report

    def submit_order(self, intent: OrderIntent) -> OrderReport:
        """An entry goes where entries go now, all else to where its trade was opened; an id always the same way."""
        route = self._route(intent)
        if route == SECONDARY:
            return self._second.submit_order(intent)
        with self._lock:
            # Until it is answered it counts as one of unknown fate.
            self._unknown[intent.client_id] = intent.symbol
            if intent.purpose is Purpose.ENTRY:
                self._unseen[intent.client_id] = intent.symbol
        try:
            report = self._first.submit_order(intent)
        except OrderRefused:
            self._settle(intent.client_id)
            with self._lock:
                self._unseen.pop(intent.client_id, None)
            self._health.answered()
            raise
        except OrderFateUnknown as error:
            self._health.failed(str(error))
            raise
        self._settle(intent.client_id)
        self._health.answered()
        return report

    def _settle(self, client_id: ClientOrderId) -> None:
        with self._lock:
            self._unknown.pop(client_id, None)

    def _route(self, intent: OrderIntent) -> str:
        """Raises OrderRefused for an entry that must not go anywhere now."""
        known = self._routes.of(intent.client_id)
        if known is not None:
            return known
        if intent.purpose is not Purpose.ENTRY:
            wanted = self._routes.of(intent.trade_id) or self._holder(intent)
        else:
            wanted = PRIMARY if self.on_primary else SECONDARY
            self._refuse_doubtful(intent, wanted)
        try:
            return self._routes.choose(intent.client_id, wanted, intent)
        except OSError as error:
            raise OrderRefused(intent.client_id, f"its route could not be written down: {error}", "not_sent") from error

    def _holder(self, intent: OrderIntent) -> str:
        """Of a position whose entry nobody sent while there was a secondary broker. Raises OrderRefused."""
        first, second = (
            any(each.symbol == intent.symbol for each in seen or ())
            for seen in (self._seen_positions, self._seen_second_positions)
        )
        if first and second:
            raise OrderRefused(intent.client_id, f"both brokers hold {intent.symbol}: close it by hand", "not_sent")
        if first or second:
            return SECONDARY if second else PRIMARY
        return self._routes.home(intent.session, intent.symbol) or PRIMARY

    def _refuse_doubtful(self, intent: OrderIntent, wanted: str) -> None:
        """No entry in a symbol that lives, or may live, at the other broker; for the session it stays at one."""
        with self._lock:
            doubtful = wanted == SECONDARY and intent.symbol in {*self._unknown.values(), *self._unseen.values()}
        there = wanted == SECONDARY
        positions = (self._seen_positions or ()) if there else self._seen_second_positions
        orders = (self._seen_orders or ()) if there else self._seen_second_orders
        lives = intent.symbol in {each.symbol for each in positions} | {each.symbol for each in orders}
        home = self._routes.home(intent.session, intent.symbol)
        if doubtful or lives or home not in (None, wanted):
            what = "an order of unknown fate" if doubtful else "a position or an order"
            raise OrderRefused(intent.client_id, f"the other broker may hold {what} in {intent.symbol}", "not_sent")

    def replace_order(self, client_id: ClientOrderId, change: OrderChange) -> OrderReport:
        route = self._route_of(client_id)
        try:
            self._routes.choose(change.client_id, route)
        except OSError as error:
            raise OrderRefused(client_id, f"its route could not be written down: {error}", "not_sent") from error
        return self._broker(route).replace_order(client_id, change)

    def cancel_order(self, client_id: ClientOrderId) -> None:
        self._broker(self._route_of(client_id)).cancel_order(client_id)

    def _route_of(self, client_id: ClientOrderId) -> str:
        """Of an order that lives; the closing legs of a bracket have names that were never routed."""
        listed = any(each.client_id == client_id for each in self._seen_second_orders)
        return self._routes.of(client_id) or (SECONDARY if listed else PRIMARY)

    def _broker(self, route: str) -> BrokerConnection:
        return self._second if route == SECONDARY else self._first

    # asking

    def _ask(self, ask: Callable[[BrokerConnection], T]) -> T:
        """The first broker, whose answer or silence is noted."""
        try:
            answer = ask(self._first)
        except BrokerUnavailable as error:
            self._health.failed(str(error))
            raise
        except BrokerDenied:
            self._health.answered()
            raise
        self._health.answered()
        return answer

    def _ask_first(self, ask: Callable[[BrokerConnection], T], seen: T | None) -> T:
        """While it is down: what it said last. Raises BrokerUnavailable as long as that is not settled."""
        try:
            return self._ask(ask)
        except BrokerUnavailable:
            if self.on_primary or seen is None:
                raise
            return seen

    def _either(self, ask: Callable[[BrokerConnection], T]) -> T:
        if self.on_primary:
            return self._ask(ask)
        try:
            return ask(self._second)
        finally:
            self._probe()

    def _probe(self) -> None:
        """While entries go elsewhere, the first broker is asked the cheapest question, so that its return is seen."""
        try:
            self._ask(lambda broker: broker.get_clock())
        except BrokerError:
            return

    # streams

    def start(self, handlers: StreamHandlers) -> None:
        self._handlers = handlers

        def told_by(own: Callable[[], bool], mark: str) -> StreamHandlers:
            """Data of the broker that entries go to, orders of both, states of both under their names."""
            return StreamHandlers(
                on_bar=lambda bar: handlers.on_bar(bar) if own() else None,
                on_quote=lambda quote: handlers.on_quote(quote) if own() else None,
                on_order=handlers.on_order,
                on_state=lambda name, up, words: handlers.on_state(name, up, mark + words) if own() else None,
            )

        self._first.start(told_by(lambda: self.on_primary, ""))
        self._second.start(told_by(lambda: not self.on_primary, "secondary broker: "))

    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        for broker in (self._first, self._second):
            broker.watch_bars(symbols)

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        for broker in (self._first, self._second):
            broker.watch_quotes(symbols)

    def stop(self) -> None:
        self._first.stop()
        self._second.stop()

    def _switch(self, switched: Callable[[bool, str], None]) -> Callable[[bool, str], None]:
        def act(up: bool, words: str) -> None:
            switched(up, words)
            handlers = self._handlers
            if handlers is not None:
                for name in ("data", "trading"):
                    handlers.on_state(name, True, "through the first broker" if up else "through the secondary broker")

        return act
