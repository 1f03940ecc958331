"""What an account is worth, what it may spend and what it may sell."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.paper.book import ZERO, Account, Order, Position, Side

MARGIN_MULTIPLIER = Decimal(2)
MIN_MARGIN_EQUITY = Decimal(2000)
LastPrice = Callable[[str], Decimal | None]


@dataclass(frozen=True, slots=True)
class Worth:
    """Dollars at the last prices. A position without a price counts at its cost."""

    cash: Decimal
    long_value: Decimal
    short_value: Decimal
    working: Decimal

    @property
    def equity(self) -> Decimal:
        return self.cash + self.long_value + self.short_value

    @property
    def multiplier(self) -> Decimal:
        return MARGIN_MULTIPLIER if self.equity >= MIN_MARGIN_EQUITY else Decimal(1)

    @property
    def gross(self) -> Decimal:
        return self.long_value - self.short_value

    @property
    def buying_power(self) -> Decimal:
        return max(ZERO, self.equity * self.multiplier - self.gross - self.working)


def worth(account: Account, orders: Iterable[Order], price: LastPrice) -> Worth:
    """`orders`: the account's open ones; entries among them hold back their cost."""
    long_value, short_value = ZERO, ZERO
    for position in account.positions.values():
        last = price(position.symbol)
        value = position.cost if last is None else position.qty * last
        if position.qty > 0:
            long_value += value
        else:
            short_value += value
    working = sum((_working_cost(account, order, price) for order in orders), ZERO)
    return Worth(account.cash, long_value, short_value, working)


def _working_cost(account: Account, order: Order, price: LastPrice) -> Decimal:
    if closes(account, order.symbol, order.side) or not order.is_entry or order.order_class == "oco":
        return ZERO
    if order.notional is not None:
        return order.notional - order.filled_cost
    at = order.limit_price or order.stop_price or price(order.symbol) or ZERO
    return order.remaining * at


def closes(account: Account, symbol: str, side: Side) -> bool:
    """Whether a trade on this side makes the account's position smaller."""
    position = account.positions.get(symbol)
    return position is not None and ((position.qty > 0) == (side == "sell"))


def held_for_orders(account: Account, symbol: str, orders: Iterable[Order]) -> Decimal:
    """Shares of the position that open closing orders have spoken for; the legs of one complex order share theirs."""
    groups: dict[str, Decimal] = {}
    for order in orders:
        if order.symbol == symbol and order.armed and closes(account, symbol, order.side):
            group = order.group or order.id
            groups[group] = max(groups.get(group, ZERO), order.remaining)
    return sum(groups.values(), ZERO)


def wash_conflict(side: Side, limit: Decimal | None, orders: Iterable[Order]) -> tuple[Order, str] | None:
    """An armed order on the other side that the new one could trade with. `limit` None: it may trade at any price."""
    for order in orders:
        if order.side == side or not order.armed or order.status == "held":
            continue
        if order.type != "limit" or order.limit_price is None:
            return order, f"opposite side {order.type} order exists"
        if limit is None:
            return order, "opposite side limit order exists"
        if (limit >= order.limit_price) if side == "buy" else (limit <= order.limit_price):
            return order, "opposite side limit order exists"
    return None


def traded(position: Position | None, symbol: str, signed: Decimal, price: Decimal) -> Position | None:
    """The position after a trade: adding averages the cost, reducing keeps the average."""
    if position is None:
        return Position(symbol, signed, signed * price)
    qty = position.qty + signed
    if qty == 0:
        return None
    if (position.qty > 0) == (signed > 0):
        return Position(symbol, qty, position.cost + signed * price)
    if (qty > 0) == (position.qty > 0):
        return Position(symbol, qty, position.average_price * qty)
    return Position(symbol, qty, qty * price)
