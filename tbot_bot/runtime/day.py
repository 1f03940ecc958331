"""One trading day: performs the engine's commands and feeds it the facts, journal first."""

import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tbot_bot.domain.errors import AuditUnavailable, StateCorrupt
from tbot_bot.domain.market import Bar
from tbot_bot.domain.orders import FINAL_STATUSES, ClientOrderId, OrderIntent, OrderReport, OrderStatus, Purpose
from tbot_bot.domain.portfolio import Account
from tbot_bot.domain.session import BotState
from tbot_bot.engine import commands as c
from tbot_bot.engine import events as e
from tbot_bot.engine.context import DayContext
from tbot_bot.engine.engine import Engine
from tbot_bot.runtime.books_keeper import BooksKeeper
from tbot_bot.runtime.cadence import Cadence, Turns
from tbot_bot.runtime.desk import BarsPulled, BooksPulled, Desk, ExecutionsPulled, Message
from tbot_bot.runtime.journal import Journal, JournalledOrder, dead_report
from tbot_bot.runtime.minutes import Minutes
from tbot_bot.runtime.reconciler import Reconciler, status_of
from tbot_bot.runtime.records import Decisions, record_fact
from tbot_bot.runtime.services import Services
from tbot_bot.runtime.unresolved import Unresolved
from tbot_bot.support.atomic_file import LineLog, read_lines
from tbot_bot.support.codec import from_json, to_json
from tbot_bot.support.logs import get_logger

log = get_logger("day")

SETTLE_SECONDS = 20.0
"""Real seconds that a finished day waits for its last fills before it says that some are missing in the ledger."""


