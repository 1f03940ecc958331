"""The venue's database: what was acknowledged is on the disk before the acknowledgement."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tbot_bot.paper.book import (
    Account,
    Fill,
    Order,
    Position,
    dump,
    load_account,
    load_fill,
    load_order,
)

DATABASE = "venue.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS positions (account TEXT NOT NULL, symbol TEXT NOT NULL, data TEXT NOT NULL,
                                      PRIMARY KEY (account, symbol));
CREATE TABLE IF NOT EXISTS fills (sequence INTEGER PRIMARY KEY, execution_id TEXT NOT NULL UNIQUE, data TEXT NOT NULL);
"""


@dataclass(slots=True)
class Changes:
    """What one step altered: committed together or not at all. A position that is None is gone."""

    orders: dict[str, Order] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position | None] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.orders or self.accounts or self.positions or self.fills)


class Store:
    """SQLite in WAL mode with synchronous=FULL. Raises sqlite3.Error; the venue then ends and starts again."""

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(state_dir / DATABASE, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def get(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, value: str) -> None:
        self._put(key, value)

    def _put(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def commit(self, changes: Changes, matched_ms: int) -> None:
        """Writes the changes and the instant up to which the market has been matched in one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._write(changes)
            self._put("matched_ms", str(matched_ms))
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise

    def _write(self, changes: Changes) -> None:
        db = self._db
        db.executemany(
            "INSERT OR REPLACE INTO orders VALUES (?, ?, ?)",
            [(order.id, order.sequence, json.dumps(dump(order))) for order in changes.orders.values()],
        )
        db.executemany(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?)",
            [(account.id, json.dumps(dump(account))) for account in changes.accounts.values()],
        )
        db.executemany(
            "INSERT INTO fills VALUES (?, ?, ?)",
            [(fill.sequence, fill.execution_id, json.dumps(dump(fill))) for fill in changes.fills],
        )
        for (account, symbol), position in changes.positions.items():
            if position is None:
                db.execute("DELETE FROM positions WHERE account = ? AND symbol = ?", (account, symbol))
            else:
                data = json.dumps([format(position.qty, "f"), format(position.cost, "f")])
                db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", (account, symbol, data))

    def orders(self) -> Iterable[Order]:
        rows = self._db.execute("SELECT data FROM orders ORDER BY sequence").fetchall()
        return [load_order(json.loads(data)) for (data,) in rows]

    def accounts(self) -> Iterable[Account]:
        rows = self._db.execute("SELECT data FROM accounts").fetchall()
        return [load_account(json.loads(data)) for (data,) in rows]

    def positions(self) -> Iterable[tuple[str, str, str, str]]:
        """account, symbol, qty, cost."""
        rows = self._db.execute("SELECT account, symbol, data FROM positions").fetchall()
        return [(account, symbol, *json.loads(data)) for account, symbol, data in rows]

    def fills(self) -> Iterable[Fill]:
        rows = self._db.execute("SELECT data FROM fills ORDER BY sequence").fetchall()
        return [load_fill(json.loads(data)) for (data,) in rows]
