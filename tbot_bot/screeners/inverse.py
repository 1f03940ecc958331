"""Inverse ETFs by what they are inverse to: daily multiples as their issuers state them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tbot_bot.domain.market import Asset, InverseEtf, Symbol

MAP_VERSION = 1
BROAD_MARKET = Symbol("SPY")

_ALIASES: Mapping[str, str] = {
    "information technology": "Technology",
    "health care": "Healthcare",
    "financial": "Financials",
    "financial services": "Financials",
    "consumer cyclical": "Consumer Discretionary",
    "consumer defensive": "Consumer Staples",
    "basic materials": "Materials",
    "communications": "Communication Services",
    "telecommunication services": "Communication Services",
}

_MAP: tuple[tuple[str | None, str], ...] = (
    (None, "SH:1 SPDN:1 DOG:1 PSQ:1 RWM:1 MYY:1 SBB:1 SDS:2 DXD:2 QID:2 TWM:2 SPXU:3 SQQQ:3 TZA:3"),
    ("Financials", "SEF:1 SKF:2"),
    ("Technology", "REW:2 SSG:2"),
    ("Energy", "DUG:2 ERY:2"),
    ("Healthcare", "RXD:2"),
    ("Real Estate", "REK:1 SRS:2"),
    ("Utilities", "SDP:2"),
    ("Industrials", "SIJ:2"),
    ("Materials", "SMN:2"),
    ("Consumer Discretionary", "SCC:2"),
    ("Consumer Staples", "SZK:2"),
)
"""Sector (None: the broad market, its size and exchange indexes included) to symbol:leverage, preferred ones first."""


def inverse_map() -> tuple[InverseEtf, ...]:
    """All known inverse ETFs; within a sector the one to prefer comes first."""
    return tuple(
        InverseEtf(Symbol(symbol), sector, Decimal(leverage))
        for sector, entries in _MAP
        for symbol, _, leverage in (entry.partition(":") for entry in entries.split())
    )


def tradable_inverse(assets: Iterable[Asset]) -> tuple[InverseEtf, ...]:
    """Those that the broker lists, active and tradable, in the map's order."""
    listed = {asset.symbol: asset for asset in assets if asset.tradable and asset.active}
    return tuple(
        InverseEtf(etf.symbol, etf.sector, etf.leverage, listed[etf.symbol].fractionable)
        for etf in inverse_map()
        if etf.symbol in listed
    )


def canonical_sector(name: str) -> str:
    """One name for a sector, whatever a provider calls it; an unknown one stays as it is."""
    return _ALIASES.get(name.strip().lower(), name.strip())
