import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, Direction, Execution, OrderIntent, Purpose, Side
from tbot_bot.domain.session import StrategyName

AT = datetime(2025, 3, 10, 14, tzinfo=UTC)
DAY = date(2025, 3, 10)


def execution(name: str, side: Side, quantity: str, price: str, minute: int = 0, symbol: str = "SPY") -> Execution:
    at = AT + timedelta(minutes=minute)
    return Execution(
        name, f"b-{name}", None, Symbol(symbol), side, Decimal(quantity), Decimal(price), at, Decimal("0.01")
    )


def intent(client_id: str, side: Side, purpose: Purpose, trade: str, reference: str) -> OrderIntent:
    return OrderIntent(
        client_id=ClientOrderId(client_id),
        session=DAY,
        strategy=StrategyName.OPEN,
        symbol=Symbol("SPY"),
        side=side,
        purpose=purpose,
        trade_id=ClientOrderId(trade),
        created_at=AT,
        reason=f"{purpose} because",
        quantity=Decimal(10),
        reference_price=Decimal(reference),
        direction=Direction.LONG,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "db" / "LEDGER.db"
    create(path)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[LedgerStore]:
    store = LedgerStore(path, config_version="7")
    store.book_opening("PA1", Decimal(100_000), AT)
    yield store
    store.close()


def book_one_trade(store: LedgerStore) -> None:
    store.book_execution(execution("e1", Side.BUY, "4", "50.02"), intent("c1", Side.BUY, Purpose.ENTRY, "c1", "50"))
    store.book_execution(execution("e2", Side.BUY, "6", "50.04", 1), intent("c1", Side.BUY, Purpose.ENTRY, "c1", "50"))
    store.book_execution(
        execution("e3", Side.SELL, "10", "51", 9), intent("c2", Side.SELL, Purpose.EXIT, "c1", "51.05")
    )


def test_a_new_ledger_is_private_whole_and_made_once(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    create(path)
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
    with pytest.raises(LedgerRefused, match="not a ledger of this release"):
        create(path)
    with pytest.raises(LedgerRefused, match="not a ledger of this release"):
        LedgerStore(path)
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 10)
    with pytest.raises(LedgerRefused, match="not a database"):
        create(path)


def test_without_a_ledger_the_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LedgerRefused, match="finish the provisioning"):
        LedgerStore(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


def test_a_crash_that_left_an_empty_file_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "LEDGER.db"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    create(path)
    with closing(LedgerStore(path)) as store:
        assert store.verify() == ()


def test_the_opening_balance_is_booked_once_an_account(store: LedgerStore) -> None:
    assert store.book_opening("PA1", Decimal(5), AT) is False
    assert store.book_opening("PA2", Decimal(5), AT) is True
    assert store.cash() == Decimal(100_005)
    with pytest.raises(LedgerRefused, match="account id"):
        store.book_opening("", Decimal(5), AT)


def test_a_fill_is_booked_once_however_often_it_is_told(store: LedgerStore) -> None:
    told = execution("e1", Side.BUY, "4", "50.02")
    assert [store.book_execution(told, None) for _ in range(3)] == [True, False, False]
    assert (store.has_execution("e1"), store.has_execution("e9")) == (True, False)
    assert store.cash() == Decimal("99799.91")


def test_an_execution_that_changed_its_figures_is_refused(store: LedgerStore) -> None:
    told = execution("e1", Side.BUY, "4", "50.02")
    store.book_execution(told, None)
    with pytest.raises(LedgerRefused, match=r"booked as SPY buy 4 50\.02, the broker now says SPY buy 5 50\.02"):
        store.book_execution(replace(told, quantity=Decimal(5)), None)


def test_a_round_trip_has_its_prices_slippage_and_result_after_fees(store: LedgerStore) -> None:
    book_one_trade(store)
    (trade,) = store.trades(DAY)
    assert (trade.trade_id, trade.quantity, trade.strategy) == ("c1", Decimal(10), StrategyName.OPEN)
    assert (trade.entry_price, trade.exit_price) == (Decimal("50.032"), Decimal(51))
    assert (trade.fees, trade.pnl) == (Decimal("0.03"), Decimal("9.65"))
    assert (trade.entry_slippage_bps, trade.exit_slippage_bps) == (Decimal("6.40"), Decimal("9.79"))
    assert (trade.entry_at, trade.exit_at) == (AT, AT + timedelta(minutes=9))
    assert trade.why == "exit because"
    assert store.realised(DAY) == trade.pnl
    assert store.positions() == ()
    assert [fill.execution_id for fill in store.fills(DAY)] == ["e1", "e2", "e3"]


def test_the_trial_balance_has_equal_columns(store: LedgerStore) -> None:
    book_one_trade(store)
    balance = store.trial_balance()
    assert sum(debit for debit, _ in balance.values()) == sum(credit for _, credit in balance.values())
    assert balance["Income:Realised P&L"] == (Decimal(0), Decimal("9.68"))
    assert balance["Expenses:Fees"] == (Decimal("0.03"), Decimal(0))


def test_open_lots_are_positions_at_average_cost(store: LedgerStore) -> None:
    store.book_execution(execution("e1", Side.BUY, "1.5", "10"), None)
    store.book_execution(execution("e2", Side.BUY, "0.5", "12"), None)
    store.book_execution(execution("e3", Side.SELL, "3", "7", symbol="QQQ"), None)
    held = [(p.symbol, p.quantity, p.average_price) for p in store.positions()]
    assert held == [("QQQ", Decimal(-3), Decimal(7)), ("SPY", Decimal(2), Decimal("10.5"))]


def test_the_same_day_is_told_after_a_restart(store: LedgerStore, path: Path) -> None:
    book_one_trade(store)
    with closing(LedgerStore(path)) as again:
        assert (again.trades(DAY), again.head()) == (store.trades(DAY), store.head())
        assert again.book_execution(execution("e1", Side.BUY, "4", "50.02"), None) is False


def test_a_correction_is_a_reversal_and_a_new_fill(store: LedgerStore) -> None:
    book_one_trade(store)
    store.reverse_execution("e3", AT + timedelta(hours=1), "the broker busted the trade")
    assert store.trades(DAY) == ()
    assert store.realised(DAY) == Decimal("-0.02")
    assert [p.quantity for p in store.positions()] == [Decimal(10)]
    assert store.book_execution(execution("e3", Side.SELL, "10", "51", 9), None) is False
    store.book_execution(execution("e3b", Side.SELL, "10", "50.9", 9), None)
    assert store.realised(DAY) == Decimal("8.65")
    assert store.verify() == ()


def test_only_the_latest_fill_of_a_symbol_can_be_reversed(store: LedgerStore) -> None:
    book_one_trade(store)
    with pytest.raises(LedgerRefused, match="newest first"):
        store.reverse_execution("e1", AT, "wrong")
    with pytest.raises(LedgerRefused, match="not in the books"):
        store.reverse_execution("e9", AT, "wrong")
    store.reverse_execution("e3", AT, "wrong")
    with pytest.raises(LedgerRefused, match="newest first"):
        store.reverse_execution("e3", AT, "again")
    store.reverse_execution("e2", AT, "wrong")
    assert [p.quantity for p in store.positions()] == [Decimal(4)]
    assert store.verify() == ()


def test_two_stores_on_one_file_agree(store: LedgerStore, path: Path) -> None:
    with closing(LedgerStore(path)) as other:
        store.book_execution(execution("e1", Side.BUY, "4", "50.02"), None)
        assert other.book_execution(execution("e1", Side.BUY, "4", "50.02"), None) is False
        assert other.book_execution(execution("e2", Side.SELL, "4", "50.02"), None) is True
        assert store.positions() == ()
        assert store.head() == other.head()


def test_writers_in_several_threads_and_stores_lose_and_repeat_nothing(store: LedgerStore, path: Path) -> None:
    def work(books: LedgerStore) -> None:
        for number in range(30):
            books.book_execution(execution(f"e{number}", Side.BUY, "1", "10"), None)

    with closing(LedgerStore(path)) as other:
        threads = [threading.Thread(target=work, args=(books,)) for books in (store, other, store)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [p.quantity for p in store.positions()] == [Decimal(30)]
    assert store.verify() == ()


def test_a_locked_ledger_is_waited_for(store: LedgerStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as greedy:
        greedy.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, greedy.execute, ("ROLLBACK",))
        timer.start()
        assert store.book_execution(execution("e1", Side.BUY, "1", "10"), None) is True
        timer.join()


def test_a_folder_in_the_ledgers_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "LEDGER.db").mkdir()
    with pytest.raises(LedgerRefused, match="cannot be created: Is a directory"):
        create(tmp_path / "LEDGER.db")


BOOK_AND_TELL = """
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tbot_bot.accounting.store import LedgerStore
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import Execution, Side
store = LedgerStore(Path(sys.argv[1]))
at = datetime(2025, 3, 10, 14, tzinfo=UTC)
for number in range(100_000):
    side = Side.BUY if number % 2 == 0 else Side.SELL
    store.book_execution(Execution(f"k{number}", "o", None, Symbol("SPY"), side, Decimal(1), Decimal(10), at), None)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_kill_9_while_booking_loses_nothing_that_was_told_and_repeats_nothing(
    store: LedgerStore, path: Path, seconds: float
) -> None:
    repository = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", BOOK_AND_TELL, str(path)], stdout=subprocess.PIPE, text=True, cwd=repository
    ) as child:
        assert child.stdout is not None
        told = int(child.stdout.readline())
        time.sleep(seconds)
        child.kill()
        told = max([told, *(int(line) for line in child.stdout.read().split("\n")[:-1])])
    assert store.verify() == ()
    assert all(store.has_execution(f"k{number}") for number in range(told + 1))
    booked = store.head()[0] - 1
    assert booked in {told + 1, told + 2}
    again = execution("k0", Side.BUY, "1", "10")
    assert store.book_execution(again, None) is False


def test_a_refused_booking_leaves_the_store_usable(store: LedgerStore) -> None:
    with pytest.raises(LedgerRefused, match="nine billion"):
        store.book_execution(execution("e1", Side.BUY, "1000000000", "1000000000"), None)
    assert store.book_execution(execution("e1", Side.BUY, "1", "10"), None) is True
    assert store.verify() == ()
