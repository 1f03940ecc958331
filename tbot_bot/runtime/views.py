"""The bot's snapshots for the web: what is, as text and ISO times, None where nothing is known."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tbot_bot.domain.errors import StateCorrupt, UniverseUnusable
from tbot_bot.domain.orders import ClientOrderId
from tbot_bot.domain.portfolio import Account
from tbot_bot.domain.session import ARMED_STATES, SessionHours
from tbot_bot.engine.view import EngineView, LimitView, TradeView, WindowView
from tbot_bot.runtime.compose import Trading
from tbot_bot.runtime.day import Day
from tbot_bot.runtime.desk import StreamChanged
from tbot_bot.runtime.journal import JournalledOrder
from tbot_bot.runtime.reconciler import status_of
from tbot_bot.screeners.universe_file import read
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.codec import to_json
from tbot_bot.support.logs import redact
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

CANDIDATES_SHOWN = 200
SERIES_POINTS = 400


def state_word(paths: Paths) -> str:
    """The state for display; `error` when it cannot be read."""
    try:
        return StateFile(paths, SystemClock()).read().value
    except StateCorrupt:
        return "error"


def idle_status(paths: Paths, why: str) -> dict[str, Any]:
    """Status of a process that has no broker yet."""
    return {"state": state_word(paths), "why": why, "armed": False, "session": None, "windows": [], "streams": []}


class DayViews:
    """Publishes the dashboard's snapshots of one process."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def publish(
        self,
        trading: Trading,
        day: Day | None,
        why: str,
        streams: tuple[StreamChanged, ...],
        lines: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """The body of `status`, for whoever else wants to know."""
        publish = self._publisher.publish
        view = day.engine.view() if day is not None else None
        status = _status(trading, day, view, why, streams)
        publish("status", status)
        publish("log", {"lines": lines})
        if day is None or view is None:
            return status
        publish("account", _account(day, view))
        publish("positions", {"rows": [_position(t) for t in view.trades if t.held and not t.closed]})
        publish("orders", {"rows": [order_row(o) for o in reversed(day.orders.values())]})
        publish("candidates", {"rows": [to_json(d) for d in reversed(day.decided[-CANDIDATES_SHOWN:])]})
        publish("trades", trades_body(day, view))
        return status


def status_line(body: Mapping[str, Any]) -> str:
    """What `systemctl status` shows of the snapshot `status`: state, day's result and age of the data, or why not."""
    words = [str(body["state"])]
    if body.get("day_pnl") is not None:
        words.append(f"P&L today {Decimal(body['day_pnl']):+.2f} USD")
    if body.get("data_age_s") is not None:
        words.append(f"data {body['data_age_s']:.0f} s old")
    if body.get("why"):
        words.append(str(body["why"]))
    return redact(" · ".join(words))[:200]


def _status(
    trading: Trading, day: Day | None, view: EngineView | None, why: str, streams: tuple[StreamChanged, ...]
) -> dict[str, Any]:
    services = trading.services
    now = services.clock.now()
    state = state_word(services.paths)
    hours = day.context.plan.hours if day is not None else services.calendar.current_or_next(now)
    body: dict[str, Any] = {
        "state": state,
        "why": why,
        "armed": state in ARMED_STATES,
        "mode": "LIVE" if services.live else "PAPER",
        "broker": services.settings.routing.broker_name.value,
        "bot_id": services.bot_id,
        "market_now": now.isoformat(),
        "speed": services.clock.speed,
        "session": _session(hours),
        "next_open": hours.open.isoformat(),
        "next_close": hours.close.isoformat(),
        "flat_by": None,
        "windows": [],
        "skipped": [],
        "streams": [{"name": s.name, "connected": s.connected, "words": s.words} for s in streams],
        "data_age_s": None,
        "reconciled": {"clean": None, "why": "no session is running"},
        "confirmations": [],
        "limits": [],
        "day_pnl": None,
        "opening_equity": None,
        "tripped": "",
        "vix": None,
        "universe": _universe(services.paths),
    }
    if day is not None and view is not None:
        body |= _day_status(day, view, now)
    return body


def _day_status(day: Day, view: EngineView, now: datetime) -> dict[str, Any]:
    context = day.context
    newest = day.minutes.newest_end
    age = None if newest is None else round(max(0.0, (now - newest).total_seconds()) / max(1.0, context.speed), 1)
    return {
        "why": view.entries_blocked,
        "flat_by": view.flat_by.isoformat(),
        "windows": [_window(w, now) for w in view.windows],
        "skipped": [{"strategy": s.strategy.value, "reason": s.reason} for s in view.skipped],
        "data_age_s": age,
        "reconciled": {"clean": day.reconciled.clean, "why": day.reconciled.why},
        "confirmations": [to_json(asked) for asked in day.waiting_confirmations()],
        "limits": [limit_row(limit) for limit in view.limits],
        "day_pnl": text(view.pnl),
        "opening_equity": str(context.opening_equity),
        "tripped": view.tripped,
        "defense": view.defense,
        "vix": to_json(context.vix) if context.vix is not None else None,
    }


def _universe(paths: Paths) -> dict[str, Any] | None:
    """Size and age of the cached universe; None when there is none to trade on."""
    try:
        return _universe_facts(paths, paths.universe.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=1)
def _universe_facts(paths: Paths, _changed: int) -> dict[str, Any] | None:
    try:
        universe = read(paths.universe)
    except UniverseUnusable:
        return None
    return {"count": len(universe.listings), "built_at": universe.built_at.isoformat()}