class Day:
    """The host of one Engine. Single-threaded: everything that waits is the desk's."""

    def __init__(
        self,
        services: Services,
        context: DayContext,
        engine: Engine,
        desk: Desk,
        journal: Journal,
        orders: Mapping[ClientOrderId, JournalledOrder],
    ) -> None:
        self._services = services
        self.context = context
        self.engine = engine
        self._desk = desk
        self._journal = journal
        self.orders: dict[ClientOrderId, JournalledOrder] = dict(orders)
        symbols = [*context.listings, *(etf.symbol for etf in context.inverse_etfs)]
        self.minutes = Minutes(symbols, context.plan.hours, context.speed)
        self.keeper = BooksKeeper(services.ledger, context.plan.hours.open)
        self._told = Decisions(services.audit)
        self._reconciler = Reconciler()
        unknown = (cid for cid, order in orders.items() if status_of(order) is OrderStatus.UNKNOWN)
        self._unresolved = Unresolved(services.paths, services.clock, unknown)
        self.cadence = Cadence.at(context.speed)
        self._turns = Turns()
        folder = services.paths.session_folder(context.plan.hours.day)
        self.decided = [from_json(c.Decide, row) for row in read_lines(folder / "decisions.jsonl")]
        self._decisions = LineLog(folder / "decisions.jsonl")
        self.alarms: list[c.Alarm] = []
        self.account: Account | None = None
        self.equity_series = [(str(r["at"]), str(r["equity"])) for r in read_lines(folder / "equity.jsonl")]
        self._equity_log = LineLog(folder / "equity.jsonl")
        self._equity_minute = ""
        self.reconciled = e.Reconciled(services.clock.now(), False, "not compared with the broker yet")
        # A loss limit stays tripped for the session; who kills by hand may start again by hand.
        self._killed_by_hand = context.state is BotState.EMERGENCY_CLOSING and not context.tripped
        self._stop_asked = context.state is BotState.GRACEFUL_CLOSING
        self.halted = False
        self.asked_confirmations: dict[ClientOrderId, c.AskConfirmation] = {}
        self.done: c.DayDone | None = None
        self._done_since: float | None = None
        self._bars_open = True

    @property
    def settled(self) -> bool:
        """Whether the day is over and every fill is in the books (or is known to be missing)."""
        if self.done is None or self._done_since is None:
            return False
        if not self.missing_fills():
            return True
        return time.monotonic() - self._done_since > SETTLE_SECONDS

    def missing_fills(self) -> dict[ClientOrderId, Decimal]:
        reports = {cid: order.report for cid, order in self.orders.items() if order.report is not None}
        return self.keeper.missing(reports)

    def start(self) -> None:
        """Subscribe, ask for everything that a restart may have missed."""
        self._services.broker.watch_bars(sorted(self.minutes.symbols))
        self._desk.ask_account()
        self._desk.pull_books()
        self._desk.pull_executions(self.keeper.since)
        for order in self.orders.values():
            if order.report is None or order.report.status not in FINAL_STATUSES:
                self._desk.inquire(order.intent.client_id)

    def confirm(self, client_id: ClientOrderId, by: str) -> None:
        """A trader's word on an entry that waits; one that was never asked for is ignored, one that cannot be recorded
        is as if it had not been said."""
        if client_id not in self.asked_confirmations:
            return
        if record_fact(self._services.audit, "trade_confirmed", {"client_id": client_id}, by):
            del self.asked_confirmations[client_id]
            self.feed(e.TradeConfirmed(self._services.clock.now(), client_id, by))

    def waiting_confirmations(self) -> list[c.AskConfirmation]:
        """Entries that still wait for a trader, oldest first."""
        now = self._services.clock.now()
        return [asked for asked in self.asked_confirmations.values() if asked.until > now]

    def halt(self, why: str) -> None:
        """Enter nothing more and close in good order; once."""
        self.halted = True
        self.feed(e.StopRequested(self._services.clock.now(), why))

    def resync(self) -> None:
        """A stream came back: what happened meanwhile is asked for at once."""
        self._desk.pull_executions(self.keeper.since)
        for order in self.orders.values():
            if order.report is None or order.report.status not in FINAL_STATUSES:
                self._desk.inquire(order.intent.client_id)
        self._turns.hurry("books")

    def close(self) -> None:
        self._told.flush()
        self._journal.close()
        self._decisions.close()
        self._equity_log.close()

    def turn(self) -> None:
        """One round of the clock: time, minutes that completed, questions that are due."""
        now = self._services.clock.now()
        if self._bars_open:
            for minute in self.minutes.complete(now):
                self.feed(minute)
            wanted = self.minutes.wanted(now)
            if wanted is not None:
                self._desk.pull_bars(*wanted)
        self.feed(e.TimePassed(now))
        self._told.flush_due()
        if self._turns.due("account", self.cadence.account):
            self._desk.ask_account()
        if self._turns.due("books", self.cadence.books):
            self._desk.pull_books()
        if self._turns.due("executions", self.cadence.executions):
            self._desk.pull_executions(self.keeper.since)

    def receive(self, message: Message) -> None:
        """A message of the desk or of a stream."""
        if isinstance(message, Bar):
            self.minutes.add(message)
        elif isinstance(message, BarsPulled):
            self._receive_bars(message)
        elif isinstance(message, ExecutionsPulled):
            self._book(message)
        elif isinstance(message, BooksPulled):
            self._reconcile(message)
        elif isinstance(message, e.Event):
            self.feed(message)

    def feed(self, event: e.Event) -> None:
        """One event through journal and engine, then what the engine asks for."""
        self._killed_by_hand |= isinstance(event, e.KillRequested)
        self._stop_asked |= isinstance(event, e.StopRequested)
        self._remember(event)
        for command in self.engine.handle(event):
            self._perform(command)

    def _receive_bars(self, message: BarsPulled) -> None:
        if message.bars is None:
            return
        for minute in self.minutes.pulled(message.bars, message.end, self._services.clock.now()):
            self.feed(minute)
        self._bars_open = message.end < self.context.plan.hours.close

    def _remember(self, event: e.Event) -> None:
        """What the journal and the dashboard keep of an event, before the engine acts on it."""
        if isinstance(event, e.OrderReported):
            self._keep_report(event.report)
        elif isinstance(event, e.OrderNotSent):
            self._keep_dead(event.client_id, OrderStatus.REJECTED, event.reason, event, event.code)
        elif isinstance(event, e.OrderAbsent):
            self._keep_dead(event.client_id, OrderStatus.REJECTED, "never reached the broker", event)
        elif isinstance(event, e.OrderLost):
            self._keep_dead(event.client_id, OrderStatus.UNKNOWN, event.why, event)
        elif isinstance(event, e.AccountSeen) and event.account is not None:
            self.account = event.account
            self._keep_equity(event.now, event.account)

    def _keep_equity(self, now: datetime, account: Account) -> None:
        """One point a market minute, for the curve of the day."""
        minute = now.isoformat(timespec="minutes")
        if minute != self._equity_minute:
            self._equity_minute = minute
            self.equity_series.append((minute, str(account.equity)))
            self._write(self._equity_log, {"at": minute, "equity": str(account.equity)})

    def _keep_report(self, report: OrderReport, code: str = "") -> None:
        known = self.orders.get(report.client_id)
        if known is None or known.report == report:
            return
        old = known.report
        if old is not None and old.status in FINAL_STATUSES and old.filled_quantity >= report.filled_quantity:
            return
        if report.filled_quantity > (old.filled_quantity if old else 0):
            self._desk.pull_executions(self.keeper.since)
        self.orders[report.client_id] = JournalledOrder(known.intent, report)
        try:
            self._journal.report(report)
        except OSError as error:
            log.error("a report could not be journalled", extra={"fields": {"why": error.strerror}})
        self._unresolved.changed(known.intent, report, code)

    def _keep_dead(
        self,
        client_id: ClientOrderId,
        status: OrderStatus,
        reason: str,
        event: e.OrderNotSent | e.OrderAbsent | e.OrderLost,
        code: str = "",
    ) -> None:
        known = self.orders.get(client_id)
        if known is None or (known.report is not None and known.report.status is not OrderStatus.UNKNOWN):
            return
        self._keep_report(dead_report(known.intent, status, reason, event.now), code)

    def _write(self, to: LineLog, row: dict[str, Any]) -> None:
        """Keep a row that no decision rests on: a full disk must not keep an event from the engine."""
        try:
            to.append(row, durable=False)
        except OSError as error:
            log.error("a row could not be written", extra={"fields": {"why": error.strerror}})

    def _book(self, message: ExecutionsPulled) -> None:
        intents = {cid: order.intent for cid, order in self.orders.items()}
        refused = len(self.keeper.refused)
        booked = self.keeper.book(message.executions, intents)
        for why in list(self.keeper.refused.values())[refused:]:
            self._services.notifier.notify("critical", "a fill is not in the ledger", why)
        for execution in booked:
            record_fact(self._services.audit, "fill", {"execution": to_json(execution)})
            fields = {
                name: str(getattr(execution, name)) for name in ("symbol", "side", "quantity", "price", "client_id")
            }
            log.info("fill", extra={"fields": fields})

    def _reconcile(self, message: BooksPulled) -> None:
        now = self._services.clock.now()
        verdict = self._reconciler.compare(message, self.orders, now)
        for client_id in verdict.inquire:
            self._desk.inquire(client_id)
        if (verdict.event.clean, verdict.event.why) != (self.reconciled.clean, self.reconciled.why):
            log.info("reconciled", extra={"fields": {"clean": verdict.event.clean, "why": verdict.event.why}})
        self.reconciled = verdict.event
        self.feed(verdict.event)

    def _perform(self, command: c.Command) -> None:
        match command:
            case c.Submit() | c.Cancel() | c.CancelEverything() | c.Inquire():
                self._order(command)
            case c.AskQuotes() | c.AskAccount() | c.AskConfirmation() | c.Watch():
                self._question(command)
            case c.Decide():
                self.decided.append(command)
                self._write(self._decisions, to_json(command))
                self._told.decided(command)
            case c.MoveState(to, why):
                self._move(to, why)
            case c.Alarm():
                self.alarms.append(command)
                self._services.notifier.notify(command.level, command.subject, command.text)
            case c.DayDone():
                self._finish(command)

    def _order(self, command: c.Submit | c.Cancel | c.CancelEverything | c.Inquire) -> None:
        match command:
            case c.Submit(intent):
                self._submit(intent)
            case c.Cancel(client_id, why):
                log.info("cancel", extra={"fields": {"client_id": client_id, "why": why}})
                self._told.cancelled(client_id, why)
                self._desk.cancel(client_id)
            case c.CancelEverything(why):
                log.warning("cancel everything", extra={"fields": {"why": why}})
                self._told.cancelled("everything", why)
                self._desk.cancel_everything()
            case c.Inquire(client_id):
                self._desk.inquire(client_id)

    def _question(self, command: c.AskQuotes | c.AskAccount | c.AskConfirmation | c.Watch) -> None:
        match command:
            case c.AskQuotes(symbols):
                self._desk.ask_quotes(symbols)
            case c.AskAccount():
                self._desk.ask_account()
            case c.AskConfirmation():
                self.asked_confirmations[command.client_id] = command
                self._services.notifier.notify("routine", "an entry waits for your word", command.reason)
            case c.Watch(symbols):
                self._services.broker.watch_quotes(symbols)

    def _submit(self, intent: OrderIntent) -> None:
        """Journal and audit, then send. Without a record there is no entry; what closes a position is sent anyway, and
        before it is audited."""
        if intent.client_id in self.orders:
            log.critical("the same order was asked for twice; not sent", extra={"fields": {"id": intent.client_id}})
            return
        self.orders[intent.client_id] = JournalledOrder(intent)
        entry = intent.purpose is Purpose.ENTRY
        try:
            self._journal.intend(intent)
            if entry:
                self._services.audit.record("order", "bot", {"intent": to_json(intent)})
        except (OSError, AuditUnavailable) as error:
            log.critical("an order could not be recorded", extra={"fields": {"why": str(error)}})
            if entry:
                why = "it could not be recorded, so it was not sent"
                self._desk.tell(e.OrderNotSent(self._services.clock.now(), intent.client_id, why))
                return
        size = f"{intent.quantity} shares" if intent.quantity is not None else f"${intent.notional}"
        names = ("strategy", "purpose", "side", "symbol", "reason", "client_id")
        log.info("order", extra={"fields": {"size": size, **{name: str(getattr(intent, name)) for name in names}}})
        self._desk.submit(intent)
        if not entry:
            record_fact(self._services.audit, "order", {"intent": to_json(intent)})

    def _move(self, to: BotState, why: str) -> None:
        """Follow the engine with the state word; an `error` stays one until someone starts again.

        A day that ends by itself is no stop: the bot stays armed for the next session."""
        if to is BotState.IDLE and not self._stop_asked:
            return
        try:
            if to is BotState.EMERGENCY_CLOSING and not self._killed_by_hand:
                # Before the state word: by that alone a restart would take it for a kill by hand.
                self._journal.trip(why)
        except OSError as error:
            log.error("the trip could not be journalled", extra={"fields": {"why": error.strerror}})
        try:
            now = self._services.state.read()
            if now is not to and (now is not BotState.ERROR or to is BotState.EMERGENCY_CLOSING):
                self._services.state.move(now, to, "bot", why)
        except (StateCorrupt, OSError) as error:
            log.error("the state did not follow", extra={"fields": {"to": to.value, "why": str(error)}})

    def _finish(self, command: c.DayDone) -> None:
        self.done = command
        self._done_since = time.monotonic()
        self._desk.pull_executions(self.keeper.since)
        self._desk.ask_account()

    def finish_journal(self) -> None:
        """The session is complete: a restart has nothing to pick up."""
        self._journal.finish()
