from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.accounting.booking import Posting, fill_of, fill_postings, opening_postings
from tbot_bot.accounting.chart import CASH, FEES, OPENING, REALISED, SECURITIES
from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderIntent, Purpose, Side
from tbot_bot.domain.session import StrategyName

AT = datetime(2025, 3, 10, 14, 5, tzinfo=UTC)
EXECUTION = Execution("e1", "b1", None, Symbol("SPY"), Side.BUY, Decimal(10), Decimal("50.05"), AT, Decimal("0.02"))
INTENT = OrderIntent(
    client_id=ClientOrderId("c1"),
    session=date(2025, 3, 10),
    strategy=StrategyName.OPEN,
    symbol=Symbol("SPY"),
    side=Side.BUY,
    purpose=Purpose.ENTRY,
    trade_id=ClientOrderId("c1"),
    created_at=AT,
    reason="breakout",
    quantity=Decimal(10),
    reference_price=Decimal("50.00"),
)


def test_a_buy_moves_cash_into_securities_and_fees() -> None:
    assert fill_postings((), fill_of(EXECUTION, INTENT)).postings == (
        Posting(CASH.code, -500_520_000),
        Posting(SECURITIES.code, 500_500_000),
        Posting(FEES.code, 20_000),
    )


def test_a_sale_books_its_gain() -> None:
    lots = fill_postings((), fill_of(EXECUTION, INTENT)).lots
    sale = fill_of(replace(EXECUTION, execution_id="e2", side=Side.SELL, price=Decimal(51), fee=Decimal(0)), None)
    assert fill_postings(lots, sale).postings == (
        Posting(CASH.code, 510_000_000),
        Posting(SECURITIES.code, -500_500_000),
        Posting(REALISED.code, -9_500_000),
    )


def test_a_fill_of_less_than_a_micro_dollar_still_books_its_shares() -> None:
    dust = fill_postings((), fill_of(replace(EXECUTION, quantity=Decimal("1e-9"), fee=Decimal(0)), None))
    assert [p.amount for p in dust.postings] == [0, 0]
    assert [lot.quantity for lot in dust.lots] == [1]


def test_a_fill_knows_its_order_and_what_slipped() -> None:
    fill = fill_of(EXECUTION, INTENT)
    assert (fill.trade_id, fill.strategy, fill.purpose) == ("c1", StrategyName.OPEN, Purpose.ENTRY)
    assert fill.slippage_bps == Decimal("10.00")


def test_a_fill_without_an_order_belongs_to_the_exchanges_day() -> None:
    late = replace(EXECUTION, at=datetime(2025, 3, 11, 0, 30, tzinfo=UTC))
    assert fill_of(late, None).session == date(2025, 3, 10)


def test_a_protecting_stop_is_measured_against_its_stop_price() -> None:
    stop = replace(INTENT, side=Side.SELL, reference_price=None, stop_price=Decimal(50))
    sold = fill_of(replace(EXECUTION, side=Side.SELL, price=Decimal("49.90")), stop)
    assert sold.slippage_bps == Decimal("20.00")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"quantity": Decimal(0)}, "above 0"),
        ({"quantity": Decimal(-1)}, "above 0"),
        ({"price": Decimal(0)}, "above 0"),
        ({"price": Decimal("NaN")}, "finite"),
        ({"fee": Decimal("Infinity")}, "finite"),
        ({"quantity": Decimal("1e-10")}, "finer"),
        ({"price": Decimal("1e-12")}, "below a billionth"),
        ({"quantity": Decimal("1e12")}, "not believed"),
        ({"execution_id": ""}, "no execution id"),
        ({"at": datetime(2025, 3, 10)}, "no zone"),
        ({"symbol": Symbol("QQQ")}, "is a buy of SPY"),
        ({"side": Side.SELL}, "is a buy of SPY"),
    ],
)
def test_an_execution_that_cannot_be_is_refused_in_words(change: dict[str, Any], word: str) -> None:
    with pytest.raises(LedgerRefused, match=word):
        fill_of(replace(EXECUTION, **change), INTENT)


def test_more_money_than_there_is_is_refused() -> None:
    huge = fill_of(replace(EXECUTION, quantity=Decimal(10**9), price=Decimal(10**9)), None)
    with pytest.raises(LedgerRefused, match="nine billion"):
        fill_postings((), huge)


def test_the_opening_balance_is_cash_against_equity() -> None:
    assert opening_postings(Decimal("100000.01")) == (
        Posting(CASH.code, 100_000_010_000),
        Posting(OPENING.code, -100_000_010_000),
    )
    with pytest.raises(LedgerRefused):
        opening_postings(Decimal("NaN"))
