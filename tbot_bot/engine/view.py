"""A read-only picture of the engine for the dashboard."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.money import ZERO
from tbot_bot.domain.orders import ClientOrderId, OrderStatus, Purpose, Side
from tbot_bot.domain.session import BotState, SkippedWindow, StrategyName, Window
from tbot_bot.engine.commands import Decide
from tbot_bot.engine.day import Day
from tbot_bot.engine.entries import Entries
from tbot_bot.engine.trades import Trade
from tbot_bot.engine.windows import WindowRun


@dataclass(frozen=True, slots=True)
class WindowView:
    """`phase`: waiting, analysis, breakout or over. `decisions`: candidates and misses, oldest first."""

    window: Window
    phase: str
    blocked: str
    trades: int
    max_trades: int
    queued: tuple[Symbol, ...]
    decisions: tuple[Decide, ...]


@dataclass(frozen=True, slots=True)
class TradeView:
    """Prices USD, quantities in shares; None = unknown or not used. `stop` is the nearer of fixed and trailing stop."""

    trade_id: ClientOrderId
    strategy: StrategyName
    symbol: Symbol
    signal_symbol: Symbol | None
    side: Side
    status: OrderStatus
    held: Decimal
    entry_price: Decimal | None
    mark: Decimal | None
    stop: Decimal | None
    stop_rests_at_broker: bool
    target: Decimal | None
    deadline: datetime | None
    opened_at: datetime
    realised: Decimal
    unrealised: Decimal | None
    leaving: str
    closed: bool


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit and how much of it is used, both in `unit`; used None = unknown."""

    name: str
    used: Decimal | None
    limit: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class EngineView:
    now: datetime
    state: BotState
    tripped: str
    pnl: Decimal | None
    defense: str
    entries_blocked: str
    windows: tuple[WindowView, ...]
    skipped: tuple[SkippedWindow, ...]
    trades: tuple[TradeView, ...]
    limits: tuple[LimitView, ...]
    flat_by: datetime
    done: bool


def view_of(day: Day, entries: Entries, done: bool) -> EngineView:
    """The picture as of the last event."""
    return EngineView(
        now=day.now,
        state=day.state,
        tripped=day.kill_switch.tripped,
        pnl=day.pnl(),
        defense=day.limits.defense,
        entries_blocked=_blocked(day),
        windows=tuple(_window(day, run) for run in entries.runs),
        skipped=day.plan.skipped,
        trades=tuple(_trade(trade) for trade in day.trades),
        limits=_limits(day),
        flat_by=day.flat_by,
        done=done,
    )


def _blocked(day: Day) -> str:
    """Why no entry is possible now, whatever the candidate; empty = entries are possible."""
    if day.settings.general.disable_all_trades:
        return "all trading is disabled (DISABLE_ALL_TRADES)"
    if day.kill_switch.tripped:
        return f"the kill switch fell: {day.kill_switch.tripped}"
    if day.pnl() is None:
        return "today's P&L is unknown"
    if day.clean is None:
        return "orders and positions were not yet compared with the broker's"
    return "" if day.clean else f"our books differ from the broker's: {day.unclean_why}"


def _window(day: Day, run: WindowRun) -> WindowView:
    window = run.window
    if day.now < window.start:
        phase = "waiting"
    elif day.now < window.analysis_end:
        phase = "analysis"
    else:
        phase = "over" if run.closed else "breakout"
    queued = tuple(candidate.signal.symbol for candidate in run.queue)
    taken = len(run.slots)
    return WindowView(window, phase, run.blocked, taken, day.limits.max_trades, queued, tuple(run.decisions))


def _trade(trade: Trade) -> TradeView:
    entry = trade.entry
    stops = [price for price in (trade.stop_price(), trade.trail_price()) if price is not None]
    nearer = (max(stops) if trade.side > 0 else min(stops)) if stops else None
    return TradeView(
        trade_id=trade.trade_id,
        strategy=trade.strategy,
        symbol=trade.symbol,
        signal_symbol=entry.intent.signal_symbol if entry else None,
        side=Side.BUY if trade.side > 0 else Side.SELL,
        status=entry.status if entry else OrderStatus.FILLED,
        held=trade.held,
        entry_price=trade.average,
        mark=trade.mark,
        stop=nearer,
        stop_rests_at_broker=trade.resting_stop() is not None,
        target=trade.target_price(),
        deadline=trade.plan.deadline if trade.plan else None,
        opened_at=trade.opened_at,
        realised=trade.realised(),
        unrealised=trade.unrealised(),
        leaving=trade.exit_why,
        closed=trade.closed,
    )


def _limits(day: Day) -> tuple[LimitView, ...]:
    limits, pnl, open_trades = day.limits, day.pnl(), day.open_trades()
    exposure = sum((trade.value() for trade in open_trades), ZERO)
    loss = None if pnl is None else max(-pnl, ZERO)
    entries = sum(1 for o in day.book.orders.values() if o.intent.purpose is Purpose.ENTRY and not o.dead)
    return (
        LimitView("DAILY_LOSS_LIMIT", loss, limits.daily_loss, "USD"),
        LimitView("MAX_OPEN_POSITIONS", Decimal(len(open_trades)), Decimal(limits.max_open_positions), "positions"),
        LimitView("MAX_TRADES", Decimal(entries), Decimal(limits.max_trades * len(day.plan.windows)), "trades today"),
        LimitView("MAX_EXPOSURE", exposure, limits.max_exposure, "USD"),
        LimitView("MAX_DAILY_NOTIONAL", day.entries_today(), limits.max_daily_notional, "USD"),
    )
