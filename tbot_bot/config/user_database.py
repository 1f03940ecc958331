"""SYSTEM_USERS.db, which only the runner opens: its tables, transactions, and the wrapping of what is secret.

Passwords, addresses and second factors are wrapped with `login.key`, so that a stolen database alone gives nothing to
guess at. The database notes a fingerprint of the key that wraps it: a store with other keys can neither read it nor,
worse, write into it what no one could open later."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.atomic_file import ensure_folder
from tbot_bot.support.decrypt_secrets import way_back
from tbot_bot.support.encrypt_secrets import fingerprint, wrapping
from tbot_bot.support.key_use import CountedCipher

VERSION = 2
_LOGIN_KEY = "login_key"
_WRONG_KEY = (
    "login.key does not open the user database, and nothing was changed. If keys were being replaced just now, try "
    f"again. {way_back('keys/login.key')}"
)

_TABLES = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL UNIQUE COLLATE NOCASE, email BLOB NOT NULL,
    role TEXT NOT NULL, password BLOB NOT NULL, created_at TEXT NOT NULL, last_login TEXT,
    disabled INTEGER NOT NULL DEFAULT 0, totp BLOB, totp_step INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE recovery_codes (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, code BLOB NOT NULL) STRICT;
CREATE TABLE devices (
    digest TEXT NOT NULL, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, created_at TEXT NOT NULL,
    seen_at TEXT NOT NULL, ip TEXT NOT NULL, PRIMARY KEY (digest, user_id)) STRICT;
CREATE TABLE failures (
    subject TEXT NOT NULL, place TEXT NOT NULL, count INTEGER NOT NULL, at TEXT NOT NULL, boot TEXT NOT NULL,
    seconds REAL NOT NULL, PRIMARY KEY (subject, place)) STRICT;
CREATE TABLE sessions (
    digest TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device TEXT NOT NULL, ip TEXT NOT NULL, created_at TEXT NOT NULL, seen_at TEXT NOT NULL, idle_until TEXT NOT NULL,
    expires_at TEXT NOT NULL, boot TEXT NOT NULL, seconds REAL NOT NULL) STRICT;
CREATE TABLE challenges (
    digest TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, device TEXT NOT NULL,
    created_at TEXT NOT NULL, expires_at TEXT NOT NULL) STRICT;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT
"""

_FROM_VERSION_1 = (
    # Addresses are no longer trusted: behind a proxy everyone shares one. Logins made before end here.
    "DROP TABLE known_places",
    "DROP TABLE sessions",
    "DROP INDEX failures_by_subject",
    "ALTER TABLE users RENAME TO users_1",
    "ALTER TABLE failures RENAME TO failures_1",
    *_TABLES.split(";"),
    "INSERT INTO users (username, email, role, password, created_at)"
    " SELECT username, email, role, password, created_at FROM users_1 ORDER BY created_at",
    "INSERT INTO failures SELECT subject, 'strangers', count(*), max(at), '', 0.0 FROM failures_1 GROUP BY subject",
    "DROP TABLE users_1",
    "DROP TABLE failures_1",
)
_LEFT_HALF_MADE = tuple(f"DROP TABLE IF EXISTS {name}" for name in ("users", "failures", "known_places", "sessions"))

_WRAPPED = (
    ("users", ("email", "password", "totp")),
    ("recovery_codes", ("code",)),
)
"""Every column that login.key wraps."""


