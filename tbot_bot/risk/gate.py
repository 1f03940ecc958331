"""The entry gate: every rule must allow. Exits never come here; they are capped in rate and escalated by the engine."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tbot_bot.domain.orders import OrderType
from tbot_bot.domain.session import BotState
from tbot_bot.domain.settings import BotSettings
from tbot_bot.domain.verdict import ALLOWED, Allowed, Denied, Verdict
from tbot_bot.ports.broker import Capabilities
from tbot_bot.risk.kill_switch import KillSwitch
from tbot_bot.risk.limits import Limits

ENTRY_STATES = frozenset({BotState.ANALYZING, BotState.TRADING, BotState.MONITORING})


@dataclass(frozen=True, slots=True)
class Order:
    """The entry as it would be sent. `value` USD; `price` what a share costs; `last` the last trade, None = unknown."""

    type: OrderType
    value: Decimal
    price: Decimal
    last: Decimal | None
    fractional: bool
    notional: bool
    short: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at. None = unknown, which denies.

    `quote_age_s`: real seconds. `window_trades`: entries of this window that hold a slot; `open_positions` counts
    working entries too; `exposure` and `spent_today` USD; `orders_last_minute`: market time. `symbol_state`: why
    this ticker must not be entered (traded today, an order of unknown fate, held by someone else), empty =
    nothing. `duplicate`: this client order id was used before."""

    now: datetime
    state: BotState
    window_open: bool
    window_trades: int
    quote_age_s: float | None
    pnl: Decimal | None
    kill_switch: KillSwitch
    stopping: bool
    trading_blocked: bool | None
    clean: bool | None
    unclean_why: str
    open_positions: int
    exposure: Decimal
    spent_today: Decimal
    orders_last_minute: int
    symbol_state: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Question:
    order: Order
    facts: Facts
    limits: Limits
    settings: BotSettings
    capabilities: Capabilities


def judge(question: Question) -> Verdict:
    """The first rule that says no, else Allowed."""
    for rule in RULES:
        verdict = rule(question)
        if isinstance(verdict, Denied):
            return verdict
    return ALLOWED


def _unless(bad: bool, rule: str, reason: str, setting: str = "") -> Verdict:
    return Denied(rule, reason, setting) if bad else ALLOWED


def _master(q: Question) -> Verdict:
    return _unless(q.settings.general.disable_all_trades, "disabled", "all trading is disabled", "DISABLE_ALL_TRADES")


def _state(q: Question) -> Verdict:
    if q.facts.stopping:
        return Denied("state", "the bot is stopping")
    return _unless(q.facts.state not in ENTRY_STATES, "state", f"the bot is in state {q.facts.state}")


def _kill_switch(q: Question) -> Verdict:
    return q.facts.kill_switch.judge(q.facts.pnl)


def _account(q: Question) -> Verdict:
    if q.facts.trading_blocked is None:
        return Denied("account", "the account is unknown")
    return _unless(q.facts.trading_blocked, "account", "the broker has blocked trading on the account")


def _window(q: Question) -> Verdict:
    return _unless(not q.facts.window_open, "window", "the breakout window is over")


def _data_age(q: Question) -> Verdict:
    age, limit = q.facts.quote_age_s, q.settings.execution.max_quote_age_s
    if age is None:
        return Denied("data_age", "there is no quote", "MAX_QUOTE_AGE_S")
    return _unless(age > limit, "data_age", f"the quote is {age:.0f} s old, more than {limit} s", "MAX_QUOTE_AGE_S")


def _max_trades(q: Question) -> Verdict:
    most = q.limits.max_trades
    return _unless(q.facts.window_trades >= most, "max_trades", f"the window has its {most} trades", "MAX_TRADES")


def _max_positions(q: Question) -> Verdict:
    held, most = q.facts.open_positions, q.limits.max_open_positions
    return _unless(held >= most, "max_open_positions", f"{held} positions of {most} are open", "MAX_OPEN_POSITIONS")


def _symbol(q: Question) -> Verdict:
    return _unless(bool(q.facts.symbol_state), "symbol", q.facts.symbol_state)


def _duplicate(q: Question) -> Verdict:
    return _unless(q.facts.duplicate, "duplicate", "this order was sent before")


def _exposure(q: Question) -> Verdict:
    after, most = q.facts.exposure + q.order.value, q.limits.max_exposure
    return _unless(after > most, "exposure", f"exposure {after:,.2f} would pass {most:,.2f} USD", "MAX_EXPOSURE")


def _daily_notional(q: Question) -> Verdict:
    after, most = q.facts.spent_today + q.order.value, q.limits.max_daily_notional
    reason = f"{after:,.2f} USD traded today would pass {most:,.2f} USD"
    return _unless(after > most, "daily_notional", reason, "MAX_DAILY_NOTIONAL")


def _collar(q: Question) -> Verdict:
    setting, limit = "PRICE_COLLAR_PCT", q.settings.execution.price_collar_pct
    if q.order.last is None or q.order.last <= 0:
        return Denied("collar", "the last trade's price is unknown", setting)
    away = abs(q.order.price / q.order.last - 1)
    reason = f"price {q.order.price:.2f} is {away * 100:.1f} % from the last trade, more than {limit * 100:.1f} %"
    return _unless(away > limit, "collar", reason, setting)


def _order_rate(q: Question) -> Verdict:
    sent, most = q.facts.orders_last_minute, q.settings.execution.max_orders_per_minute
    return _unless(sent >= most, "order_rate", f"{sent} orders in the last minute", "MAX_ORDERS_PER_MINUTE")


def _capability(q: Question) -> Verdict:
    order, able = q.order, q.capabilities
    if order.notional and not able.notional:
        return Denied("capability", "the broker takes no orders by amount", "FRACTIONAL")
    if order.fractional and not able.fractional:
        return Denied("capability", "the broker takes no fractional shares", "FRACTIONAL")
    return _unless(order.short and not able.short, "capability", "the broker does not sell short")


def _reconciliation(q: Question) -> Verdict:
    if q.facts.clean is None:
        return Denied("reconciliation", "orders and positions were not yet compared with the broker's")
    return _unless(not q.facts.clean, "reconciliation", f"our books differ from the broker's: {q.facts.unclean_why}")


RULES: tuple[Callable[[Question], Allowed | Denied], ...] = (
    _master,
    _state,
    _kill_switch,
    _account,
    _reconciliation,
    _window,
    _max_trades,
    _max_positions,
    _symbol,
    _duplicate,
    _data_age,
    _collar,
    _capability,
    _exposure,
    _daily_notional,
    _order_rate,
)
