"""What a run earned and risked, from its trades and its equity curve. Ratios are rounded to 1e-6, money is exact."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tbot_bot.backtest.session import EquityPoint
from tbot_bot.domain.books import RoundTrip
from tbot_bot.domain.money import ZERO
from tbot_bot.domain.session import StrategyName
from tbot_bot.reporting.trade_history import plain

SESSIONS_PER_YEAR = 252
RATIO = Decimal("0.000001")


def measure(
    opening: Decimal, daily: Sequence[Decimal], curve: Sequence[EquityPoint], trades: Sequence[RoundTrip]
) -> dict[str, Any]:
    """`opening`: equity before the first session; `daily`: after each session; `curve`: after each minute; USD."""
    closing = daily[-1] if daily else opening
    return {
        "sessions": len(daily),
        "opening_equity": plain(opening),
        "closing_equity": plain(closing),
        "return": plain(_ratio(closing - opening, opening)),
        "max_drawdown": plain(max_drawdown([opening, *(point.equity for point in curve)])),
        "sharpe": plain(sharpe(returns([opening, *daily]))),
        "exposure": plain(_exposure(curve)),
        **_trades(trades),
        "by_strategy": {name.value: _trades([t for t in trades if t.strategy is name]) for name in StrategyName},
    }


def returns(equities: Sequence[Decimal]) -> list[Decimal]:
    """Simple returns from one session's end to the next."""
    return [after / before - 1 for before, after in pairwise(equities) if before > 0]


def sharpe(daily: Sequence[Decimal]) -> Decimal | None:
    """Mean over sample deviation of daily returns × √252, no risk-free rate; None under two days or unmoved."""
    if len(daily) < 2:
        return None
    mean = sum(daily, ZERO) / len(daily)
    variance = sum(((one - mean) ** 2 for one in daily), ZERO) / (len(daily) - 1)
    if variance == 0:
        return None
    return (mean / variance.sqrt() * Decimal(SESSIONS_PER_YEAR).sqrt()).quantize(RATIO)


def max_drawdown(equities: Iterable[Decimal]) -> Decimal:
    """Largest fall from a peak, as a fraction of the peak."""
    peak, worst = ZERO, ZERO
    for equity in equities:
        peak = max(peak, equity)
        if peak > 0:
            worst = max(worst, (peak - equity) / peak)
    return worst.quantize(RATIO)


def _trades(trades: Sequence[RoundTrip]) -> dict[str, Any]:
    gains = sum((trade.pnl for trade in trades if trade.pnl > 0), ZERO)
    losses = -sum((trade.pnl for trade in trades if trade.pnl < 0), ZERO)
    wins = sum(1 for trade in trades if trade.pnl > 0)
    total = gains - losses
    return {
        "trades": len(trades),
        "wins": wins,
        "hit_rate": plain(_ratio(Decimal(wins), Decimal(len(trades)))),
        "pnl": plain(total),
        "expectancy": plain(_ratio(total, Decimal(len(trades)))),
        "profit_factor": plain(_ratio(gains, losses)),
    }


def _exposure(curve: Sequence[EquityPoint]) -> Decimal | None:
    """Mean share of the equity that was invested, over all minutes."""
    shares = [abs(point.exposure) / point.equity for point in curve if point.equity > 0]
    return _ratio(sum(shares, ZERO), Decimal(len(shares)))


def _ratio(top: Decimal, bottom: Decimal) -> Decimal | None:
    return None if bottom == 0 else (top / bottom).quantize(RATIO)
