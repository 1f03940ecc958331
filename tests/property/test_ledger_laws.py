"""Laws of the ledger under any sequence of fills: long, short, across zero, with fees and rebates, told repeatedly."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tbot_bot.accounting.booking import fill_of, fill_postings
from tbot_bot.accounting.lots import Lot, cost, held
from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.accounting.units import to_micros, to_nanos, value_micros
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import Execution, Side

AT = datetime(2025, 3, 10, 14, tzinfo=UTC)
DAY = date(2025, 3, 10)
OPENING = Decimal(100_000)


@st.composite
def executions(draw: st.DrawFn) -> list[Execution]:
    """Up to 25 fills of two symbols, some of them told more than once."""
    one = st.tuples(
        st.sampled_from(["SPY", "QQQ"]),
        st.sampled_from(list(Side)),
        st.one_of(st.integers(1, 300).map(Decimal), st.decimals("0.000000001", "50", places=9)),
        st.decimals("0.0001", "900", places=4),
        st.decimals("-0.05", "2", places=6),
    )
    told = [
        Execution(f"e{n}", f"o{n}", None, Symbol(symbol), side, quantity, price, AT + timedelta(seconds=n), fee)
        for n, (symbol, side, quantity, price, fee) in enumerate(draw(st.lists(one, max_size=25)))
    ]
    repeats = draw(st.lists(st.sampled_from(told), max_size=8)) if told else []
    return told + repeats


@contextmanager
def ledger() -> Iterator[LedgerStore]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "LEDGER.db"
        create(path)
        with closing(LedgerStore(path)) as store:
            store.book_opening("A", OPENING, AT)
            yield store


def cash_by_hand(told: Sequence[Execution]) -> Decimal:
    """Opening cash and every fill's money, each rounded to the micro-dollar: no ledger, no lots."""
    micros = to_micros(OPENING)
    for one in {e.execution_id: e for e in told}.values():
        value = value_micros(to_nanos(one.quantity), to_nanos(one.price))
        micros += (-value if one.side is Side.BUY else value) - to_micros(one.fee)
    return Decimal(micros) / 10**6


def shares_by_hand(told: Sequence[Execution]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for one in {e.execution_id: e for e in told}.values():
        signed = one.quantity if one.side is Side.BUY else -one.quantity
        total[one.symbol] = total.get(one.symbol, Decimal(0)) + signed
    return {symbol: quantity for symbol, quantity in total.items() if quantity}


@settings(max_examples=60, deadline=None)
@given(executions())
def test_the_books_balance_and_agree_with_a_count_by_hand(told: list[Execution]) -> None:
    with ledger() as store:
        new = [store.book_execution(one, None) for one in told]
        assert sum(new) == len({one.execution_id for one in told})
        balance = store.trial_balance()
        assert sum(debit for debit, _ in balance.values()) == sum(credit for _, credit in balance.values())
        assert store.cash() == cash_by_hand(told)
        assert {p.symbol: p.quantity for p in store.positions()} == shares_by_hand(told)
        assert store.verify() == ()


@settings(max_examples=60, deadline=None)
@given(executions(), st.decimals("0.01", "900", places=2))
def test_equity_is_opening_plus_realised_plus_unrealised(told: list[Execution], mark: Decimal) -> None:
    with ledger() as store:
        for one in told:
            store.book_execution(one, None)
        at_cost = balance_of(store, "Assets:Securities at cost")
        market_value = sum((quantity * mark for quantity in shares_by_hand(told).values()), Decimal(0))
        unrealised = market_value - at_cost
        assert store.cash() + market_value == OPENING + store.realised(DAY) + unrealised


def balance_of(store: LedgerStore, account: str) -> Decimal:
    debit, credit = store.trial_balance().get(account, (Decimal(0), Decimal(0)))
    return debit - credit


@settings(max_examples=60, deadline=None)
@given(executions())
def test_round_trips_of_a_flat_account_sum_to_its_result(told: list[Execution]) -> None:
    with ledger() as store:
        for one in told:
            store.book_execution(one, None)
        for position in store.positions():
            side = Side.SELL if position.quantity > 0 else Side.BUY
            last = Execution(f"x{position.symbol}", "x", None, position.symbol, side, abs(position.quantity),
                             Decimal("12.34"), AT + timedelta(hours=1))  # fmt: skip
            store.book_execution(last, None)
        result = sum((trip.pnl for trip in store.trades(DAY)), Decimal(0))
        assert store.positions() == ()
        assert balance_of(store, "Assets:Securities at cost") == 0
        assert result == store.realised(DAY) == store.cash() - OPENING


@settings(max_examples=200, deadline=None)
@given(executions())
def test_lots_are_never_negative_and_never_of_both_sides(told: list[Execution]) -> None:
    lots: dict[str, tuple[Lot, ...]] = {}
    for one in told:
        before = lots.get(one.symbol, ())
        booking = fill_postings(before, fill_of(one, None))
        lots[one.symbol] = booking.lots
        assert all(lot.quantity > 0 and lot.value >= 0 for lot in booking.lots)
        assert len({lot.fill.side for lot in booking.lots}) <= 1
        signed = to_nanos(one.quantity) * (1 if one.side is Side.BUY else -1)
        assert held(booking.lots) == held(before) + signed
        assert abs(cost(booking.lots)) == sum(lot.value for lot in booking.lots)


@settings(max_examples=40, deadline=None)
@given(executions(), st.data())
def test_reversing_newest_first_brings_the_earlier_books_back(told: list[Execution], data: st.DataObject) -> None:
    with ledger() as store:
        unique = list({one.execution_id: one for one in told}.values())
        keep = data.draw(st.integers(0, len(unique)))
        for one in unique[:keep]:
            store.book_execution(one, None)
        before = store.cash(), store.positions(), store.trades(DAY), store.realised(DAY)
        for one in unique[keep:]:
            store.book_execution(one, None)
        for one in reversed(unique[keep:]):
            store.reverse_execution(one.execution_id, AT + timedelta(hours=2), "busted")
        assert before == (store.cash(), store.positions(), store.trades(DAY), store.realised(DAY))
        assert store.verify() == ()
