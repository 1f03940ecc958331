"""The desk: everything that waits for the broker happens here, off the main loop; answers come back as messages."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from tbot_bot.domain.errors import BrokerError, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Bar, BrokerClock, Symbol
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderIntent, OrderReport
from tbot_bot.domain.portfolio import Position
from tbot_bot.engine import events
from tbot_bot.ports.broker import Broker, MarketData
from tbot_bot.ports.clock import MarketClock
from tbot_bot.support.logs import get_logger

log = get_logger("desk")

INQUIRY_PAUSES = (0.05, 0.15, 0.4, 1.0, 2.0, 3.0)
"""Seconds between questions for an order whose fate is unknown; absent means absent in all of them."""
CANCEL_PAUSE = 0.5
ORDER_THREADS, DATA_THREADS = 4, 3


@dataclass(frozen=True, slots=True)
class BarsPulled:
    """Answer to `pull_bars`; None: the question failed."""

    end: datetime
    bars: tuple[Bar, ...] | None


@dataclass(frozen=True, slots=True)
class ExecutionsPulled:
    executions: tuple[Execution, ...]


@dataclass(frozen=True, slots=True)
class BooksPulled:
    """Open orders and positions at one moment, for reconciliation."""

    orders: tuple[OrderReport, ...]
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class ClockPulled:
    clock: BrokerClock


@dataclass(frozen=True, slots=True)
class StreamChanged:
    name: str
    connected: bool
    words: str


Message = events.Event | Bar | BarsPulled | ExecutionsPulled | BooksPulled | ClockPulled | StreamChanged
Inbox = queue.SimpleQueue[Message]


class Desk:
    """Asks the broker from its own threads. Orders and data never wait for each other."""

    def __init__(
        self,
        broker: Broker,
        data: MarketData,
        clock: MarketClock,
        inbox: Inbox,
        pauses: tuple[float, ...] = INQUIRY_PAUSES,
    ) -> None:
        self._pauses = pauses
        self._broker = broker
        self._data = data
        self._clock = clock
        self._inbox = inbox
        self._orders = ThreadPoolExecutor(ORDER_THREADS, "desk-orders")
        # Inquiries take seconds each; a cancel or a sale must not wait behind them.
        self._inquiries = ThreadPoolExecutor(ORDER_THREADS, "desk-inquiries")
        self._questions = ThreadPoolExecutor(DATA_THREADS, "desk-data")
        self._sending: set[ClientOrderId] = set()
        self._spared: set[ClientOrderId] = set()
        self._asking: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def close(self) -> None:
        """Let what was begun end; nothing new starts."""
        self._closed.set()
        for pool in (self._orders, self._inquiries, self._questions):
            pool.shutdown(wait=True, cancel_futures=True)

    def tell(self, message: Message) -> None:
        """Put a fact of the host's own in line with the broker's answers."""
        self._inbox.put(message)

    def submit(self, intent: OrderIntent) -> None:
        """Send once; answered by OrderReported, OrderNotSent or OrderLost."""
        with self._lock:
            self._sending.add(intent.client_id)
            self._spared.add(intent.client_id)
        self._orders.submit(self._submit, intent)

    def cancel(self, client_id: ClientOrderId) -> None:
        """Ask for the cancel, then for what became of it."""
        self._orders.submit(self._cancel, client_id)

    def cancel_everything(self) -> None:
        """Until all is taken in; what is submitted from now on (the exits) is spared."""
        with self._lock:
            self._spared.clear()
        self._once(self._orders, "cancel everything", self._cancel_everything)

    def inquire(self, client_id: ClientOrderId) -> None:
        """Ask by id until known; answered by OrderReported or OrderAbsent. One inquiry an order at a time."""
        self._once(self._inquiries, f"order {client_id}", lambda: self._inquire(client_id))

    def ask_quotes(self, symbols: Sequence[Symbol]) -> None:
        self._questions.submit(self._ask_quotes, tuple(symbols))

    def ask_account(self) -> None:
        self._once(self._questions, "account", self._ask_account)

    def pull_bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> None:
        self._once(self._questions, "bars", lambda: self._pull_bars(tuple(symbols), start, end))

    def pull_executions(self, since: datetime) -> None:
        self._once(self._questions, "executions", lambda: self._pull_executions(since))

    def pull_books(self) -> None:
        self._once(self._questions, "books", self._pull_books)

    def pull_clock(self) -> None:
        self._once(self._questions, "clock", self._pull_clock)

    def _once(self, pool: ThreadPoolExecutor, name: str, act: Callable[[], None]) -> None:
        """Skip a question that is under way already."""
        with self._lock:
            if name in self._asking or self._closed.is_set():
                return
            self._asking.add(name)

        def run() -> None:
            try:
                act()
            except BrokerError as error:
                log.warning("the broker did not answer", extra={"fields": {"question": name, "why": str(error)}})
            finally:
                with self._lock:
                    self._asking.discard(name)

        pool.submit(run)

    def _submit(self, intent: OrderIntent) -> None:
        try:
            report = self._broker.submit_order(intent)
        except OrderRefused as error:
            self._inbox.put(events.OrderNotSent(self._clock.now(), intent.client_id, error.reason, error.code))
        except (OrderFateUnknown, BrokerError) as error:
            why = str(error.__cause__ or error)
            log.warning("order fate unknown", extra={"fields": {"client_id": intent.client_id, "why": why}})
            self._inbox.put(events.OrderLost(self._clock.now(), intent.client_id, why))
        else:
            self._inbox.put(events.OrderReported(self._clock.now(), report))
        finally:
            with self._lock:
                self._sending.discard(intent.client_id)

    def _cancel(self, client_id: ClientOrderId) -> bool:
        """Whether the broker took the cancel in."""
        taken = True
        try:
            self._broker.cancel_order(client_id)
        except BrokerError as error:
            log.warning("cancel unclear", extra={"fields": {"client_id": client_id, "why": str(error)}})
            taken = False
        self._report(client_id)
        return taken

    def _report(self, client_id: ClientOrderId) -> bool:
        """Ask once and pass the answer on; False when the broker knows no such order or gave no answer."""
        try:
            report = self._broker.get_order(client_id)
        except BrokerError as error:
            log.warning("order question failed", extra={"fields": {"client_id": client_id, "why": str(error)}})
            return False
        if report is None:
            return False
        self._inbox.put(events.OrderReported(self._clock.now(), report))
        return True

    def _cancel_everything(self) -> None:
        """Orders of others are known from this list alone, so it is asked for until it comes, and each order in it is
        cancelled until that is taken in."""
        left: tuple[ClientOrderId, ...] | None = None
        while not self._closed.is_set():
            if left is None:
                left = self._open_ids()
            if left is not None:
                left = tuple(client_id for client_id in left if not self._cancel(client_id))
                if not left:
                    return
            self._closed.wait(CANCEL_PAUSE)

    def _open_ids(self) -> tuple[ClientOrderId, ...] | None:
        """Open orders but for those sent since everything was to be cancelled; None: the broker did not answer."""
        try:
            orders = self._broker.open_orders()
        except BrokerError as error:
            log.error("open orders could not be listed", extra={"fields": {"why": str(error)}})
            return None
        with self._lock:
            return tuple(order.client_id for order in orders if order.client_id not in self._spared)

    def _inquire(self, client_id: ClientOrderId) -> None:
        absent = 0
        for pause in self._pauses:
            try:
                report = self._broker.get_order(client_id)
            except BrokerError:
                report = None
            else:
                # While it is still on its way there, absent proves nothing.
                absent += report is None and client_id not in self._sending
            if report is not None:
                self._inbox.put(events.OrderReported(self._clock.now(), report))
                return
            if self._closed.wait(pause):
                return
        if absent == len(self._pauses):
            self._inbox.put(events.OrderAbsent(self._clock.now(), client_id))
        else:
            self._inbox.put(events.OrderLost(self._clock.now(), client_id))

    def _ask_quotes(self, symbols: tuple[Symbol, ...]) -> None:
        try:
            quotes = self._data.quotes(symbols)
        except BrokerError as error:
            log.warning("no quotes", extra={"fields": {"symbols": symbols, "why": str(error)}})
            quotes = ()
        self._inbox.put(events.QuotesSeen(self._clock.now(), quotes))

    def _ask_account(self) -> None:
        # Stamped before it is asked: an answer must not prove what came to be after the question.
        asked = self._clock.now()
        try:
            account, positions = self._broker.get_account_info(), self._broker.get_positions()
        except BrokerError as error:
            log.warning("no account", extra={"fields": {"why": str(error)}})
            self._inbox.put(events.AccountSeen(asked, None, None))
        else:
            self._inbox.put(events.AccountSeen(asked, account, positions))

    def _pull_bars(self, symbols: tuple[Symbol, ...], start: datetime, end: datetime) -> None:
        try:
            self._inbox.put(BarsPulled(end, self._data.bars(symbols, start, end)))
        except BrokerError as error:
            log.warning("no bars", extra={"fields": {"why": str(error)}})
            self._inbox.put(BarsPulled(end, None))

    def _pull_executions(self, since: datetime) -> None:
        self._inbox.put(ExecutionsPulled(self._broker.executions_since(since)))

    def _pull_books(self) -> None:
        self._inbox.put(BooksPulled(self._broker.open_orders(), self._broker.get_positions()))

    def _pull_clock(self) -> None:
        self._inbox.put(ClockPulled(self._broker.get_clock()))


def wait_for(inbox: Inbox, seconds: float) -> Message | None:
    """The next message, or None after `seconds` of real time."""
    try:
        return inbox.get(timeout=seconds)
    except queue.Empty:
        return None
