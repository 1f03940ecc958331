"""Today's limits in USD and counts: the settings applied to the session's opening equity, smaller in defense mode."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from tbot_bot.domain.settings import BotSettings, DefenseSettings, RiskSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """USD, all from the equity at session start. `weights`: fraction of `session_cap` of a window's k-th entry."""

    opening_equity: Decimal
    session_cap: Decimal
    max_trades: int
    weights: tuple[Decimal, ...]
    max_risk_per_trade: Decimal
    max_open_positions: int
    max_exposure: Decimal
    max_daily_notional: Decimal
    daily_loss: Decimal
    defense: str = ""


def allowed_trades(risk: RiskSettings, defense: DefenseSettings, active: bool) -> int:
    """MAX_TRADES; in defense mode its percentage, rounded down (5 at 66 % → 3)."""
    if not active:
        return risk.max_trades
    part = Decimal(risk.max_trades) * defense.defense_mode_trade_limit_pct / 100
    return min(risk.max_trades, int(part.to_integral_value(ROUND_FLOOR)))


def allowed_allocation(risk: RiskSettings, defense: DefenseSettings, active: bool) -> Decimal:
    """TOTAL_ALLOCATION; in defense mode never more than DEFENSE_MODE_TOTAL_ALLOCATION."""
    return min(risk.total_allocation, defense.defense_mode_total_allocation) if active else risk.total_allocation


def limits_today(settings: BotSettings, opening_equity: Decimal, defense: str = "") -> Limits:
    """`defense`: why defense mode is on; empty = off."""
    risk, active = settings.risk, bool(defense)
    return Limits(
        opening_equity=opening_equity,
        session_cap=opening_equity * allowed_allocation(risk, settings.defense, active),
        max_trades=allowed_trades(risk, settings.defense, active),
        weights=risk.weights,
        max_risk_per_trade=opening_equity * risk.max_risk_per_trade,
        max_open_positions=risk.max_open_positions,
        max_exposure=opening_equity * risk.max_exposure,
        max_daily_notional=opening_equity * risk.max_daily_notional,
        daily_loss=opening_equity * risk.daily_loss_limit,
        defense=defense,
    )
