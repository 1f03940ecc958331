"""Whether a ledger file is what this code would have written: schema, chart, chain, and every posting recomputed."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from decimal import InvalidOperation

from tbot_bot.accounting.booking import Posting, reversed_postings
from tbot_bot.accounting.books import Books
from tbot_bot.accounting.chart import CASH, CHART, OPENING
from tbot_bot.accounting.rows import Row, digest
from tbot_bot.accounting.schema import GENESIS, STATEMENTS
from tbot_bot.domain.errors import LedgerRefused

_OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name"
_MOST_FAULTS = 100


def check_schema(db: sqlite3.Connection) -> tuple[str, ...]:
    """Damage of the file, and tables, triggers, views or accounts that are not as created."""
    faults = [f"SQLite finds damage: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in STATEMENTS:
            fresh.execute(statement)
        wanted = {(kind, name): sql for kind, name, sql in fresh.execute(_OBJECTS)}
    found = {(kind, name): sql for kind, name, sql in db.execute(_OBJECTS)}
    for kind, name in sorted(wanted.keys() | found.keys()):
        if (kind, name) not in found:
            faults.append(f"the {kind} {name} is missing")
        elif (kind, name) not in wanted:
            faults.append(f"the {kind} {name} does not belong to the ledger")
        elif wanted[kind, name] != found[kind, name]:
            faults.append(f"the {kind} {name} was changed")
    if not faults:
        rows = db.execute("SELECT code, name, kind, since FROM account ORDER BY code").fetchall()
        if rows != [(a.code, a.name, a.kind.value, a.since) for a in sorted(CHART, key=lambda a: a.code)]:
            faults.append("the chart of accounts was changed")
    return tuple(faults)


def check_entries(rows: Iterable[Row]) -> tuple[str, ...]:
    """Numbering, chain, balance, and each entry against the booking recomputed from its facts."""
    faults: list[str] = []
    books = Books()
    earlier: dict[int, Row] = {}
    previous = GENESIS
    for number, row in enumerate(rows, 1):
        values = row.values
        if values["id"] != number:
            faults.append(f"entry {number} is missing")
        if values["previous"] != previous or values["digest"] != digest(values):
            faults.append(f"entry {values['id']} was changed, or one before it: the digests do not chain")
        try:
            faults.extend(_check_postings(row, books, earlier))
        except (LedgerRefused, InvalidOperation, ValueError, TypeError, KeyError) as error:
            faults.append(f"entry {values['id']} cannot be understood: {error}")
        if len(faults) >= _MOST_FAULTS:
            faults.append("there is more; the check stopped here")
            break
        earlier[values["id"]] = row
        previous = values["digest"]
    return tuple(faults)


def _check_postings(row: Row, books: Books, earlier: dict[int, Row]) -> tuple[str, ...]:
    number, postings = row.values["id"], row.postings
    if len(postings) < 2 or sum(posting.amount for posting in postings) != 0:
        return (f"entry {number} does not balance",)
    wanted = _expected(row, books, earlier)
    return () if postings == wanted else (f"entry {number} is not what its facts book to",)


def _expected(row: Row, books: Books, earlier: dict[int, Row]) -> tuple[Posting, ...]:
    if row.kind == "fill":
        booking = books.book(row.fill)
        books.add(row.fill, booking)
        return booking.postings
    if row.kind == "reversal":
        undone = earlier[row.values["reverses"]]
        books.remove(undone.fill)
        return reversed_postings(undone.postings)
    cash = row.postings[0].amount
    return (Posting(CASH.code, cash), Posting(OPENING.code, -cash))