def _session(hours: SessionHours) -> dict[str, Any]:
    return {
        "day": hours.day.isoformat(),
        "open": hours.open.isoformat(),
        "close": hours.close.isoformat(),
        "early_close": hours.early_close,
    }


def _window(window: WindowView, now: datetime) -> dict[str, Any]:
    times = window.window
    phase = "done" if window.phase == "over" else window.phase
    if phase == "done" and now < times.breakout_end + timedelta(minutes=times.monitoring_minutes):
        phase = "monitoring"
    return {
        "strategy": times.strategy.value,
        "start": times.start.isoformat(),
        "analysis_end": times.analysis_end.isoformat(),
        "breakout_end": times.breakout_end.isoformat(),
        "monitoring_end": (times.breakout_end + timedelta(minutes=times.monitoring_minutes)).isoformat(),
        "phase": phase,
        "blocked": window.blocked,
        "trades": window.trades,
        "max_trades": window.max_trades,
    }


def limit_row(limit: LimitView) -> dict[str, Any]:
    return {
        "name": limit.name,
        "used": text(limit.used),
        "limit": str(limit.limit),
        "unit": limit.unit,
        "setting": limit.name,
    }


def _account(day: Day, view: EngineView) -> dict[str, Any]:
    account: Account | None = day.account
    opening = day.context.opening_equity
    share = None if view.pnl is None or not opening else view.pnl / opening
    step = max(1, len(day.equity_series) // SERIES_POINTS)
    return {
        "equity": text(account.equity if account else None),
        "cash": text(account.cash if account else None),
        "buying_power": text(account.buying_power if account else None),
        "last_equity": text(account.last_equity if account else None),
        "day_pnl": text(view.pnl),
        "day_pnl_pct": text(share),
        "at": view.now.isoformat(),
        "series": [list(point) for point in day.equity_series[::step]],
    }


def _position(trade: TradeView) -> dict[str, Any]:
    cost = trade.entry_price * trade.held if trade.entry_price is not None else None
    pnl = trade.unrealised
    return {
        "symbol": trade.symbol,
        "signal_symbol": trade.signal_symbol,
        "strategy": trade.strategy.value,
        "direction": "long" if trade.signal_symbol in (None, trade.symbol) and trade.side == "buy" else "bearish",
        "quantity": str(trade.held),
        "entry_price": text(trade.entry_price),
        "entry_at": trade.opened_at.isoformat(),
        "mark": text(trade.mark),
        "mark_at": None,
        "stop": text(trade.stop),
        "stop_rests": trade.stop_rests_at_broker,
        "target": text(trade.target),
        "deadline": trade.deadline.isoformat() if trade.deadline else None,
        "pnl": text(pnl),
        "pnl_pct": text(pnl / cost if pnl is not None and cost else None),
        "trade_id": trade.trade_id,
        "leaving": trade.leaving,
    }


def order_row(order: JournalledOrder) -> dict[str, Any]:
    """One order as the orders table shows it."""
    intent, report = order.intent, order.report
    return {
        "client_id": intent.client_id,
        "at": intent.created_at.isoformat(),
        "strategy": intent.strategy.value,
        "symbol": intent.symbol,
        "side": intent.side.value,
        "purpose": intent.purpose.value,
        "type": intent.type.value,
        "quantity": text(intent.quantity),
        "notional": text(intent.notional),
        "status": status_of(order).value,
        "filled": text(report.filled_quantity if report else None),
        "average_price": text(report.average_price if report else None),
        "reason": (report.reason if report else "") or intent.reason,
    }


def trades_body(day: Day, view: EngineView) -> dict[str, Any]:
    """Closed round trips and P&L by strategy, as the engine knows them before the books are closed."""
    rows = [_trade(t, day.orders) for t in view.trades if t.closed and t.entry_price is not None]
    totals: dict[str, dict[str, Any]] = {}
    for trade in view.trades:
        entry = totals.setdefault(trade.strategy.value, {"trades": 0, "pnl": Decimal(0)})
        entry["trades"] += 1 if trade.entry_price is not None else 0
        entry["pnl"] += trade.realised + (trade.unrealised or 0)
    by_strategy = {name: {"trades": t["trades"], "pnl": str(t["pnl"])} for name, t in totals.items()}
    return {"rows": rows, "by_strategy": by_strategy}


def _trade(trade: TradeView, orders: dict[ClientOrderId, JournalledOrder]) -> dict[str, Any]:
    exits = [o for o in orders.values() if o.intent.trade_id == trade.trade_id and o.intent.client_id != trade.trade_id]
    filled = [o.report for o in exits if o.report is not None and o.report.filled_quantity]
    last = max(filled, key=lambda report: report.at, default=None)
    shares = sum((r.filled_quantity for r in filled), Decimal(0))
    worth = sum((r.filled_quantity * r.average_price for r in filled if r.average_price is not None), Decimal(0))
    return {
        "strategy": trade.strategy.value,
        "symbol": trade.symbol,
        "signal_symbol": trade.signal_symbol,
        "direction": "long" if trade.signal_symbol in (None, trade.symbol) and trade.side == "buy" else "bearish",
        "quantity": str(shares),
        "entry_at": trade.opened_at.isoformat(),
        "entry_price": text(trade.entry_price),
        "exit_at": last.at.isoformat() if last else None,
        "exit_price": text((worth / shares).quantize(Decimal("0.0001")) if shares else None),
        "pnl": str(trade.realised),
        "why": trade.leaving or "protective stop",
        "trade_id": trade.trade_id,
    }


def text(value: Decimal | None) -> str | None:
    """A number as exact text; None stays unknown."""
    return None if value is None else format(value, "f")
