"""From a fact to a balanced set of postings. Pure: nothing here knows a database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

from tbot_bot.accounting.chart import CASH, FEES, OPENING, REALISED, SECURITIES, LedgerAccount
from tbot_bot.accounting.lots import Lot, Match, apply_fill, cost
from tbot_bot.accounting.units import from_micros, from_nanos, to_micros, to_nanos, value_micros
from tbot_bot.domain.books import BookedFill
from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.domain.orders import Execution, OrderIntent, Side

EXCHANGE_ZONE = ZoneInfo("America/New_York")
LARGEST_MICROS = 9 * 10**15
"""No posting is above nine billion dollars: an entry's sum stays far inside 64 bits."""


@dataclass(frozen=True, slots=True)
class Posting:
    """`amount` in micro-dollars: positive = debit, negative = credit."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class FillBooking:
    """What one fill does to the books: its postings, the symbol's lots after it, what it closed."""

    postings: tuple[Posting, ...]
    lots: tuple[Lot, ...]
    matches: tuple[Match, ...]


def opening_postings(cash: Decimal) -> tuple[Posting, ...]:
    """Cash brought in, against the opening balance. Raises LedgerRefused."""
    amount = to_micros(cash) if cash.is_finite() else LARGEST_MICROS + 1
    return _checked("the opening balance", ((CASH, amount), (OPENING, -amount)))


def fill_postings(lots: tuple[Lot, ...], fill: BookedFill) -> FillBooking:
    """Cash against securities at cost; what a close gains or loses goes to realised P&L, the fee to fees.

    Securities hold lots at their opening value (a short's is a credit). Raises LedgerRefused."""
    matched = apply_fill(lots, fill)
    value = value_micros(to_nanos(fill.quantity), to_nanos(fill.price))
    fee = to_micros(fill.fee)
    paid = value if fill.side is Side.BUY else -value
    realised = sum(match.realised for match in matched.matches)
    lines = [(CASH, -paid - fee), (SECURITIES, cost(matched.lots) - cost(lots))]
    lines += [(REALISED, -realised)] if realised else []
    lines += [(FEES, fee)] if fee else []
    return FillBooking(_checked(f"execution {fill.execution_id}", lines), matched.lots, matched.matches)


def reversed_postings(postings: Sequence[Posting]) -> tuple[Posting, ...]:
    """The entry that undoes these."""
    return tuple(Posting(p.account, -p.amount) for p in postings)


def _checked(what: str, lines: Iterable[tuple[LedgerAccount, int]]) -> tuple[Posting, ...]:
    postings = tuple(Posting(account.code, amount) for account, amount in lines)
    if any(abs(posting.amount) > LARGEST_MICROS for posting in postings):
        raise LedgerRefused(f"{what} is not a sum of money below nine billion USD; nothing was booked")
    if sum(posting.amount for posting in postings) != 0:
        raise LedgerRefused(f"{what} would unbalance the books; nothing was booked")
    return postings


def fill_of(execution: Execution, intent: OrderIntent | None) -> BookedFill:
    """The execution as it will be booked, in the ledger's precision. Raises LedgerRefused.

    The session is the order's; without an order, the execution's date at the exchange. The reference price is the
    one the decision saw, else the order's own stop or limit price."""
    _check_execution(execution, intent)
    fill = BookedFill(
        execution_id=execution.execution_id,
        order_id=execution.broker_order_id,
        symbol=execution.symbol,
        side=execution.side,
        quantity=from_nanos(to_nanos(execution.quantity)),
        price=from_nanos(to_nanos(execution.price)),
        fee=from_micros(to_micros(execution.fee)),
        at=execution.at.astimezone(UTC),
        session=execution.at.astimezone(EXCHANGE_ZONE).date(),
        client_id=execution.client_id,
    )
    if intent is None:
        return fill
    return replace(
        fill,
        session=intent.session,
        client_id=intent.client_id,
        trade_id=intent.trade_id,
        strategy=intent.strategy,
        purpose=intent.purpose,
        direction=intent.direction,
        signal_symbol=intent.signal_symbol,
        reference_price=_reference(intent),
        reason=intent.reason,
    )


def _reference(intent: OrderIntent) -> Decimal | None:
    for price in (intent.reference_price, intent.stop_price, intent.limit_price):
        if price is not None and price.is_finite() and price > 0:
            return from_nanos(to_nanos(price))
    return None


def _check_execution(execution: Execution, intent: OrderIntent | None) -> None:
    fault = _amount_fault(execution) or _identity_fault(execution, intent)
    if fault:
        raise LedgerRefused(f"execution {execution.execution_id or '(no id)'}: {fault}; nothing was booked")


def _amount_fault(execution: Execution) -> str:
    amounts = (execution.quantity, execution.price, execution.fee)
    if not all(amount.is_finite() for amount in amounts):
        return "quantity, price and fee must be finite numbers"
    if execution.quantity <= 0 or execution.price <= 0:
        return f"quantity {execution.quantity} and price {execution.price} must be above 0"
    if max(execution.quantity, execution.price, abs(execution.fee)) > 10**9:
        return "quantity, price and fee above a thousand million are not believed"
    if execution.quantity.scaleb(9) % 1 != 0:
        return f"quantity {execution.quantity} is finer than a billionth of a share"
    return "" if to_nanos(execution.price) > 0 else f"price {execution.price} is below a billionth of a dollar"


def _identity_fault(execution: Execution, intent: OrderIntent | None) -> str:
    if not execution.execution_id:
        return "the broker gave no execution id"
    if execution.at.utcoffset() is None:
        return "its time has no zone"
    if intent is not None and (intent.symbol, intent.side) != (execution.symbol, execution.side):
        return (
            f"it is a {execution.side} of {execution.symbol}, "
            f"but order {intent.client_id} is a {intent.side} of {intent.symbol}"
        )
    return ""
