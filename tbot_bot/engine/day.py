"""What all parts of the engine share during one day, and the commands they leave for the host."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto

from tbot_bot.domain.market import Quote, Symbol
from tbot_bot.domain.money import ZERO
from tbot_bot.domain.orders import OrderIntent, Purpose
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import NEXT, BotState
from tbot_bot.engine.book import LiveOrder, OrderBook
from tbot_bot.engine.commands import Alarm, Cancel, Command, MoveState, Submit
from tbot_bot.engine.context import DayContext
from tbot_bot.engine.tracks import Tracks
from tbot_bot.engine.trades import Trade
from tbot_bot.risk.defense import why_active
from tbot_bot.risk.kill_switch import KillSwitch, day_pnl
from tbot_bot.risk.limits import limits_today

CANCEL_AGAIN_S = 10
FLAT_LEAST_S = 2
ACCOUNT_VALID_S = 60


class Mode(Enum):
    NORMAL = auto()
    STOPPING = auto()
    EMERGENCY = auto()


class Day:
    """The day's mutable state. Only the engine's parts touch it, one event at a time.

    `flat_by`: the plan's, but on a fast clock at least two real seconds before the close, which three round trips to
    the broker (cancel, sell, look) may take."""

    def __init__(self, context: DayContext) -> None:
        self.context = context
        self.settings = context.settings
        self.plan = context.plan
        self.flat_by = min(self.plan.flat_by, self.plan.hours.close - self.real(FLAT_LEAST_S))
        self.now = datetime.min.replace(tzinfo=context.plan.hours.open.tzinfo)
        self.limits = limits_today(
            context.settings, context.opening_equity, why_active(context.defense, context.settings.defense)
        )
        self.kill_switch = KillSwitch(self.limits.daily_loss, context.tripped)
        self.book = OrderBook(context.bot_id, context.plan.hours.day)
        self.tracks = Tracks(context.plan.hours, frozenset(context.listings))
        self.trades: list[Trade] = []
        self.state = context.state
        self.mode = Mode.NORMAL
        self.account: Account | None = None
        self.account_at: datetime | None = None
        self.positions: dict[Symbol, Position] | None = None
        self.spent_since_account = ZERO
        self.quotes: dict[Symbol, Quote] = {}
        self.clean: bool | None = None
        self.unclean_why = ""
        self.out: list[Command] = []

    def real(self, seconds: float) -> timedelta:
        """Market time that passes in so many real seconds."""
        return timedelta(seconds=seconds * max(1.0, self.context.speed))

    def emit(self, command: Command) -> None:
        self.out.append(command)

    def alarm(self, level: str, subject: str, text: str) -> None:
        self.emit(Alarm(level, subject, text))

    def open_trades(self) -> list[Trade]:
        return [trade for trade in self.trades if not trade.closed]

    def trades_of(self, symbol: Symbol) -> Iterable[Trade]:
        return (trade for trade in self.trades if trade.symbol == symbol and not trade.closed)

    @property
    def market_open(self) -> bool:
        """Whether an exit can be sent: until the close, and in a later session for what was left over then."""
        return self.now < self.plan.hours.close or any(h.open <= self.now < h.close for h in self.context.later)

    def pnl(self) -> Decimal | None:
        """Today's P&L as the broker tells it, USD; None when its last word is missing or too old."""
        if self.account is None or self.account_at is None:
            return None
        if self.now - self.account_at > self.real(ACCOUNT_VALID_S):
            return None
        return day_pnl(self.account.equity, self.limits.opening_equity)

    def submit(self, intent: OrderIntent) -> LiveOrder:
        """Send an intent; the book knows it from now on."""
        order = self.book.add(intent, self.now)
        if intent.purpose is Purpose.ENTRY:
            self.spent_since_account += entry_value(intent)
        self.emit(Submit(intent))
        return order

    def cancel(self, order: LiveOrder, why: str) -> None:
        """Ask for a cancel, and again every 10 real seconds while the order lives."""
        if order.final or (order.cancel_at and self.now - order.cancel_at < self.real(CANCEL_AGAIN_S)):
            return
        order.cancel_at = self.now
        order.cancel_since = order.cancel_since or self.now
        self.emit(Cancel(order.client_id, why))

    def move(self, to: BotState, why: str) -> None:
        """Change the bot's state along the table's moves, through `analyzing` where there is no direct one."""
        if to is self.state:
            return
        if to not in NEXT[self.state]:
            if BotState.ANALYZING not in NEXT[self.state] or to not in NEXT[BotState.ANALYZING]:
                return
            self.emit(MoveState(BotState.ANALYZING, "the trading day is on"))
        self.state = to
        self.emit(MoveState(to, why))

    def entries_today(self) -> Decimal:
        """USD of all entries that were sent and not refused."""
        orders = self.book.orders.values()
        sent = (entry_value(o.intent) for o in orders if o.intent.purpose is Purpose.ENTRY and not o.dead)
        return sum(sent, ZERO)


def entry_value(intent: OrderIntent) -> Decimal:
    """USD that an entry was meant to cost."""
    if intent.notional is not None:
        return intent.notional
    return (intent.quantity or ZERO) * (intent.reference_price or ZERO)
