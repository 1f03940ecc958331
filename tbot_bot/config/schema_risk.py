"""Which way each limit, guard and size of the configuration raises what can be lost. The rest raise nothing.

A save that moves one of these that way needs the password anew."""

from collections.abc import Mapping
from enum import Enum

from tbot_bot.config.keys import Risk
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import ServiceStop, ShortType

RISK: Mapping[str, Risk] = {
    # how much is put at risk
    "TOTAL_ALLOCATION": Risk.HIGHER,
    "MAX_TRADES": Risk.HIGHER,
    "WEIGHTS": Risk.HIGHER,
    "MAX_RISK_PER_TRADE": Risk.HIGHER,
    "MAX_OPEN_POSITIONS": Risk.HIGHER,
    "MAX_EXPOSURE": Risk.HIGHER,
    "MAX_DAILY_NOTIONAL": Risk.HIGHER,
    # when it stops
    "DISABLE_ALL_TRADES": Risk.LOWER,
    "DAILY_LOSS_LIMIT": Risk.HIGHER,
    "DEFENSE_MODE_ACTIVE": Risk.LOWER,
    "DEFENSE_MODE_TRADE_LIMIT_PCT": Risk.HIGHER,
    "DEFENSE_MODE_TOTAL_ALLOCATION": Risk.HIGHER,
    "DEFENSE_DRAWDOWN": Risk.HIGHER,
    "DEFENSE_LOSING_DAYS": Risk.HIGHER,
    "DEFENSE_VIX": Risk.HIGHER,
    "DEFENSE_RECOVERY_SESSIONS": Risk.LOWER,
    # which shares
    "MIN_PRICE": Risk.LOWER,
    "MAX_PRICE": Risk.HIGHER,
    "MIN_VOLUME_THRESHOLD": Risk.LOWER,
    "MAX_SPREAD_PCT": Risk.HIGHER,
    "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER": Risk.LOWER,
    "MAX_PE_RATIO": Risk.HIGHER,
    "MAX_DEBT_EQUITY": Risk.HIGHER,
    "FUNDAMENTALS_MISSING_ALLOWED": Risk.HIGHER,
    "MARKET_CAP_MISSING_ALLOWED": Risk.HIGHER,
    "MIN_ANALYSIS_COVERAGE": Risk.LOWER,
    "ENABLE_BSM_FILTER": Risk.LOWER,
    "MAX_BSM_DEVIATION": Risk.HIGHER,
    # how orders are sent and positions left
    "TRADE_CONFIRMATION_REQUIRED": Risk.LOWER,
    "PRICE_COLLAR_PCT": Risk.HIGHER,
    "MAX_ORDERS_PER_MINUTE": Risk.HIGHER,
    "MAX_QUOTE_AGE_S": Risk.HIGHER,
    "FLAT_BEFORE_CLOSE_S": Risk.LOWER,
    "SERVICE_STOP": Risk.HIGHER,
    "SERVICE_STOP_S": Risk.LOWER,
    "TRAIL_TIGHTENING_BUFFER_S": Risk.LOWER,
    "TRAIL_TIGHTENING_FACTOR": Risk.HIGHER,
    # of each strategy
    **{
        f"{before}{name.upper()}{after}": risk
        for name in StrategyName
        for before, after, risk in (
            ("STRAT_", "_ENABLED", Risk.HIGHER),
            ("", "_MONITORING_TIME", Risk.HIGHER),
            ("MAX_GAP_PCT_", "", Risk.HIGHER),
            ("MIN_MARKET_CAP_", "", Risk.LOWER),
            ("SHORT_TYPE_", "", Risk.HIGHER),
            ("TRAIL_PCT_", "", Risk.HIGHER_OR_OFF),
            ("STOP_PCT_", "", Risk.HIGHER),
        )
    },
}

BY_RISK: Mapping[type[Enum], tuple[Enum, ...]] = {
    ServiceStop: (ServiceStop.FLATTEN, ServiceStop.KEEP),
    ShortType: (ShortType.DISABLED, ShortType.INVERSE_ETF, ShortType.LONG_PUT, ShortType.SHORT_SELL),
}
"""Choices from the least to the most that can be lost; a short sale has no limit, and a position that is kept over a
stop may meet the next price far away."""
