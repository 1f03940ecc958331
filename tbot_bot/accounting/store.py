"""The ledger's file: a SQLite database that is only ever appended to. The only place that runs SQL on it."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from tbot_bot.accounting.audit import check_entries, check_schema
from tbot_bot.accounting.booking import fill_of, opening_postings, reversed_postings
from tbot_bot.accounting.books import Books
from tbot_bot.accounting.chart import CASH, FEES, REALISED
from tbot_bot.accounting.rows import Row, digest, fill_row, opening_row, reversal_row
from tbot_bot.accounting.schema import APPLICATION_ID, COLUMNS, GENESIS, SCHEMA_VERSION, STATEMENTS
from tbot_bot.accounting.units import from_micros
from tbot_bot.domain.books import BookedFill, RoundTrip
from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.domain.orders import Execution, OrderIntent
from tbot_bot.domain.portfolio import Position
from tbot_bot.support.atomic_file import ensure_folder, open_shared

BUSY_SECONDS = 10.0
_COLUMN_LIST = ", ".join(COLUMNS)
_INSERT = f"INSERT INTO entry ({_COLUMN_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_SELECT_AFTER = f"SELECT {_COLUMN_LIST} FROM entry WHERE id > ? ORDER BY id"  # noqa: S608 (our own column names)


def create(path: Path) -> None:
    """A new, empty ledger with its chart of accounts; an existing one is left alone.

    A file that a crash left empty is completed. Raises LedgerRefused when `path` holds something else."""
    try:
        ensure_folder(path.parent)
        # SQLite makes the name durable before it writes the first page.
        os.close(open_shared(path, os.O_RDWR))
    except OSError as error:
        raise LedgerRefused(f"the ledger {path.name} cannot be created: {error.strerror}") from error
    with _translated(path), closing(_connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        with _transaction(db):
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in STATEMENTS:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        _check_identity(db, path)


class LedgerStore:
    """ports.Ledger over one file, and the questions that reports ask of it. Safe between threads and processes.

    Cash, lots and round trips are kept in memory and caught up from the file before each use, so that several stores on
    one file agree. `config_version` is written into every entry booked. Raises LedgerRefused when there is no
    ledger at `path`."""

    def __init__(self, path: Path, config_version: str = "") -> None:
        if not path.is_file():
            raise LedgerRefused(f"there is no ledger {path.name}; finish the provisioning first")
        self._path = path
        self._config_version = config_version
        self._lock = threading.RLock()
        with _translated(path):
            self._db = _open(path)
        self._books = Books()
        self._cash = 0
        self._last_id = 0
        self._head = GENESIS

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def book_opening(self, account_id: str, cash: Decimal, at: datetime) -> bool:
        """Opening balance, once per account; False when it is there already. Raises LedgerRefused."""
        if not account_id or at.utcoffset() is None:
            raise LedgerRefused("the opening balance needs an account id and a time with a zone")
        with self._writing():
            known = self._db.execute("SELECT 1 FROM entry WHERE account_id = ?", (account_id,)).fetchone()
            if known is not None:
                return False
            self._insert(opening_row(account_id, at.astimezone(UTC), opening_postings(cash), self._config_version))
        return True

    def book_execution(self, execution: Execution, intent: OrderIntent | None) -> bool:
        """True when this execution id was new and is now booked, durably.

        Raises LedgerRefused for an amount that cannot be, an order that does not fit, and an id that is booked with
        other figures (the broker corrected it: reverse the booked one, then book the correction under its own
        id)."""
        fill = fill_of(execution, intent)
        with self._writing():
            booked = self._books.seen(fill.execution_id)
            if booked is not None:
                _check_same(booked, fill)
                return False
            self._insert(fill_row(fill, self._books.book(fill).postings, self._config_version))
        return True

    def reverse_execution(self, execution_id: str, at: datetime, why: str) -> None:
        """Undo a fill by an entry that negates it. Its id stays known, so it is never booked again.

        Raises LedgerRefused unless it is the latest standing fill of its symbol."""
        with self._writing():
            fill = self._books.seen(execution_id)
            if fill is None:
                raise LedgerRefused(f"execution {execution_id} is not in the books")
            self._books.check_reversible(fill)
            query = "SELECT id FROM entry WHERE execution_id = ?"
            entry_id = int(self._db.execute(query, (execution_id,)).fetchone()[0])
            undone = self._read_row(entry_id)
            postings = reversed_postings(undone.postings)
            self._insert(reversal_row(entry_id, undone, at.astimezone(UTC), why, postings, self._config_version))

    def has_execution(self, execution_id: str) -> bool:
        with self._reading():
            return self._books.seen(execution_id) is not None

    def trial_balance(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """Account name → (Σ debits, Σ credits), USD, of every entry; the two columns sum to the same."""
        with self._reading():
            rows = self._db.execute("SELECT name, debit_micro, credit_micro FROM trial_balance").fetchall()
        return {name: (from_micros(debit), from_micros(credit)) for name, debit, credit in rows}

    def realised(self, session: date) -> Decimal:
        """Realised P&L of one session after all fees booked in it, USD."""
        query = "SELECT coalesce(sum(amount_micro), 0) FROM posting WHERE session = ? AND account IN (?, ?)"
        with self._reading():
            row = self._db.execute(query, (session.isoformat(), REALISED.code, FEES.code)).fetchone()
        return -from_micros(row[0])

    def cash(self) -> Decimal:
        """What the books say the accounts hold in cash, USD."""
        with self._reading():
            return from_micros(self._cash)

    def positions(self) -> tuple[Position, ...]:
        """Shares that the fills leave (negative = short) at average cost, by symbol; flat symbols are absent."""
        with self._reading():
            return self._books.positions()

    def fills(self, session: date) -> tuple[BookedFill, ...]:
        """The session's standing fills, by time."""
        with self._reading():
            return self._books.fills(session)

    def trades(self, session: date) -> tuple[RoundTrip, ...]:
        """Round trips closed in the session, paired first in, first out, by the time of their entry."""
        with self._reading():
            return self._books.trips(session)

    def head(self) -> tuple[int, str]:
        """(number of entries, digest of the last): anchor it elsewhere, and a cut-off tail is found."""
        with self._reading():
            return self._last_id, self._head

    def digest_at(self, number: int) -> str:
        """Digest of entry `number`; "" when there is none. Equal digests mean equal books up to there."""
        with self._reading():
            row = self._db.execute("SELECT digest FROM entry WHERE id = ?", (number,)).fetchone()
        return "" if row is None else str(row[0])

    def verify(self) -> tuple[str, ...]:
        """What is wrong with the file, in sentences; empty when every entry is as this code would book it.

        Reads everything: schema, chart, integrity, numbering, digests, balances, and each posting recomputed."""
        with self._lock, _translated(self._path), closing(_connect(self._path)) as db, _transaction(db, "DEFERRED"):
            faults = check_schema(db)
            return faults or check_entries(_rows(db, 0))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, _translated(self._path):
            self._catch_up()
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One durable transaction; memory follows only what the file holds."""
        with self._lock, _translated(self._path):
            with _transaction(self._db):
                self._catch_up()
                yield
            self._catch_up()

    def _catch_up(self) -> None:
        if self._db.execute("SELECT max(id) FROM entry").fetchone()[0] == self._last_id:
            return
        try:
            for row in _rows(self._db, self._last_id):
                self._take(row)
        except ValueError as error:
            raise LedgerRefused(f"entry {self._last_id + 1} is none of ours: {error}; verify the ledger") from error

    def _take(self, row: Row) -> None:
        if row.kind == "fill":
            self._books.add(row.fill, self._books.book(row.fill))
        elif row.kind == "reversal":
            self._books.remove(self._read_row(row.values["reverses"]).fill)
        self._cash += sum(posting.amount for posting in row.postings if posting.account == CASH.code)
        self._last_id, self._head = row.values["id"], row.values["digest"]

    def _read_row(self, entry_id: int) -> Row:
        return next(iter(_rows(self._db, entry_id - 1)))

    def _insert(self, row: Row) -> None:
        values = {**row.values, "id": self._last_id + 1, "previous": self._head}
        values["digest"] = digest(values)
        self._db.execute(_INSERT, tuple(values[name] for name in COLUMNS))


def _check_same(booked: BookedFill, told: BookedFill) -> None:
    was = (booked.symbol, booked.side, booked.quantity, booked.price)
    now = (told.symbol, told.side, told.quantity, told.price)
    if was != now:
        words = " ".join(str(part) for part in was), " ".join(str(part) for part in now)
        raise LedgerRefused(
            f"execution {told.execution_id} is booked as {words[0]}, the broker now says {words[1]}: "
            "reverse the booked one"
        )


def _rows(db: sqlite3.Connection, after: int) -> Iterator[Row]:
    for values in db.execute(_SELECT_AFTER, (after,)):
        yield Row(dict(zip(COLUMNS, values, strict=True)))


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _open(path: Path) -> sqlite3.Connection:
    db = _connect(path)
    try:
        _check_identity(db, path)
    except (sqlite3.Error, LedgerRefused):
        db.close()
        raise
    return db


def _check_identity(db: sqlite3.Connection, path: Path) -> None:
    found = db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0]
    if found != (APPLICATION_ID, SCHEMA_VERSION):
        raise LedgerRefused(
            f"{path.name} is not a ledger of this release (schema {SCHEMA_VERSION}); restore it from a backup"
        )


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's refusals as ours. A lock is waited for BUSY_SECONDS long before this."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise LedgerRefused(f"{path.name} refused the entry: {error}") from error
    except sqlite3.Error as error:
        raise LedgerRefused(f"{path.name} cannot be used: {error}; nothing was booked") from error
