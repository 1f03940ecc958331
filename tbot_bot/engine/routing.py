"""What is traded for a signal: the symbol itself, an inverse fund, or shares sold short."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.domain.market import InverseEtf, Listing, Symbol
from tbot_bot.domain.orders import Side
from tbot_bot.domain.settings import ShortType
from tbot_bot.domain.verdict import Denied
from tbot_bot.ports.broker import Capabilities


@dataclass(frozen=True, slots=True)
class Route:
    """`leverage`: the fund's factor, 1 for shares; it divides the notional and multiplies the exit distances."""

    symbol: Symbol
    side: Side
    fractionable: bool
    leverage: Decimal = Decimal(1)

    @property
    def short(self) -> bool:
        return self.side is Side.SELL


def route(
    listing: Listing,
    side: int,
    short_type: ShortType,
    inverse_etfs: tuple[InverseEtf, ...],
    capabilities: Capabilities,
    used: AbstractSet[Symbol],
    setting: str,
) -> Route | Denied:
    """`side` +1 long, −1 bearish; `used`: tickers that were traded today; `setting`: the short type's key."""
    if side > 0:
        return Route(listing.symbol, Side.BUY, listing.fractionable)
    if short_type is ShortType.INVERSE_ETF:
        return _inverse(listing, inverse_etfs, used, setting)
    if short_type is ShortType.SHORT_SELL:
        return _short(listing, capabilities, setting)
    if short_type is ShortType.LONG_PUT:
        return Denied("route", "long puts need an option broker, which this version does not trade", setting)
    return Denied("route", "bearish signals are switched off", setting)


def _inverse(
    listing: Listing, funds: tuple[InverseEtf, ...], used: AbstractSet[Symbol], setting: str
) -> Route | Denied:
    """The sector's fund where there is one, else the broad market's; the least leveraged that is still free today."""
    sector = listing.fundamentals.sector
    own = [fund for fund in funds if fund.sector is not None and fund.sector == sector]
    options = own or [fund for fund in funds if fund.sector is None]
    if not options:
        return Denied("route", f"no inverse fund for sector {sector or 'unknown'} or the market", setting)
    free = sorted((f.leverage, f.symbol, f) for f in options if f.symbol not in used)
    if not free:
        names = ", ".join(sorted(f.symbol for f in options))
        return Denied("route", f"every inverse fund for it was traded today already: {names}", setting)
    fund = free[0][2]
    return Route(fund.symbol, Side.BUY, fund.fractionable, fund.leverage)


def _short(listing: Listing, capabilities: Capabilities, setting: str) -> Route | Denied:
    if not capabilities.short:
        return Denied("route", "the broker does not sell short", setting)
    if not listing.shortable:
        return Denied("route", f"{listing.symbol} cannot be borrowed", setting)
    return Route(listing.symbol, Side.SELL, fractionable=False)
