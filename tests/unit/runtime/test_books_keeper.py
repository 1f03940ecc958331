from decimal import Decimal
from pathlib import Path

import pytest

from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.domain.orders import ClientOrderId, OrderStatus
from tbot_bot.runtime.books_keeper import BooksKeeper
from tests.unit.runtime.fakes import AT, DAY, execution, intent, report

INTENTS = {ClientOrderId("a"): intent("a")}


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerStore:
    create(tmp_path / "L.db")
    return LedgerStore(tmp_path / "L.db")


def test_a_fill_told_twice_is_booked_once(ledger: LedgerStore) -> None:
    keeper = BooksKeeper(ledger, AT)
    assert len(keeper.book((execution(1, "a", 4), execution(1, "a", 4)), INTENTS)) == 1
    assert keeper.book((execution(1, "a", 4),), INTENTS) == ()
    assert len(ledger.fills(DAY)) == 1


def test_after_a_restart_a_booked_fill_is_counted_and_not_booked_again(ledger: LedgerStore) -> None:
    BooksKeeper(ledger, AT).book((execution(1, "a", 10),), INTENTS)
    keeper = BooksKeeper(ledger, AT)
    assert keeper.book((execution(1, "a", 10),), INTENTS) == ()
    assert keeper.missing({ClientOrderId("a"): report("a", OrderStatus.FILLED, 10)}) == {}


def test_shares_that_a_report_claims_and_no_fill_told_are_missing(ledger: LedgerStore) -> None:
    keeper = BooksKeeper(ledger, AT)
    keeper.book((execution(1, "a", 4),), INTENTS)
    assert keeper.missing({ClientOrderId("a"): report("a", OrderStatus.FILLED, 10)}) == {"a": Decimal(6)}


def test_a_fill_of_nobodys_order_is_booked_too(ledger: LedgerStore) -> None:
    keeper = BooksKeeper(ledger, AT)
    assert len(keeper.book((execution(1, "stranger", 4),), {})) == 1


def test_a_fill_that_the_ledger_refuses_is_told_and_stays_missing(ledger: LedgerStore) -> None:
    keeper = BooksKeeper(ledger, AT)
    keeper.book((execution(1, "a", 4),), INTENTS)
    again = BooksKeeper(ledger, AT)
    assert again.book((execution(1, "a", 6),), INTENTS) == ()
    assert list(again.refused) == ["x1"]
    assert again.missing({ClientOrderId("a"): report("a", OrderStatus.PARTIALLY_FILLED, 6)}) == {"a": Decimal(6)}
