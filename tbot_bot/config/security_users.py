"""Users, passwords, failed logins and lockouts: SYSTEM_USERS.db, which only the runner opens.

A password is stored as Fernet(login.key, bcrypt(base64(sha256(NFKC(password))))): the pre-hash because bcrypt takes no
more than 72 bytes, the wrapping so that a stolen database alone gives nothing to guess at. Failed attempts are counted
per user and per place: addresses from which this user has logged in before each for themselves, all others together.
So a stranger can lock the strangers' pool, not the owner out."""

import base64
import hashlib
import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import bcrypt
from cryptography.fernet import InvalidToken

from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.domain.settings import UserRole
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, sync_folder
from tbot_bot.support.encrypt_secrets import wrapping
from tbot_bot.support.key_use import CountedCipher

BCRYPT_COST = 12
SHORTEST_PASSWORD = 15
LONGEST_PASSWORD = 128
_USERNAME = re.compile(r"[A-Za-z0-9._@-]{3,64}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_STRANGERS = "strangers"
_RANK = {UserRole.VIEWER: 0, UserRole.TRADER: 1, UserRole.ADMIN: 2}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    username TEXT PRIMARY KEY COLLATE NOCASE, email BLOB NOT NULL, role TEXT NOT NULL,
    password BLOB NOT NULL, created_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS failures (subject TEXT NOT NULL, place TEXT NOT NULL, at TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS failures_by_subject ON failures (subject, place);
CREATE TABLE IF NOT EXISTS known_places (subject TEXT NOT NULL, ip TEXT NOT NULL, PRIMARY KEY (subject, ip)) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    digest TEXT PRIMARY KEY, username TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL) STRICT;
PRAGMA user_version = 1;
"""


_WRAPPED = {"users": ("email", "password")}
"""Table → its columns that hold ciphertext under login.key."""

_NOT_OURS = "login.key does not open the user database; restore both from a backup"


class LoginRefusal(StrEnum):
    BAD_CREDENTIALS = "bad_credentials"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class User:
    username: str
    role: UserRole


@dataclass(frozen=True, slots=True)
class LockoutRule:
    """After `limit` failures within `minutes`, no login for `minutes` after the last of them."""

    limit: int
    minutes: int


def may(user: User, needed: UserRole) -> bool:
    """Whether the user's role includes `needed`; each role includes those below it."""
    return _RANK[user.role] >= _RANK[needed]


def registration_faults(username: str, password: str, email: str) -> dict[str, str]:
    """Field → what is wrong with it; empty when all is well (NIST 800-63B-4: length counts, composition doesn't)."""
    faults = {}
    if not _USERNAME.fullmatch(username):
        faults["username"] = "3 to 64 letters, digits or any of . _ @ -"
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        faults["password"] = f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; a short sentence is good"
    elif len(set(password)) < 5 or password.casefold() in {username.casefold(), email.casefold()}:
        faults["password"] = "too easy to guess: not your name, and at least five different characters"  # noqa: S105
    if email and not _EMAIL.fullmatch(email):
        faults["email"] = "an address such as you@example.com, or empty"
    return faults


class UserStore:
    """Open login keys over the database; each act is one short transaction, safe from any thread.

    What is written is encrypted under the first of the keys; more than one is there only in a rotation."""

    def __init__(self, path: Path, login_keys: Sequence[bytes], clock: Clock, cost: int = BCRYPT_COST) -> None:
        self._path = path
        self._wrap = CountedCipher(wrapping(login_keys), "login", "user database")
        self._clock = clock
        self._cost = cost
        # Well-formed and matching nothing: an unknown user costs as much time as a known one.
        self._nobody = b"$2b$%02d$" % cost + b"." * 22 + b"." * 31

    def create_database(self) -> None:
        """Make or complete the schema; an existing database is kept. WAL, synchronous=FULL, 0600."""
        ensure_folder(self._path.parent)
        if not self._path.exists():
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            sync_folder(self._path.parent)
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(_SCHEMA)

    def rewrap(self) -> None:
        """Encrypt every wrapped column anew under the first key, all in one transaction; the old text is overwritten.

        Raises SecretUnavailable when no key opens one of them; nothing is changed then."""
        with closing(self._connect()) as db:
            db.execute("PRAGMA secure_delete=ON")
            with _transaction(db):
                for table, columns in _WRAPPED.items():
                    self._rewrap_table(db, table, columns)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _rewrap_table(self, db: sqlite3.Connection, table: str, columns: Sequence[str]) -> None:
        names, places = ", ".join(columns), ", ".join(f"{column} = ?" for column in columns)
        for rowid, *tokens in db.execute(f"SELECT rowid, {names} FROM {table}").fetchall():  # noqa: S608 our own names
            try:
                anew = [None if token is None else self._wrap.encrypt(self._wrap.decrypt(token)) for token in tokens]
            except InvalidToken as error:
                raise SecretUnavailable(_NOT_OURS) from error
            db.execute(f"UPDATE {table} SET {places} WHERE rowid = ?", (*anew, rowid))  # noqa: S608 our own names

    def count(self) -> int:
        with self._transaction() as db:
            return int(db.execute("SELECT count(*) FROM users").fetchone()[0])

    def find(self, username: str) -> User | None:
        with self._transaction() as db:
            row = db.execute("SELECT username, role FROM users WHERE username = ?", (username,)).fetchone()
        return None if row is None else User(row[0], UserRole(row[1]))

    def register_first(self, username: str, password: str, email: str, ip: str) -> User | None:
        """Create the first user as admin; None when there is one already. Arguments are checked by the caller."""
        if self.count():
            return None
        hashed = bcrypt.hashpw(_prehash(password), bcrypt.gensalt(self._cost))
        wrapped, mail = self._wrap.encrypt(hashed), self._wrap.encrypt(email.encode())
        user = User(username, UserRole.ADMIN)
        with self._transaction() as db:
            if db.execute("SELECT count(*) FROM users").fetchone()[0]:
                return None
            values = (username, mail, user.role, wrapped, self._clock.now().isoformat())
            db.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?)", values)
            db.execute("INSERT OR IGNORE INTO known_places VALUES (?, ?)", (_subject(username), ip))
        return user

    def authenticate(self, username: str, password: str, ip: str, rule: LockoutRule) -> User | LoginRefusal:
        """The user of these credentials. Counts the failure, or forgets earlier ones, durably before it returns."""
        subject = _subject(username)
        place = self._place(subject, ip)
        if self._failures(subject, place, rule) >= rule.limit:
            return LoginRefusal.LOCKED
        user, hashed = self._load(username)
        right = bcrypt.checkpw(_prehash(password), hashed)
        with self._transaction() as db:
            if user is None or not right:
                db.execute("INSERT INTO failures VALUES (?, ?, ?)", (subject, place, self._clock.now().isoformat()))
                return LoginRefusal.BAD_CREDENTIALS
            db.execute("DELETE FROM failures WHERE subject = ? AND place = ?", (subject, place))
            db.execute("INSERT OR IGNORE INTO known_places VALUES (?, ?)", (subject, ip))
        return user

    def add_session(self, digest: str, username: str, created_at: datetime, expires_at: datetime) -> None:
        values = (digest, username, created_at.isoformat(), expires_at.isoformat())
        with self._transaction() as db:
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", values)

    def session(self, digest: str) -> tuple[str, datetime, datetime] | None:
        """(user name, created, expires) of a session that was not ended."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT username, created_at, expires_at FROM sessions WHERE digest = ?", (digest,)
            ).fetchone()
        return None if row is None else (row[0], datetime.fromisoformat(row[1]), datetime.fromisoformat(row[2]))

    def end_session(self, digest: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM sessions WHERE digest = ?", (digest,))

    def end_all_sessions(self) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM sessions")

    def end_expired(self) -> tuple[str, ...]:
        """Forget sessions that ran out; returns their digests."""
        now = self._clock.now().isoformat()
        with self._transaction() as db:
            ended = [row[0] for row in db.execute("SELECT digest FROM sessions WHERE expires_at <= ?", (now,))]
            db.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
        return tuple(ended)

    def _place(self, subject: str, ip: str) -> str:
        with self._transaction() as db:
            known = db.execute("SELECT 1 FROM known_places WHERE subject = ? AND ip = ?", (subject, ip)).fetchone()
        return _STRANGERS if known is None else ip

    def _failures(self, subject: str, place: str, rule: LockoutRule) -> int:
        """Failures that still count. Those dated in the future are dropped: the clock was set back."""
        now = self._clock.now()
        since = (now - timedelta(minutes=rule.minutes)).isoformat()
        with self._transaction() as db:
            db.execute("DELETE FROM failures WHERE at <= ? OR at > ?", (since, now.isoformat()))
            query = "SELECT count(*) FROM failures WHERE subject = ? AND place = ?"
            return int(db.execute(query, (subject, place)).fetchone()[0])

    def _load(self, username: str) -> tuple[User | None, bytes]:
        with self._transaction() as db:
            row = db.execute("SELECT username, role, password FROM users WHERE username = ?", (username,)).fetchone()
        if row is None:
            return None, self._nobody
        try:
            return User(row[0], UserRole(row[1])), self._wrap.decrypt(row[2])
        except InvalidToken as error:
            raise SecretUnavailable(_NOT_OURS) from error

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(f"file:{self._path}?mode=rw", uri=True, timeout=5.0, isolation_level=None)
        db.execute("PRAGMA synchronous=FULL")
        return db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connect()) as db, _transaction(db):
            yield db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _prehash(password: str) -> bytes:
    text = unicodedata.normalize("NFKC", password)
    return base64.b64encode(hashlib.sha256(text.encode()).digest())


def _subject(username: str) -> str:
    """Who failed, without keeping the text: people type passwords into the user name."""
    return hashlib.sha256(username.casefold().encode()).hexdigest()
