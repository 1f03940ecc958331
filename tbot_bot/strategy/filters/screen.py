"""The screener's rules on a candidate: price, volume, market cap, gap and spread."""

from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.domain.market import Fundamentals
from tbot_bot.domain.settings import FilterSettings, StrategySettings
from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict


def percent(fraction: Decimal) -> str:
    """0.0214 → "2.1 %"."""
    return f"{fraction * 100:.1f} %"


@dataclass(frozen=True, slots=True)
class Sight:
    """The signal symbol as seen now: `price`, `session_open` in USD; `spread` (fraction) of the symbol to be traded."""

    price: Decimal
    session_open: Decimal
    spread: Decimal | None
    facts: Fundamentals


def judge(sight: Sight, filters: FilterSettings, strategy: StrategySettings, name: str) -> Verdict:
    """The first rule that says no; `name` is the strategy's, for the keys' names."""
    for verdict in (
        judge_price(sight.price, filters),
        judge_volume(sight, filters),
        judge_cap(sight.facts.market_cap, filters, strategy, name),
        judge_gap(sight, strategy, name),
        judge_spread(sight.spread, filters),
    ):
        if isinstance(verdict, Denied):
            return verdict
    return ALLOWED


def judge_price(price: Decimal, filters: FilterSettings) -> Verdict:
    """MIN_PRICE ≤ price ≤ MAX_PRICE."""
    if price < filters.min_price:
        return Denied("price", f"price {price:.2f} is below {filters.min_price}", "MIN_PRICE")
    if price > filters.max_price:
        return Denied("price", f"price {price:.2f} is above {filters.max_price}", "MAX_PRICE")
    return ALLOWED


def judge_volume(sight: Sight, filters: FilterSettings) -> Verdict:
    """Average daily shares ≥ MIN_VOLUME_THRESHOLD; unknown = denied unless no minimum is asked for."""
    volume = sight.facts.average_volume
    least = filters.min_volume_threshold
    if least == 0:
        return ALLOWED
    if volume is None:
        return Denied("volume", "average volume is unknown", "MIN_VOLUME_THRESHOLD")
    if volume < least:
        return Denied("volume", f"volume {volume:,} is below {least:,}", "MIN_VOLUME_THRESHOLD")
    return ALLOWED


def judge_cap(cap: Decimal | None, filters: FilterSettings, strategy: StrategySettings, name: str) -> Verdict:
    """MIN_MARKET_CAP ≤ cap ≤ MAX_MARKET_CAP; unknown = denied unless MARKET_CAP_MISSING_ALLOWED."""
    if cap is None:
        if filters.market_cap_missing_allowed:
            return ALLOWED
        return Denied("market_cap", "market cap is unknown", "MARKET_CAP_MISSING_ALLOWED")
    if cap < strategy.min_market_cap:
        reason = f"market cap {cap:,.0f} is below {strategy.min_market_cap:,.0f}"
        return Denied("market_cap", reason, f"MIN_MARKET_CAP_{name.upper()}")
    if cap > strategy.max_market_cap:
        reason = f"market cap {cap:,.0f} is above {strategy.max_market_cap:,.0f}"
        return Denied("market_cap", reason, f"MAX_MARKET_CAP_{name.upper()}")
    return ALLOWED


def judge_gap(sight: Sight, strategy: StrategySettings, name: str) -> Verdict:
    """|price/open − 1| ≤ MAX_GAP_PCT; an unknown open denies."""
    setting = f"MAX_GAP_PCT_{name.upper()}"
    if sight.session_open <= 0:
        return Denied("gap", "today's opening price is unknown", setting)
    gap = abs(sight.price / sight.session_open - 1)
    if gap > strategy.max_gap:
        return Denied("gap", f"move since the open {percent(gap)} is above {percent(strategy.max_gap)}", setting)
    return ALLOWED


def judge_spread(spread: Decimal | None, filters: FilterSettings) -> Verdict:
    """spread ≤ MAX_SPREAD_PCT; a one-sided or crossed quote denies."""
    if spread is None or spread < 0:
        return Denied("spread", "the quote has no two sides", "MAX_SPREAD_PCT")
    if spread > filters.max_spread_pct:
        reason = f"spread {percent(spread)} is above {percent(filters.max_spread_pct)}"
        return Denied("spread", reason, "MAX_SPREAD_PCT")
    return ALLOWED
