"""The trading day as one function of events: no file, no socket, no wall clock.

The host feeds events in the order in which it learns them and performs the commands in the order given. The same engine
runs live, on paper, in the simulation tests and in the backtest.
"""

from datetime import UTC, datetime, timedelta

from tbot_bot.domain.market import Quote, Symbol
from tbot_bot.domain.money import ZERO, cents
from tbot_bot.domain.orders import OrderStatus, Purpose
from tbot_bot.domain.session import BotState
from tbot_bot.engine.book import LiveOrder
from tbot_bot.engine.commands import AskAccount, Cancel, CancelEverything, Command, DayDone, Inquire, Watch
from tbot_bot.engine.context import DayContext
from tbot_bot.engine.day import Day, Mode
from tbot_bot.engine.entries import Entries
from tbot_bot.engine.events import (
    AccountSeen,
    Event,
    KillRequested,
    MinuteClosed,
    OrderAbsent,
    OrderLost,
    OrderNotSent,
    OrderReported,
    QuotesSeen,
    Reconciled,
    StopRequested,
    TimePassed,
    TradeConfirmed,
)
from tbot_bot.engine.exits import Exits
from tbot_bot.engine.leftovers import Leftovers
from tbot_bot.engine.restore import restore
from tbot_bot.engine.view import EngineView, view_of

QUIET_S = 30
_ALIVE = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
INTERRUPTED = "closing positions was interrupted by a restart"


