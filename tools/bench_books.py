"""What durability costs: an atomic file beside a plain write, a booked fill beside a bare SQLite commit."""

import itertools
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import Execution, Side
from tbot_bot.support.atomic_file import write_bytes
from tools.figures import Measure
from tools.stopwatch import medians

ROUNDS = 300
SIZE = 4096
AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def atomic_bench(folder: Path) -> tuple[Measure, ...]:
    """Milliseconds for one 4 KiB file: with both fsyncs, and without (as snapshots are written)."""
    data = b"x" * SIZE
    plain = folder / "plain"
    durable, bare = medians(lambda: write_bytes(folder / "a", data), lambda: plain.write_bytes(data), ROUNDS)
    quick, bare_again = medians(
        lambda: write_bytes(folder / "b", data, durable=False), lambda: plain.write_bytes(data), ROUNDS
    )
    return (
        Measure("atomic_durable", durable * 1000, bare * 1000, "ms", "plain_write"),
        Measure("atomic_snapshot", quick * 1000, bare_again * 1000, "ms", "plain_write"),
    )


def ledger_bench(folder: Path) -> tuple[Measure, ...]:
    """Fills a second, beside rows a second with one bare commit (WAL, synchronous=FULL) each."""
    path = folder / "LEDGER.db"
    create(path)
    ledger = LedgerStore(path)
    ledger.book_opening("bench", Decimal(1_000_000), AT)
    numbers = itertools.count()
    with closing(_bare(folder / "bare.db")) as db:

        def commit() -> None:
            with db:
                db.execute("INSERT INTO fill VALUES (?, ?, ?)", (f"x{next(numbers)}", "AAA", "10.01"))

        booked, committed = medians(lambda: ledger.book_execution(_fill(next(numbers)), None), commit, ROUNDS)
    ledger.close()
    return (Measure("ledger_fills", 1 / booked, 1 / committed, "fills/s", "bare_sqlite_commits"),)


def _fill(number: int) -> Execution:
    """Buys and sells in turn."""
    return Execution(
        execution_id=f"bench-{number}",
        broker_order_id=f"order-{number}",
        client_id=None,
        symbol=Symbol(f"S{number % 50}"),
        side=Side.BUY if number // 50 % 2 == 0 else Side.SELL,
        quantity=Decimal("1.5"),
        price=Decimal("20.01"),
        at=AT + timedelta(milliseconds=number),
    )


def _bare(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE fill (id TEXT PRIMARY KEY, symbol TEXT, price TEXT)")
    return db
