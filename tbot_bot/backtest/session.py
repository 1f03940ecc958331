"""One recorded session through the engine that trades live: bars in, orders against the exchange in memory."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tbot_bot.backtest.fills import MemoryExchange
from tbot_bot.backtest.history import SessionBars
from tbot_bot.domain.market import Bar, Symbol
from tbot_bot.domain.orders import OrderReport, OrderStatus
from tbot_bot.engine.commands import (
    AskAccount,
    AskConfirmation,
    AskQuotes,
    Cancel,
    CancelEverything,
    Command,
    DayDone,
    Decide,
    Inquire,
    Submit,
    Watch,
)
from tbot_bot.engine.context import DayContext
from tbot_bot.engine.engine import Engine
from tbot_bot.engine.events import (
    AccountSeen,
    Event,
    MinuteClosed,
    OrderAbsent,
    OrderNotSent,
    OrderReported,
    QuotesSeen,
    Reconciled,
    TimePassed,
    TradeConfirmed,
)

MINUTE = timedelta(minutes=1)
SETTLING = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """The account at the end of a minute, USD. `exposure`: market value of the positions."""

    at: datetime
    equity: Decimal
    exposure: Decimal


@dataclass(frozen=True, slots=True)
class SessionResult:
    """`orders`: how many orders ended in each status, refusals before the exchange counted as rejected."""

    decisions: tuple[Decide, ...]
    equity: tuple[EquityPoint, ...]
    orders: Mapping[OrderStatus, int]
    tripped: str
    flat: bool


class SessionRun:
    """Drives one Engine through one session. Trade confirmations, where asked for, are given at once."""

    def __init__(self, context: DayContext, bars: SessionBars, exchange: MemoryExchange) -> None:
        self._engine = Engine(context)
        self._bars = bars
        self._exchange = exchange
        self._now = bars.hours.open
        self._watched: tuple[Symbol, ...] = ()
        self._events: deque[Event] = deque()
        self._decisions: list[Decide] = []
        self._status: dict[str, OrderStatus] = {}
        self._tripped = ""

    def run(self) -> SessionResult:
        """Play every minute from the open to the close, then let the day settle."""
        hours, exchange = self._bars.hours, self._exchange
        curve: list[EquityPoint] = []
        self._feed(Reconciled(self._now, clean=True))
        self._at(self._now, {})
        while self._now < hours.close:
            ended = self._bars.minutes.get(self._now, {})
            self._now += MINUTE
            self._at(self._now, ended)
            curve.append(EquityPoint(self._now, exchange.equity, exchange.market_value))
        self._tell(exchange.close_session(self._now))
        for _ in range(3):
            self._now += SETTLING
            self._feed(TimePassed(self._now))
        counts: dict[OrderStatus, int] = {}
        for status in self._status.values():
            counts[status] = counts.get(status, 0) + 1
        return SessionResult(tuple(self._decisions), tuple(curve), counts, self._tripped, not exchange.positions())

    def _at(self, now: datetime, ended: Mapping[Symbol, Bar]) -> None:
        """The instant between two minutes: what ended is told, then what was ordered fills at the next open."""
        self._tell(self._exchange.see_minute(ended, now))
        self._feed(TimePassed(now))
        self._show_quotes(self._watched)
        if ended:
            self._feed(MinuteClosed(now, ended))
        begins = self._bars.minutes.get(now, {})
        while reports := self._exchange.fill_at_open(begins, now):
            self._tell(reports)

    def _tell(self, reports: tuple[OrderReport, ...]) -> None:
        for report in reports:
            self._status[report.client_id] = report.status
            self._feed(OrderReported(self._now, report))

    def _feed(self, event: Event) -> None:
        """Events that a command causes wait until the commands before it are done."""
        self._events.append(event)
        if len(self._events) > 1:
            return
        while self._events:
            for command in self._engine.handle(self._events[0]):
                self._perform(command)
            self._events.popleft()

    def _perform(self, command: Command) -> None:
        match command:
            case Submit():
                self._submit(command)
            case Cancel(client_id):
                report = self._exchange.cancel(client_id, self._now)
                self._tell(() if report is None else (report,))
            case CancelEverything():
                self._tell(self._exchange.cancel_all(self._now))
            case Inquire(client_id):
                report = self._exchange.report(client_id, self._now)
                self._feed(OrderAbsent(self._now, client_id) if report is None else OrderReported(self._now, report))
            case AskQuotes(symbols):
                self._show_quotes(symbols)
            case AskAccount():
                self._feed(AccountSeen(self._now, self._exchange.account(), self._exchange.positions()))
            case Watch(symbols):
                self._watched = symbols
            case Decide():
                self._decisions.append(command)
            case AskConfirmation(client_id):
                self._feed(TradeConfirmed(self._now, client_id, "backtest"))
            case DayDone():
                self._tripped = command.tripped
            case _:
                pass

    def _submit(self, command: Submit) -> None:
        intent = command.intent
        answer = self._exchange.accept(intent, self._now)
        if isinstance(answer, str):
            self._status[intent.client_id] = OrderStatus.REJECTED
            self._feed(OrderNotSent(self._now, intent.client_id, answer))
        else:
            self._tell((answer,))

    def _show_quotes(self, symbols: tuple[Symbol, ...]) -> None:
        quotes = tuple(quote for symbol in symbols if (quote := self._exchange.quote(symbol)) is not None)
        if quotes:
            self._feed(QuotesSeen(self._now, quotes))
