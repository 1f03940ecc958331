"""The day in figures: everything that happened in one session, as one JSON-ready mapping.

Decimals are text, times ISO in UTC; a figure that is not known is None, never 0."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tbot_bot.domain.books import BookedFill, RoundTrip
from tbot_bot.domain.money import ZERO
from tbot_bot.domain.orders import FINAL_STATUSES, OrderIntent, OrderStatus
from tbot_bot.domain.portfolio import Position
from tbot_bot.domain.session import DayPlan, StrategyName
from tbot_bot.engine.commands import Decide, Outcome
from tbot_bot.engine.view import LimitView
from tbot_bot.reporting.trade_history import plain, trade_row
from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.path_resolver import Paths

UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One order of the journal with the broker's last word on it."""

    intent: OrderIntent
    status: OrderStatus
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What a summary is made of. Equities as the broker told them, None when it did not.

    `positions_left`: what the broker still holds; None = it was not told, which is never "flat". `files`: name →
    where."""

    session: date
    mode: str
    broker: str
    plan: DayPlan
    opening_equity: Decimal | None
    closing_equity: Decimal | None
    realised: Decimal
    trades: Sequence[RoundTrip]
    fills: Sequence[BookedFill]
    orders: Sequence[OrderRecord]
    decisions: Sequence[Decide]
    trial_balance: Mapping[str, tuple[Decimal, Decimal]]
    positions_left: Sequence[Position] | None
    limits: Sequence[LimitView] = ()
    tripped: str = ""
    defense: str = ""
    defense_causes: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def daily(facts: DayFacts) -> dict[str, Any]:
    """The summary of `facts`; the same facts give the same summary."""
    rejected = [o for o in facts.orders if o.status is OrderStatus.REJECTED]
    denied = [d for d in facts.decisions if d.outcome in {Outcome.DENIED, Outcome.REFUSED}]
    return {
        "session": facts.session.isoformat(),
        "mode": facts.mode,
        "broker": facts.broker,
        **_plan(facts.plan),
        "equity": _equity(facts.opening_equity, facts.closing_equity),
        "realised": plain(facts.realised),
        "totals": _result(facts.trades, facts.fills),
        "by_strategy": _by_strategy(facts),
        "trades": [trade_row(trade) for trade in facts.trades],
        "fills": [_fill(fill) for fill in facts.fills],
        "orders": [_order(order) for order in facts.orders],
        "orders_by_status": dict(sorted(Counter(o.status.value for o in facts.orders).items())),
        "orders_not_final": [o.intent.client_id for o in facts.orders if o.status not in FINAL_STATUSES],
        "rejected": dict(_counted(o.reason or "no reason given" for o in rejected)),
        "candidates": [_decision(d) for d in facts.decisions if d.outcome is not Outcome.MISSED],
        "nearest_misses": [_decision(d) for d in facts.decisions if d.outcome is Outcome.MISSED],
        "denials": dict(_counted(d.setting or d.reason for d in denied)),
        "limits": [_limit(limit) for limit in facts.limits],
        "limits_touched": _touched(facts.limits, {d.setting for d in denied}),
        "tripped": facts.tripped,
        "defense": facts.defense,
        "defense_causes": list(facts.defense_causes),
        "flat": None if facts.positions_left is None else not facts.positions_left,
        "positions_left": [
            {"symbol": p.symbol, "quantity": plain(p.quantity)} for p in facts.positions_left or ()
        ],
        "trial_balance": _trial_balance(facts.trial_balance),
        "files": dict(facts.files),
    }  # fmt: skip


def write(paths: Paths, facts: DayFacts) -> Path:
    """Replace the session's summary.json by that of `facts`; returns its path."""
    path = paths.session_folder(facts.session) / "summary.json"
    ensure_folder(path.parent)
    write_json(path, daily(facts))
    return path


def _plan(plan: DayPlan) -> dict[str, Any]:
    hours = plan.hours
    return {
        "hours": {"open": plain(hours.open), "close": plain(hours.close), "early_close": hours.early_close},
        "flat_by": plain(plan.flat_by),
        "windows": [
            {
                "strategy": window.strategy.value,
                "start": plain(window.start),
                "analysis_end": plain(window.analysis_end),
                "breakout_end": plain(window.breakout_end),
                "monitoring_minutes": window.monitoring_minutes,
            }
            for window in plan.windows
        ],
        "skipped": [{"strategy": s.strategy.value, "reason": s.reason} for s in plan.skipped],
    }


