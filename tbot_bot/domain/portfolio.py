"""The account and what it holds, as the broker tells it."""

from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.domain.market import Symbol


@dataclass(frozen=True, slots=True)
class Account:
    """USD. `equity` = cash + market value of positions; `last_equity` = at the previous session's close."""

    account_id: str
    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    last_equity: Decimal
    trading_blocked: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Shares held (negative = short) at an average entry price; `price` is the broker's mark, None when it has none."""

    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    price: Decimal | None = None
