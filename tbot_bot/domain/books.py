"""What the books say of a trading day: fills as booked and the round trips they make. USD, shares, UTC."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, Direction, Purpose, Side
from tbot_bot.domain.session import StrategyName

BASIS_POINTS = Decimal(10_000)


def slippage_bps(side: Side, price: Decimal, reference: Decimal | None) -> Decimal | None:
    """How much worse than `reference` the price was, in basis points; negative = better, None = no reference."""
    if reference is None or reference <= 0:
        return None
    worse = price - reference if side is Side.BUY else reference - price
    return (worse / reference * BASIS_POINTS).quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True)
class BookedFill:
    """One execution as the ledger holds it, with the order behind it; what is None is not known to be ours.

    `quantity` is positive, to 1e-9 shares; `price` and `reference_price` (the price the decision saw) to 1e-9 USD;
    `fee` to 1e-6 USD, negative for a rebate."""

    execution_id: str
    order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: datetime
    session: date
    client_id: ClientOrderId | None = None
    trade_id: ClientOrderId | None = None
    strategy: StrategyName | None = None
    purpose: Purpose | None = None
    direction: Direction | None = None
    signal_symbol: Symbol | None = None
    reference_price: Decimal | None = None
    reason: str = ""

    @property
    def slippage_bps(self) -> Decimal | None:
        return slippage_bps(self.side, self.price, self.reference_price)


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What was opened by one trade and closed in `session`, paired first in, first out.

    Prices are averages over the closed shares; `pnl` is after `fees` (both legs' share). Slippage is the average
    against the price that each decision saw, in basis points, positive = paid. `why` is the closing order's
    reason."""

    trade_id: str
    session: date
    strategy: StrategyName | None
    symbol: Symbol
    signal_symbol: Symbol | None
    direction: Direction | None
    opened_by: Side
    quantity: Decimal
    entry_at: datetime
    entry_price: Decimal
    exit_at: datetime
    exit_price: Decimal
    fees: Decimal
    pnl: Decimal
    entry_slippage_bps: Decimal | None
    exit_slippage_bps: Decimal | None
    why: str