def _equity(opening: Decimal | None, closing: Decimal | None) -> dict[str, str | None]:
    change = None if opening is None or closing is None else closing - opening
    return {"opening": plain(opening), "closing": plain(closing), "change": plain(change)}


def _by_strategy(facts: DayFacts) -> dict[str, Any]:
    names = [name.value for name in StrategyName]
    owners = {trade.strategy for trade in facts.trades} | {fill.strategy for fill in facts.fills}
    names += [UNATTRIBUTED] if None in owners else []
    return {
        name: _result(
            [trade for trade in facts.trades if _name(trade.strategy) == name],
            [fill for fill in facts.fills if _name(fill.strategy) == name],
        )
        for name in names
    }


def _name(strategy: StrategyName | None) -> str:
    return UNATTRIBUTED if strategy is None else strategy.value


def _result(trades: Sequence[RoundTrip], fills: Sequence[BookedFill]) -> dict[str, Any]:
    wins = sum(1 for trade in trades if trade.pnl > 0)
    return {
        "trades": len(trades),
        "wins": wins,
        "losses": sum(1 for trade in trades if trade.pnl < 0),
        "hit_rate": plain((Decimal(wins) / len(trades)).quantize(Decimal("0.0001"))) if trades else None,
        "pnl": plain(sum((trade.pnl for trade in trades), ZERO)),
        "fees": plain(sum((fill.fee for fill in fills), ZERO)),
        "notional": plain(sum((fill.quantity * fill.price for fill in fills), ZERO)),
        "slippage_bps": plain(average_slippage(fills)),
    }


def average_slippage(fills: Sequence[BookedFill]) -> Decimal | None:
    """Notional-weighted slippage of the fills that have a reference price, basis points; None when none has."""
    known = [(fill.slippage_bps, fill.quantity * fill.price) for fill in fills]
    weighted = [(bps * notional, notional) for bps, notional in known if bps is not None]
    if not weighted:
        return None
    total = sum((notional for _, notional in weighted), ZERO)
    return (sum((product for product, _ in weighted), ZERO) / total).quantize(Decimal("0.01"))


def _fill(fill: BookedFill) -> dict[str, str | None]:
    names = ("at", "execution_id", "client_id", "strategy", "purpose", "symbol", "side", "quantity", "price", "fee",
             "reference_price", "slippage_bps")  # fmt: skip
    return {name: plain(getattr(fill, name)) for name in names}


def _order(order: OrderRecord) -> dict[str, str | None]:
    intent = order.intent
    names = ("client_id", "created_at", "strategy", "symbol", "side", "purpose", "type", "quantity", "notional",
             "trade_id", "signal_symbol", "reference_price")  # fmt: skip
    return {
        **{name: plain(getattr(intent, name)) for name in names},
        "status": order.status.value,
        "filled": plain(order.filled),
        "average_price": plain(order.average_price),
        "reason": order.reason or intent.reason,
    }


def _decision(decision: Decide) -> dict[str, Any]:
    texts = ("at", "strategy", "symbol", "traded", "direction", "outcome", "reason", "setting")
    numbers = ("rank", "fallback", "score", "needed", "seen")
    return {
        **{name: plain(getattr(decision, name)) for name in texts},
        **{name: getattr(decision, name) for name in numbers},
    }


def _limit(limit: LimitView) -> dict[str, Any]:
    names = ("name", "used", "limit", "unit")
    return {name: plain(getattr(limit, name)) for name in names}


def _touched(limits: Sequence[LimitView], denied_by: set[str]) -> list[str]:
    """A limit's name is the setting that decides it. One whose use is not known is not said to be touched."""
    used_up = {limit.name for limit in limits if limit.used is not None and limit.used >= limit.limit}
    return [limit.name for limit in limits if limit.name in used_up | denied_by]


def _counted(reasons: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0]))


def _trial_balance(balance: Mapping[str, tuple[Decimal, Decimal]]) -> dict[str, Any]:
    debits = sum((debit for debit, _ in balance.values()), ZERO)
    credit_sum = sum((credit for _, credit in balance.values()), ZERO)
    return {
        "accounts": [
            {"account": name, "debits": plain(debit), "credits": plain(credit)}
            for name, (debit, credit) in balance.items()
        ],
        "debits": plain(debits),
        "credits": plain(credit_sum),
        "balanced": debits == credit_sum,
    }