class UserDatabase:
    """Transactions over the file, safe from any thread; `login_keys` newest first, more than one during a rotation."""

    def __init__(self, path: Path, login_keys: Sequence[bytes]) -> None:
        self._path = path
        self._keys = tuple(login_keys)
        cipher = wrapping(login_keys)
        self._wrap = CountedCipher(cipher, "login", "user database")

    def complete(self) -> None:
        """Make the file, or bring one of an earlier release to this one's tables: all of it or nothing.

        Raises SecretUnavailable when it is a later release's, or when our keys do not open it."""
        ensure_folder(self._path.parent)
        if not self._path.exists():
            # SQLite makes the name durable before it writes the first page.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode=WAL")
            with _within(db, "BEGIN IMMEDIATE"):
                self._complete(db)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A view of one moment; waits for no writer."""
        with closing(self._connect()) as db, _within(db, "BEGIN"):
            self._check_key(db)
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One at a time; on disk when it is left, nothing of it when it raises."""
        with closing(self._connect()) as db, _within(db, "BEGIN IMMEDIATE"):
            self._check_key(db)
            yield db

    def wrap(self, plain: bytes) -> bytes:
        return self._wrap.encrypt(plain)

    def unwrap(self, wrapped: bytes) -> bytes:
        try:
            return self._wrap.decrypt(wrapped)
        except InvalidToken as error:
            raise SecretUnavailable(_WRONG_KEY) from error

    def rewrap(self) -> int:
        """Wrap everything anew under the newest key, in one transaction; how many values. Repeating it does no harm.

        The old text is overwritten. Raises SecretUnavailable, with nothing changed, when a value does not open."""
        self.complete()
        with closing(self._connect()) as db:
            db.execute("PRAGMA secure_delete=ON")
            with _within(db, "BEGIN IMMEDIATE"):
                self._check_key(db)
                count = sum(self._rewrap_table(db, table, columns) for table, columns in _WRAPPED)
                set_fact(db, _LOGIN_KEY, fingerprint(self._keys[0]))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def end_logins(self) -> None:
        """No login and no challenge that is in it counts any more."""
        with self.writing() as db:
            db.execute("DELETE FROM sessions")
            db.execute("DELETE FROM challenges")

    def verify(self) -> int:
        """Open every wrapped value; how many there are. Raises SecretUnavailable when one does not open."""
        count = 0
        with self.reading() as db:
            for table, columns in _WRAPPED:
                for row in db.execute(f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608
                    for wrapped in row:
                        if wrapped is not None:
                            self.unwrap(wrapped)
                            count += 1
        return count

    def _rewrap_table(self, db: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> int:
        count = 0
        places = ", ".join(f"{column} = ?" for column in columns)
        for row in db.execute(f"SELECT rowid, {', '.join(columns)} FROM {table}").fetchall():  # noqa: S608
            fresh = [None if old is None else self.wrap(self.unwrap(old)) for old in row[1:]]
            db.execute(f"UPDATE {table} SET {places} WHERE rowid = ?", (*fresh, row[0]))  # noqa: S608
            count += sum(one is not None for one in fresh)
        return count

    def _complete(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == VERSION:
            self._check_key(db)
            return
        if version > VERSION:
            raise SecretUnavailable("the user database was made by a later release; install that one again")
        key = self._opening_key(db) if version == 1 else self._keys[0]
        steps = _FROM_VERSION_1 if version == 1 else (*_LEFT_HALF_MADE, *_TABLES.split(";"))
        for step in steps:
            db.execute(step)
        set_fact(db, _LOGIN_KEY, fingerprint(key))
        db.execute(f"PRAGMA user_version = {VERSION}")

    def _opening_key(self, db: sqlite3.Connection) -> bytes:
        """Which of our keys wraps a version 1 database."""
        row = db.execute("SELECT password FROM users LIMIT 1").fetchone()
        for key in self._keys:
            try:
                if row is not None:
                    Fernet(key).decrypt(row[0])
            except InvalidToken:
                continue
            return key
        raise SecretUnavailable(_WRONG_KEY)

    def _check_key(self, db: sqlite3.Connection) -> None:
        if fact(db, _LOGIN_KEY) not in {fingerprint(key) for key in self._keys}:
            raise SecretUnavailable(_WRONG_KEY)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(f"file:{self._path}?mode=rw", uri=True, timeout=5.0, isolation_level=None)
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        return db


def fact(db: sqlite3.Connection, name: str) -> str:
    """Empty when it is not there."""
    row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])


def set_fact(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


@contextmanager
def _within(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    db.execute(begin)
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
