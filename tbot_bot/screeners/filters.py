"""The universe's rules, each a question with a named answer. Unknown means no, unless the settings say otherwise."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.domain.market import Asset, Fundamentals, Symbol
from tbot_bot.domain.settings import BotSettings
from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict

EXCHANGES = frozenset({"NYSE", "NASDAQ"})

_SUFFIX = re.compile(r"[./-](W|WS|WT|WD|U|UN|R|RT|RW|WI|CL|PR?[A-Z]?)([./-]?[A-Z])?")
_NASDAQ_FIFTH = {"W": "warrant", "U": "unit", "R": "right"}
_NASDAQ_LENGTH = 5
_TEST_SYMBOL = re.compile(r"Z[A-Z]ZZT|ZTEST|ZTST|ZBZX|ZEXIT|ZIEXT|[A-Z]TEST|TEST[A-Z]?|Z[BCW]ZZT")
_TEST_NAME = re.compile(r"\btest (stock|issue|symbol|pilot|security)\b|\btick pilot test\b", re.IGNORECASE)
_NOT_SHARES = re.compile(r"\b(warrants?|rights?)$|(?<!common )(?<!partnership )\bunits?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UniverseRules:
    """What the settings ask of a listing: caps and prices in USD (bounds included), volume in shares a day."""

    min_market_cap: Decimal
    max_market_cap: Decimal
    min_price: Decimal
    max_price: Decimal
    min_volume: int
    market_cap_missing_allowed: bool

    @classmethod
    def of(cls, settings: BotSettings) -> "UniverseRules":
        """The widest market cap range of the strategies that run (of all, when none does): each narrows it later."""
        names = settings.running_strategies or settings.routing.strategy_sequence
        strategies = [settings.strategies.of(name) for name in names]
        return cls(
            min_market_cap=min(s.min_market_cap for s in strategies),
            max_market_cap=max(s.max_market_cap for s in strategies),
            min_price=settings.filters.min_price,
            max_price=settings.filters.max_price,
            min_volume=settings.filters.min_volume_threshold,
            market_cap_missing_allowed=settings.filters.market_cap_missing_allowed,
        )


def listing_verdict(asset: Asset, blocklist: Collection[Symbol]) -> Verdict:
    """What the broker's list alone can tell."""
    if not asset.active:
        return Denied("inactive", "the broker lists it as inactive")
    if not asset.tradable:
        return Denied("not tradable", "the broker does not trade it")
    if asset.exchange not in EXCHANGES:
        return Denied("exchange", f"listed on {asset.exchange or 'no exchange'}, not on NYSE or NASDAQ")
    if asset.symbol in blocklist:
        return Denied("blocklist", "on the blocklist")
    kind = not_shares(asset)
    return Denied(kind, f"it is a {kind}, not common shares") if kind else ALLOWED


def not_shares(asset: Asset) -> str:
    """What an asset is when it is not ordinary shares, by its symbol's suffix or the end of its name; else empty."""
    if _TEST_SYMBOL.fullmatch(asset.symbol) or _TEST_NAME.search(asset.name):
        return "test issue"
    if _SUFFIX.search(asset.symbol):
        return "warrant, unit, right or preferred"
    if asset.exchange == "NASDAQ" and len(asset.symbol) == _NASDAQ_LENGTH and asset.symbol[-1] in _NASDAQ_FIFTH:
        return _NASDAQ_FIFTH[asset.symbol[-1]]
    return "warrant, unit or right" if _NOT_SHARES.search(asset.name.strip()) else ""


def cap_verdict(known: Fundamentals, rules: UniverseRules) -> Verdict:
    cap = known.market_cap
    if cap is None:
        if rules.market_cap_missing_allowed:
            return ALLOWED
        return Denied("market cap unknown", "its market cap is unknown", "MARKET_CAP_MISSING_ALLOWED")
    if cap < rules.min_market_cap:
        words = f"market cap {cap:,.0f} is below {rules.min_market_cap:,.0f}"
        return Denied("market cap too small", words, "MIN_MARKET_CAP")
    if cap > rules.max_market_cap:
        words = f"market cap {cap:,.0f} is above {rules.max_market_cap:,.0f}"
        return Denied("market cap too large", words, "MAX_MARKET_CAP")
    return ALLOWED


def volume_verdict(known: Fundamentals, rules: UniverseRules) -> Verdict:
    """An unknown volume passes here: the strategies ask again with the session's own bars."""
    volume = known.average_volume
    if volume is not None and volume < rules.min_volume:
        words = f"average volume {volume:,} is below {rules.min_volume:,}"
        return Denied("volume too small", words, "MIN_VOLUME_THRESHOLD")
    return ALLOWED


def price_verdict(price: Decimal | None, rules: UniverseRules) -> Verdict:
    if price is None or price <= 0:
        return Denied("price unknown", "neither a previous close nor a latest price is known")
    if price < rules.min_price:
        return Denied("price too low", f"price {price} is below {rules.min_price}", "MIN_PRICE")
    if price > rules.max_price:
        return Denied("price too high", f"price {price} is above {rules.max_price}", "MAX_PRICE")
    return ALLOWED
