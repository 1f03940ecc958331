"""The symbol universe: which listings the strategies may look at, built from the broker's assets and reference data."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from tbot_bot.domain.market import Asset, Fundamentals, InverseEtf, Listing, Symbol
from tbot_bot.domain.settings import BotSettings
from tbot_bot.domain.verdict import Denied, Verdict
from tbot_bot.ports.broker import MarketData
from tbot_bot.ports.clock import Clock
from tbot_bot.ports.reference import ReferenceData
from tbot_bot.screeners.blocklist import Blocklist
from tbot_bot.screeners.filters import (
    UniverseRules,
    cap_verdict,
    listing_verdict,
    price_verdict,
    volume_verdict,
)
from tbot_bot.screeners.inverse import BROAD_MARKET, MAP_VERSION, inverse_map, tradable_inverse

_SYMBOLS_A_CALL = 1000
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Rejection:
    """How many listings one rule refused, with the words of the first few."""

    rule: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Universe:
    """`built_at` is the market's time, `built_wall` the machine's; both UTC. `listed` counts the assets looked at.

    `inverse_etfs` are the tradable ones, preferred first: exempt from the filters, and never candidates themselves.
    `benchmark` (SPY) is None when the broker does not trade it; it is a candidate only if it passes the filters."""

    built_at: datetime
    built_wall: datetime
    source: str
    inverse_map_version: int
    listed: int
    rejections: tuple[Rejection, ...]
    listings: tuple[Listing, ...]
    inverse_etfs: tuple[InverseEtf, ...]
    benchmark: Listing | None
    blocklist_faults: tuple[str, ...] = ()

    @property
    def reasons(self) -> Mapping[str, int]:
        """Rule to number of listings it refused, most first."""
        return {rejection.rule: rejection.count for rejection in self.rejections}

    @property
    def counts(self) -> Mapping[str, int]:
        return {"listed": self.listed, "kept": len(self.listings)}


def build(
    assets: Sequence[Asset],
    reference: ReferenceData,
    market: MarketData,
    settings: BotSettings,
    blocklist: Blocklist,
    clock: Clock,
    wall: Clock,
) -> Universe:
    """Filter `assets` by the settings, cheap rules first; `market` is asked only where no previous close is known.

    Raises BrokerUnavailable or BrokerDenied when a provider cannot answer: half a universe is not kept."""
    rules = UniverseRules.of(settings)
    tally = _Tally()
    exempt = {etf.symbol for etf in inverse_map()}
    plain = [asset for asset in assets if asset.symbol not in exempt]
    eligible = tally.keep(plain, lambda asset: listing_verdict(asset, blocklist.symbols))
    known = _fundamentals(reference, [asset.symbol for asset in eligible])
    sized = tally.keep(eligible, lambda asset: cap_verdict(known[asset.symbol], rules))
    liquid = tally.keep(sized, lambda asset: volume_verdict(known[asset.symbol], rules))
    prices = _prices(market, liquid, known)
    kept = tally.keep(liquid, lambda asset: price_verdict(prices.get(asset.symbol), rules))
    return Universe(
        built_at=clock.now(),
        built_wall=wall.now(),
        source=reference.source,
        inverse_map_version=MAP_VERSION,
        listed=len(assets),
        rejections=tally.rejections(),
        listings=tuple(sorted((_listing(a, known[a.symbol]) for a in kept), key=lambda each: each.symbol)),
        inverse_etfs=tradable_inverse(a for a in assets if a.symbol not in blocklist.symbols),
        benchmark=_benchmark(assets, reference),
        blocklist_faults=blocklist.faults,
    )


class _Tally:
    """Counts refusals by rule."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def keep(self, assets: Iterable[Asset], judge: Callable[[Asset], Verdict]) -> list[Asset]:
        kept = []
        for asset in assets:
            verdict = judge(asset)
            if isinstance(verdict, Denied):
                self._note(asset, verdict)
            else:
                kept.append(asset)
        return kept

    def rejections(self) -> tuple[Rejection, ...]:
        return tuple(Rejection(rule, count, tuple(self._examples[rule])) for rule, count in self._counts.most_common())

    def _note(self, asset: Asset, verdict: Denied) -> None:
        self._counts[verdict.rule] += 1
        examples = self._examples.setdefault(verdict.rule, [])
        if len(examples) < _EXAMPLES:
            examples.append(f"{asset.symbol}: {verdict.reason}")


def _fundamentals(reference: ReferenceData, symbols: Sequence[Symbol]) -> Mapping[Symbol, Fundamentals]:
    """Every symbol has an entry; one that the provider does not know has an empty one."""
    known = {symbol: Fundamentals(symbol) for symbol in symbols}
    for start in range(0, len(symbols), _SYMBOLS_A_CALL):
        known.update(reference.fundamentals(symbols[start : start + _SYMBOLS_A_CALL]))
    return known


def _prices(
    market: MarketData, assets: Sequence[Asset], known: Mapping[Symbol, Fundamentals]
) -> Mapping[Symbol, Decimal]:
    """Previous close, else the latest price."""
    closes = {a.symbol: close for a in assets if (close := known[a.symbol].previous_close) is not None}
    missing = [asset.symbol for asset in assets if asset.symbol not in closes]
    for start in range(0, len(missing), _SYMBOLS_A_CALL):
        for quote in market.quotes(missing[start : start + _SYMBOLS_A_CALL]):
            if quote.last is not None or quote.spread is not None:
                closes[quote.symbol] = quote.price
    return closes


def _listing(asset: Asset, known: Fundamentals) -> Listing:
    """Shortable means that it can be borrowed easily as well: without that a short may be refused or recalled."""
    return Listing(
        symbol=asset.symbol,
        name=asset.name,
        exchange=asset.exchange,
        fractionable=asset.fractionable,
        shortable=asset.shortable and asset.easy_to_borrow,
        fundamentals=replace(known, symbol=asset.symbol),
    )


def _benchmark(assets: Iterable[Asset], reference: ReferenceData) -> Listing | None:
    asset = next((a for a in assets if a.symbol == BROAD_MARKET and a.tradable and a.active), None)
    if asset is None:
        return None
    return _listing(asset, _fundamentals(reference, [BROAD_MARKET])[BROAD_MARKET])
