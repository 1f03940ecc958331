"""Attacks on the ledger's file by another program with SQL access."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.accounting.schema import COLUMNS
from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import Execution, Side

AT = datetime(2025, 3, 10, 14, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "LEDGER.db"
    create(path)
    with closing(LedgerStore(path)) as store:
        store.book_opening("PA1", Decimal(100_000), AT)
        store.book_execution(Execution("e1", "b", None, Symbol("SPY"), Side.BUY, Decimal(10), Decimal(50), AT), None)
        store.book_execution(Execution("e2", "b", None, Symbol("SPY"), Side.SELL, Decimal(4), Decimal(51), AT), None)
    return path


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def faults(path: Path) -> tuple[str, ...]:
    with closing(LedgerStore(path)) as store:
        return store.verify()


def forged(db: sqlite3.Connection, **changes: Any) -> dict[str, Any]:
    """The next entry as the store would write it, a fill of its own, with `changes`."""
    last = db.execute(f"SELECT {', '.join(COLUMNS)} FROM entry ORDER BY id DESC LIMIT 1").fetchone()
    row = dict(zip(COLUMNS, last, strict=True))
    row |= {"id": row["id"] + 1, "previous": row["digest"], "execution_id": "forged", **changes}
    return row


def insert(db: sqlite3.Connection, row: dict[str, Any], verb: str = "INSERT") -> None:
    marks = ", ".join("?" * len(row))
    db.execute(f"{verb} INTO entry ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


EDITS = [
    "UPDATE entry SET narration = 'x'",
    'UPDATE entry SET postings = \'[["1000",1],["3000",-1]]\' WHERE id = 1',
    "UPDATE OR REPLACE entry SET id = 1 WHERE id = 2",
    "UPDATE entry SET rowid = 99 WHERE id = 3",
    "DELETE FROM entry",
    "DELETE FROM entry WHERE id = 3",
    "UPDATE account SET kind = 'income' WHERE code = '1000'",
    "DELETE FROM account WHERE code = '5000'",
    "INSERT INTO account VALUES ('9999', 'Assets:Mine', 'asset', 1)",
    "INSERT OR REPLACE INTO account VALUES ('1000', 'Assets:Mine', 'asset', 1)",
    "REPLACE INTO entry SELECT * FROM entry WHERE id = 1",
    "INSERT OR IGNORE INTO entry SELECT * FROM entry WHERE id = 3",
    "INSERT INTO entry SELECT * FROM entry WHERE id = 1 ON CONFLICT (id) DO UPDATE SET narration = 'x'",
    "UPDATE posting SET amount_micro = 0",
    "DELETE FROM posting",
    "INSERT INTO posting (entry_id, account, amount_micro) VALUES (1, '1000', 5)",
    "INSERT INTO trial_balance VALUES ('Assets:Cash', 1, 1)",
]


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("statement", EDITS)
def test_no_statement_edits_what_is_booked(path: Path, db: sqlite3.Connection, statement: str, recursive: str) -> None:
    for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON", f"recursive_triggers = {recursive}"):
        db.execute(f"PRAGMA {pragma}")
    before = db.execute("SELECT * FROM entry").fetchall(), db.execute("SELECT * FROM account").fetchall()
    with pytest.raises(sqlite3.Error):
        db.execute(statement)
    assert before == (db.execute("SELECT * FROM entry").fetchall(), db.execute("SELECT * FROM account").fetchall())
    assert faults(path) == ()


POSTINGS = [
    [],
    [["1000", 0]],
    [["1000", 5], ["1100", -4]],
    [["1000", 5], ["1100", -4], ["5000", -2]],
    [["1000", 0.5], ["1100", -0.5]],
    [["1000", "5"], ["1100", "-5"]],
    [["1000", None], ["1100", 0]],
    [["1000", True], ["1100", -1]],
    [["9999", 5], ["1100", -5]],
    [[1000, 5], ["1100", -5]],
    [[None, 5], ["1100", -5]],
    [["1000", 5, 1], ["1100", -5]],
    [["1000"], ["1100"]],
    ["1000", "1100"],
    [5, -5],
    {"1000": 5, "1100": -5},
    [{"0": "1000", "1": 5}, {"0": "1100", "1": -5}],
    [["1000", 2**63], ["1100", -(2**63)]],
    [["1000", 10**16], ["1100", -(10**16)]],
    [["1000", 10**30], ["1100", -(10**30)]],
    [["1000", -(2**63)], ["1100", 0]],
    [["1000", 1], ["1100", -1]] * 11,
    None,
    "text",
    7,
]
TEXTS = [json.dumps(postings) for postings in POSTINGS] + [
    "",
    "[",
    "[[1000,5],[1100",
    "NaN",
    '[["1000",1e0],["1100",-1e0]]',
]


@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE"])
@pytest.mark.parametrize("postings", TEXTS)
def test_no_entry_that_does_not_balance_is_taken(path: Path, db: sqlite3.Connection, postings: str, verb: str) -> None:
    db.execute("PRAGMA ignore_check_constraints = ON")
    with pytest.raises(sqlite3.Error):
        insert(db, forged(db, postings=postings), verb)
    assert faults(path) == ()


@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE"])
@pytest.mark.parametrize(
    "changes",
    [
        {"execution_id": "e1"},
        {"id": 1},
        {"id": 3},
        {"id": 5},
        {"id": -1},
        {"id": None},
        {"previous": "0" * 64},
        {"previous": None},
        {"kind": "opening", "execution_id": None, "account_id": "PA1"},
        {"kind": "reversal", "execution_id": None, "reverses": 99},
        {"kind": "reversal", "execution_id": None, "reverses": 1},
        {"kind": "reversal", "execution_id": None, "reverses": 2},
    ],
)
def test_no_entry_out_of_turn_or_told_twice_is_taken(
    path: Path, db: sqlite3.Connection, changes: dict[str, Any], verb: str
) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("PRAGMA ignore_check_constraints = ON")
    with pytest.raises(sqlite3.Error):
        insert(db, forged(db, **changes), verb)
    assert faults(path) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "gift"},
        {"at": "yesterday"},
        {"at": "2025-03-10T14:00:00-05:00"},
        {"session": "monday"},
        {"quantity_nano": 0},
        {"quantity_nano": "many"},
        {"price_nano": -1},
        {"side": "hold"},
        {"symbol": None},
        {"digest": "short"},
        {"execution_id": None},
        {"narration": None},
    ],
)
def test_no_entry_with_a_senseless_column_is_taken(path: Path, db: sqlite3.Connection, changes: dict[str, Any]) -> None:
    with pytest.raises(sqlite3.Error):
        insert(db, forged(db, **changes))
    assert faults(path) == ()


def test_a_balanced_forgery_is_found_by_verification(path: Path, db: sqlite3.Connection) -> None:
    insert(db, forged(db, postings='[["1000",900000000],["4000",-900000000]]'))
    assert any("entry 4 was changed" in fault for fault in faults(path))
    assert any("entry 4 is not what its facts book to" in fault for fault in faults(path))


def test_a_store_that_meets_a_word_it_does_not_know_stops_booking(path: Path, db: sqlite3.Connection) -> None:
    with closing(LedgerStore(path)) as store:
        assert store.has_execution("e1")
        insert(db, forged(db, strategy="gamble"))
        with pytest.raises(LedgerRefused, match=r"entry 4 is none of ours: .*gamble"):
            store.positions()
        assert any("entry 4 cannot be understood" in fault for fault in store.verify())


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE entry SET narration = 'nothing to see' WHERE id = 2",
        "UPDATE entry SET quantity_nano = quantity_nano + 1 WHERE id = 3",
        "UPDATE entry SET config_version = '2' WHERE id = 1",
        """UPDATE entry SET postings = replace(postings, '1100', '5000') WHERE id = 2""",
        "DELETE FROM entry WHERE id = 2",
        "DELETE FROM entry WHERE id = 1",
    ],
)
def test_an_edit_behind_a_dropped_and_restored_trigger_is_found(
    path: Path, db: sqlite3.Connection, attack: str
) -> None:
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    db.execute(attack)
    for _, sql in triggers:
        db.execute(sql)
    assert faults(path) != ()


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("DROP TRIGGER entry_no_update", "trigger entry_no_update is missing"),
        ("DROP INDEX entry_execution", "index entry_execution is missing"),
        ("DROP VIEW trial_balance", "view trial_balance is missing"),
        ("CREATE TABLE notes (x)", "table notes does not belong"),
        ("CREATE TRIGGER t AFTER INSERT ON entry BEGIN SELECT 1; END", "trigger t does not belong"),
        ("ALTER TABLE entry ADD COLUMN more TEXT", "table entry was changed"),
    ],
)
def test_a_changed_schema_is_named(path: Path, db: sqlite3.Connection, attack: str, words: str) -> None:
    db.execute(attack)
    assert any(words in fault for fault in faults(path))


def test_a_changed_chart_is_found(path: Path, db: sqlite3.Connection) -> None:
    (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'account_no_update'").fetchone()
    db.execute("DROP TRIGGER account_no_update")
    db.execute("UPDATE account SET kind = 'liability' WHERE code = '1000'")
    db.execute(sql)
    assert faults(path) == ("the chart of accounts was changed",)


def test_a_cut_off_tail_shows_in_the_head(path: Path, db: sqlite3.Connection) -> None:
    with closing(LedgerStore(path)) as store:
        anchored = store.head()
    (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'entry_no_delete'").fetchone()
    db.execute("DROP TRIGGER entry_no_delete")
    db.execute("DELETE FROM entry WHERE id = 3")
    db.execute(sql)
    with closing(LedgerStore(path)) as store:
        assert store.head() != anchored