class Engine:
    """One session. `handle` never raises for what the market or the broker may say; not thread-safe."""

    def __init__(self, context: DayContext) -> None:
        self._day = Day(context)
        self._entries = Entries(self._day)
        self._exits = Exits(self._day)
        self._leftovers = Leftovers(self._day, self._exits)
        self._awake = False
        self._done = False
        self._watched: frozenset[Symbol] = frozenset()
        self._ask_account_at: datetime | None = None
        self._flat_since_asked = False
        self._flat_since = datetime.min.replace(tzinfo=UTC)
        self._flat_seen = False
        self._overnight_told = False

    def handle(self, event: Event) -> tuple[Command, ...]:
        """One fact in, what to do about it out."""
        day = self._day
        day.now = max(day.now, event.end if isinstance(event, MinuteClosed) else event.now)
        if not self._awake:
            self._wake()
        self._take(event)
        self._see_loss()
        self._exits.see_time()
        self._entries.end_windows()
        self._entries.cancel_late()
        self._entries.work()
        self._exits.tend()
        self._ask_again()
        self._show_state()
        self._watch()
        self._finish()
        told, day.out = tuple(day.out), []
        return told

    def view(self) -> EngineView:
        """A read-only picture for the dashboard."""
        return view_of(self._day, self._entries, self._done)

    @property
    def between_windows(self) -> bool:
        """Whether nothing is under way: no window runs, no position is held, no order may still trade."""
        day = self._day
        running = any(window.start <= day.now < window.breakout_end for window in day.plan.windows)
        return not running and not day.open_trades() and not day.book.live()

    def _wake(self) -> None:
        """The first event: take up what a restart left."""
        self._awake = True
        day = self._day
        restore(day, self._entries, day.context.restored, day.now)
        if day.context.tripped:
            self._emergency(day.context.tripped)
        elif day.state is BotState.EMERGENCY_CLOSING:
            self._emergency(INTERRUPTED)
        elif day.state is BotState.GRACEFUL_CLOSING:
            self._stop(INTERRUPTED)

    def _take(self, event: Event) -> None:
        match event:
            case MinuteClosed():
                self._see_minute(event)
            case QuotesSeen():
                self._see_quotes(event.quotes)
            case OrderReported() | OrderNotSent() | OrderLost() | OrderAbsent():
                self._see_order(event)
            case AccountSeen():
                self._see_account(event)
            case Reconciled():
                self._day.clean, self._day.unclean_why = event.clean, event.why
            case StopRequested():
                self._stop(f"stop requested by {event.by}")
            case KillRequested():
                self._emergency(f"kill by {event.by}: {event.why}")
            case TradeConfirmed():
                self._entries.confirmed(event.client_id)
            case TimePassed():
                pass

    def _see_minute(self, event: MinuteClosed) -> None:
        fresh = self._day.tracks.learn(event.bars)
        self._exits.see_bars(event.bars, event.late)
        if not event.late:
            self._entries.see_minute(event.end, fresh)

    def _see_quotes(self, quotes: tuple[Quote, ...]) -> None:
        """A quote older than the last of its symbol is old news; a candidate that asked is given the newest one."""
        day = self._day
        fresh = tuple(q for q in quotes if q.symbol not in day.quotes or q.at >= day.quotes[q.symbol].at)
        day.quotes.update((quote.symbol, quote) for quote in fresh)
        self._entries.see_quotes(tuple(day.quotes[quote.symbol] for quote in quotes))
        for quote in fresh:
            self._exits.see_quote(quote)

    def _see_order(self, event: OrderReported | OrderNotSent | OrderLost | OrderAbsent) -> None:
        client_id = event.report.client_id if isinstance(event, OrderReported) else event.client_id
        order = self._day.book.orders.get(client_id)
        if order is None:
            return
        was_final, before = order.final, order.filled
        order.heard_at = self._day.now
        match event:
            case OrderReported():
                if order.dead and event.report.status in _ALIVE:
                    # Taken for dead, and something else may have been sent in its place.
                    self._day.emit(Cancel(client_id, f"it was {order.status} for us"))
                order.merge(event.report)
            case OrderNotSent():
                order.settle(OrderStatus.REJECTED, event.reason)
            case OrderAbsent():
                order.settle(OrderStatus.REJECTED, "the broker never had this order")
            case OrderLost():
                if not order.final:
                    order.status = OrderStatus.UNKNOWN
                    self._day.emit(Inquire(client_id))
        if order.filled > before:
            self._see_fill(order)
        if order.final and not was_final and order.intent.purpose is Purpose.ENTRY:
            self._see_entry_end(order)

    def _see_fill(self, order: LiveOrder) -> None:
        """Shares moved: a trade thought closed may be open again, and flatness has to be proven anew."""
        self._flat_since_asked = self._flat_seen = False
        for trade in self._day.trades:
            if trade.trade_id == order.intent.trade_id and trade.held != 0:
                trade.closed = False
        if self._done:
            text = f"{order.intent.symbol} filled after the day was done; the position is closed now."
            self._day.alarm("critical", "late fill", text)

    def _see_entry_end(self, order: LiveOrder) -> None:
        if order.dead:
            if order.status is OrderStatus.REJECTED:
                self._entries.refused(order)
            return
        if self._day.settings.notify.notify_on_fill:
            intent = order.intent
            text = f"{intent.strategy} {intent.side} {order.filled} {intent.symbol} at {order.average}: {intent.reason}"
            self._day.alarm("routine", f"entered {intent.symbol}", text)

    def _see_account(self, event: AccountSeen) -> None:
        """A failed question changes nothing but when it is asked again: what was known grows old, and then is
        unknown."""
        day = self._day
        if event.account is None or event.positions is None:
            self._ask_account_at = day.now + day.real(1)
        if event.account is not None:
            day.account, day.account_at = event.account, event.now
            day.spent_since_account = ZERO
        if event.positions is None:
            return
        day.positions = {p.symbol: p for p in event.positions if p.quantity != 0}
        self._leftovers.compare()
        self._flat_seen = self._asked_since_flat(event.now) and not self._still_shown()

    def _asked_since_flat(self, asked: datetime) -> bool:
        """Whether the question is younger than our books' word: an older answer may have lain in the queue."""
        return self._flat_since_asked and asked >= self._flat_since

    def _still_shown(self) -> bool:
        """Whether the broker shows a position that is ours to close."""
        day, shown = self._day, set(self._day.positions or {})
        return bool(shown if day.mode is Mode.EMERGENCY else shown & day.book.symbols())

    def _see_loss(self) -> None:
        """The loss limit, from the broker's equity."""
        day = self._day
        switched = day.kill_switch.see(day.pnl())
        if switched.tripped and day.mode is not Mode.EMERGENCY:
            self._emergency(switched.tripped)

    def _emergency(self, why: str) -> None:
        """Cancel everything, flatten everything; latches for the session."""
        day = self._day
        day.kill_switch = day.kill_switch.pull(why)
        if day.mode is Mode.EMERGENCY or self._done:
            return
        day.mode = Mode.EMERGENCY
        self._flat_since_asked = self._flat_seen = False
        day.move(BotState.EMERGENCY_CLOSING, why)
        day.alarm("critical", "emergency: closing all positions", why)
        day.emit(CancelEverything(why))
        for order in day.book.live():
            order.cancel_at = order.cancel_at or day.now
            order.cancel_since = order.cancel_since or day.now
        self._exits.leave_all(why)
        self._ask_account_at = day.now

    def _stop(self, why: str) -> None:
        """Close in good order."""
        if self._day.mode is not Mode.NORMAL or self._done:
            return
        self._day.mode = Mode.STOPPING
        self._flat_since_asked = self._flat_seen = False
        self._day.move(BotState.GRACEFUL_CLOSING, why)
        self._exits.leave_all(why)

    def _ask_again(self) -> None:
        """Account and positions regularly, orders of which nothing is heard, and flatness once our books say so."""
        day = self._day
        if self._done:
            return
        for order in day.book.quiet(day.now, day.real(QUIET_S)):
            day.emit(Inquire(order.client_id))
        flat = not day.open_trades() and not day.book.live()
        if flat and self._closing() and not self._flat_since_asked:
            self._flat_since_asked, self._flat_since = True, day.now
            self._ask_account_at = day.now
        elif not flat:
            self._flat_since_asked = self._flat_seen = False
        if self._ask_account_at is None or day.now >= self._ask_account_at:
            self._ask_account_at = day.now + self._account_pause()
            day.emit(AskAccount())

    def _account_pause(self) -> timedelta:
        """5 s live; on a fast clock about a real second but not under a market minute; relaxed while nothing is at
        risk."""
        day, speed = self._day, max(1.0, self._day.context.speed)
        if self._closing():
            return day.real(1)
        pause = min(5 * speed, max(60.0, speed))
        return timedelta(seconds=pause if day.open_trades() else 3 * pause)

    def _closing(self) -> bool:
        return self._day.mode is not Mode.NORMAL or self._day.now >= self._day.flat_by

    def _show_state(self) -> None:
        """analyzing, trading or monitoring, as the day goes."""
        day = self._day
        if self._done or day.mode is not Mode.NORMAL:
            return
        if any(run.open_at(day.now) for run in self._entries.runs):
            day.move(BotState.TRADING, "a breakout window is open")
        elif day.open_trades():
            day.move(BotState.MONITORING, "positions are open")
        else:
            day.move(BotState.ANALYZING, "no position is open")

    def _watch(self) -> None:
        """Quotes of what we hold, of entries that work, and of MID's signal symbols."""
        wanted: set[Symbol] = set()
        for trade in self._day.open_trades():
            wanted.add(trade.symbol)
            if trade.plan and trade.plan.vwap_symbol:
                wanted.add(trade.plan.vwap_symbol)
        if wanted != self._watched:
            self._watched = frozenset(wanted)
            self._day.emit(Watch(tuple(sorted(wanted))))

    def _finish(self) -> None:
        """Once: flat by our books and by the broker's word. Never from a failed question."""
        day = self._day
        if self._done or not self._closing():
            return
        if not self._flat_seen:
            self._tell_overnight()
            return
        self._done = True
        emergency = day.mode is Mode.EMERGENCY
        to = BotState.SHUTDOWN_TRIGGERED if emergency else BotState.IDLE
        day.move(to, "flat at the broker")
        since = sum((trade.realised() - trade.realised_before for trade in day.trades), ZERO)
        realised = cents(day.context.realised_before + since)
        day.emit(DayDone(day.now, realised, day.kill_switch.tripped))

    def _tell_overnight(self) -> None:
        day = self._day
        if day.now >= day.plan.hours.close and not self._overnight_told:
            self._overnight_told = True
            names = ", ".join(sorted({t.symbol for t in day.open_trades()})) or "the broker's answer is missing"
            day.alarm("critical", "not flat at the close", f"Still open or unproven: {names}. Look at the account now.")
