"""Two brokers as one: entries go to the second while the first is down; what was opened stays where it was opened.

An id's route is on the disk before its order leaves and never changes, so no order reaches two brokers. What the first
broker holds is told as it was last seen while it cannot be asked."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from tbot_bot.broker.gateway import BrokerConnection
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


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many failures, over how many seconds, the first broker is down; and how long it must answer again."""

    failures: int = 3
    down_after_s: float = 5.0
    up_after_s: float = 60.0


class Health:
    """Whether the first broker answers. Refusals are answers. Thread-safe."""

    def __init__(
        self, patience: Patience, switched: Callable[[bool, str], None], monotonic: Callable[[], float]
    ) -> None:
        self._patience = patience
        self._switched = switched
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures = 0
        self._since: float | None = None
        self._well_since: float | None = None
        self.up = True

    def answered(self) -> None:
        with self._lock:
            now = self._monotonic()
            self._failures, self._since = 0, None
            self._well_since = now if self._well_since is None else self._well_since
            back = not self.up and now - self._well_since >= self._patience.up_after_s
            self.up = self.up or back
        if back:
            self._switched(True, "the first broker answers again")

    def failed(self, words: str) -> None:
        with self._lock:
            now = self._monotonic()
            self._failures += 1
            self._well_since = None
            self._since = now if self._since is None else self._since
            enough = self._failures >= self._patience.failures and now - self._since >= self._patience.down_after_s
            down = self.up and enough
            self.up = self.up and not enough
        if down:
            self._switched(False, words)


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
        patience: Patience = Patience(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first, self._second = primary, secondary
        self._routes = routes
        self._tag = tag
        self._health = Health(patience, self._switch(switched), monotonic)
        self._handlers: StreamHandlers | None = None
        self._lock = threading.Lock()
        self._unknown: dict[ClientOrderId, Symbol] = {}
        self._seen_positions: tuple[Position, ...] | None = None
        self._seen_orders: tuple[OrderReport, ...] | None = None
        self._seen_account: Account | None = None
        self._seen_second: Account | None = None

    @property
    def on_primary(self) -> bool:
        """Where new entries go."""
        return self._health.up

    @property
    def capabilities(self) -> Capabilities:
        """What both can do: an entry may go to either."""
        one, other = self._first.capabilities, self._second.capabilities
        limits = [each for each in (one.bar_symbols, other.bar_symbols) if each is not None]
        both = (
            *("fractional", "notional", "short", "puts", "bracket", "trailing", "resting_stop_fractional"),
            *("extended_hours", "replaces_in_place", "halts"),
        )
        return replace(
            one,
            **{name: getattr(one, name) and getattr(other, name) for name in both},
            minimum_notional=max(one.minimum_notional, other.minimum_notional),
            minimum_quantity=max(one.minimum_quantity, other.minimum_quantity),
            share_step=max(one.share_step, other.share_step),
            bar_symbols=min(limits) if limits else None,
        )

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
        self.get_account_info()

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
        first = self._ask_first(lambda broker: broker.get_positions(), self._seen_positions)
        self._seen_positions = first
        return _added(first, self._asked_second(lambda broker: broker.get_positions()))

    def open_orders(self) -> tuple[OrderReport, ...]:
        first = self._ask_first(lambda broker: broker.open_orders(), self._seen_orders)
        self._seen_orders = first
        return first + self._asked_second(lambda broker: broker.open_orders())

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        """While the first broker is down its part is missing; it is asked for again when it is back."""
        try:
            first = self._ask(lambda broker: broker.executions_since(since))
        except BrokerUnavailable:
            if self.on_primary:
                raise
            first = ()
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
        if self._routes.of(client_id) == SECONDARY:
            return self._second.get_order(client_id)
        report = self._ask(lambda broker: broker.get_order(client_id))
        with self._lock:
            # Its fate is known now, either way.
            self._unknown.pop(client_id, None)
        return report

    def submit_order(self, intent: OrderIntent) -> OrderReport:
        """An entry goes where entries go now, all else to where its trade was opened; an id always the same way."""
        route = self._route(intent)
        if route == SECONDARY:
            return self._second.submit_order(intent)
        try:
            report = self._first.submit_order(intent)
        except OrderFateUnknown as error:
            with self._lock:
                self._unknown[intent.client_id] = intent.symbol
            self._health.failed(str(error))
            raise
        self._health.answered()
        return report

    def _route(self, intent: OrderIntent) -> str:
        """Raises OrderRefused for an entry that must not go anywhere now."""
        known = self._routes.of(intent.client_id)
        if known is not None:
            return known
        if intent.purpose is not Purpose.ENTRY:
            wanted = self._routes.of(intent.trade_id) or PRIMARY
        elif self.on_primary:
            wanted = PRIMARY
        else:
            self._refuse_doubtful(intent)
            wanted = SECONDARY
        try:
            return self._routes.choose(intent.client_id, wanted)
        except OSError as error:
            raise OrderRefused(intent.client_id, f"its route could not be written down: {error}", "not_sent") from error

    def _refuse_doubtful(self, intent: OrderIntent) -> None:
        with self._lock:
            doubtful = intent.symbol in self._unknown.values()
        held = any(each.symbol == intent.symbol for each in self._seen_positions or ())
        working = any(each.symbol == intent.symbol for each in self._seen_orders or ())
        if doubtful or held or working:
            what = "an order of unknown fate" if doubtful else "a position or an order"
            raise OrderRefused(
                intent.client_id, f"the broker that is down may hold {what} in {intent.symbol}", "not_sent"
            )

    def replace_order(self, client_id: ClientOrderId, change: OrderChange) -> OrderReport:
        route = self._routes.of(client_id) or PRIMARY
        try:
            self._routes.choose(change.client_id, route)
        except OSError as error:
            raise OrderRefused(client_id, f"its route could not be written down: {error}", "not_sent") from error
        return self._broker(route).replace_order(client_id, change)

    def cancel_order(self, client_id: ClientOrderId) -> None:
        self._broker(self._routes.of(client_id) or PRIMARY).cancel_order(client_id)

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


def _added(first: tuple[Position, ...], second: tuple[Position, ...]) -> tuple[Position, ...]:
    """By symbol; the average price is weighted by the shares."""
    found = {position.symbol: position for position in first}
    for each in second:
        known = found.get(each.symbol)
        if known is None:
            found[each.symbol] = each
            continue
        quantity = known.quantity + each.quantity
        shares = abs(known.quantity) + abs(each.quantity)
        average = (abs(known.quantity) * known.average_price + abs(each.quantity) * each.average_price) / shares
        found[each.symbol] = Position(each.symbol, quantity, average, each.price or known.price)
    return tuple(position for position in found.values() if position.quantity)
