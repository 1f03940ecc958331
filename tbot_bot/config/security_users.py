"""Users and their passwords: who there is, what each may do, and whether a password or code is theirs."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tbot_bot.config.devices import Device, device_digest, forget, is_trusted, place_of, trust
from tbot_bot.config.lockout import Lockout, LockoutRule, Place, subject_of
from tbot_bot.config.passwords import BCRYPT_COST, Hasher, email_fault, name_fault, password_fault
from tbot_bot.config.second_factor import CodeKind, SecondFactor
from tbot_bot.config.user_database import UserDatabase
from tbot_bot.domain.settings import UserRole
from tbot_bot.ports.clock import Clock
from tbot_bot.support.uptime import Uptime, uptime

_RANK = {UserRole.VIEWER: 0, UserRole.TRADER: 1, UserRole.ADMIN: 2}
_USER = "id, username, role, totp IS NOT NULL"
_FACTS = f"{_USER}, email, created_at, last_login, disabled"


class LoginRefusal(StrEnum):
    BAD_CREDENTIALS = "bad_credentials"
    LOCKED = "locked"


class ChangeRefusal(StrEnum):
    NAME_TAKEN = "name taken"
    LAST_ADMIN = "last admin"


@dataclass(frozen=True, slots=True)
class User:
    """`id` stays the same when the name changes; `totp`: whether a code is asked for."""

    username: str
    role: UserRole
    id: int = field(default=0, compare=False)
    totp: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a password or a code. `locks`: this was the failure that locked its place.

    `strangers`: it was counted in the pool of unknown devices."""

    user: User | None
    refusal: LoginRefusal | None = None
    locks: bool = False
    strangers: bool = True
    code: CodeKind | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What an admin is told about a user."""

    user: User
    email: str
    created_at: str
    last_login: str
    disabled: bool
    codes_left: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a user; None = as it is."""

    role: UserRole | None = None
    disabled: bool | None = None
    username: str | None = None
    email: str | None = None
    password_hash: bytes | None = field(default=None, repr=False)
    remove_totp: bool = False


def may(user: User, needed: UserRole) -> bool:
    """Whether the user's role includes `needed`; each role includes those below it."""
    return _RANK[user.role] >= _RANK[needed]


def registration_faults(username: str, password: str, email: str) -> dict[str, str]:
    """Field → what is wrong with it; empty when all is well."""
    found = {
        "username": name_fault(username),
        "password": password_fault(password, username, email),
        "email": email_fault(email),
    }
    return {key: words for key, words in found.items() if words}


class UserStore:
    """The users in one database; each act is one short transaction, safe from any thread."""

    def __init__(
        self,
        path: Path,
        login_keys: Sequence[bytes],
        clock: Clock,
        cost: int = BCRYPT_COST,
        running: Callable[[], Uptime] = uptime,
    ) -> None:
        """`login_keys` newest first; more than one only during a rotation."""
        self.database = UserDatabase(path, login_keys)
        self._clock = clock
        self._hasher = Hasher(cost)
        self._lockout = Lockout(clock, running)
        self._factor = SecondFactor(self.database)

    def create_database(self) -> None:
        """Make or complete the tables; everything in an existing database is kept. WAL, synchronous=FULL, 0600."""
        self.database.complete()

    def rewrap(self) -> int:
        """Everything that login.key wraps, anew under its newest key, in one transaction; how many values."""
        return self.database.rewrap()

    def verify(self) -> int:
        """Open everything that login.key wraps. Raises SecretUnavailable when something does not open."""
        return self.database.verify()

    def count(self) -> int:
        with self.database.reading() as db:
            return int(db.execute("SELECT count(*) FROM users").fetchone()[0])

    def find(self, username: str) -> User | None:
        with self.database.reading() as db:
            return user_from(db.execute(f"SELECT {_USER} FROM users WHERE username = ?", (username,)).fetchone())  # noqa: S608

    def by_id(self, user_id: int) -> User | None:
        with self.database.reading() as db:
            return user_from(db.execute(f"SELECT {_USER} FROM users WHERE id = ?", (user_id,)).fetchone())  # noqa: S608

    def all(self) -> tuple[Facts, ...]:
        """Every user, by name."""
        with self.database.reading() as db:
            rows = db.execute(f"SELECT {_FACTS} FROM users ORDER BY username").fetchall()  # noqa: S608
            return tuple(self._facts(db, row) for row in rows)

    def facts(self, user: User) -> Facts | None:
        with self.database.reading() as db:
            row = db.execute(f"SELECT {_FACTS} FROM users WHERE id = ?", (user.id,)).fetchone()  # noqa: S608
            return None if row is None else self._facts(db, row)

    def locked(self, rule: LockoutRule) -> Callable[[str], bool]:
        """Whether the user of this name cannot log in now from one place at least."""
        with self.database.reading() as db:
            subjects = self._lockout.locked(db, rule)
        return lambda username: subject_of(username) in subjects

    def hash(self, password: str) -> bytes:
        """Takes long on purpose."""
        return self._hasher.hash(password)

    def register_first(self, username: str, password: str, email: str) -> User | None:
        """Create the first user as admin; None when there is one already. Arguments are checked by the caller."""
        if self.count():
            return None
        hashed = self.hash(password)
        with self.database.writing() as db:
            if db.execute("SELECT count(*) FROM users").fetchone()[0]:
                return None
            return self._insert(db, username, email, UserRole.ADMIN, hashed)

    def add(self, username: str, email: str, role: UserRole, password_hash: bytes) -> User | None:
        """None when the name is taken. Arguments are checked by the caller."""
        try:
            with self.database.writing() as db:
                return self._insert(db, username, email, role, password_hash)
        except sqlite3.IntegrityError:
            return None

    def change(self, user: User, change: Change, keep_device: str = "") -> ChangeRefusal | None:
        """All of it, with the end of the user's logins, or nothing.

        A new password forgets failed tries, and every device but that of the digest `keep_device`."""
        try:
            with self.database.writing() as db:
                self._apply(db, user.id, change, keep_device)
                _end_logins(db, user.id)
                _leave_an_admin(db)
        except sqlite3.IntegrityError:
            return ChangeRefusal.NAME_TAKEN
        except _NoAdminLeft:
            return ChangeRefusal.LAST_ADMIN
        return None

    def remove(self, user: User) -> ChangeRefusal | None:
        """With everything that is theirs, logins included."""
        try:
            with self.database.writing() as db:
                db.execute("DELETE FROM users WHERE id = ?", (user.id,))
                _leave_an_admin(db)
        except _NoAdminLeft:
            return ChangeRefusal.LAST_ADMIN
        return None

    def try_password(
        self, username: str, password: str, device: str, rule: LockoutRule, *, admins_only: bool = False
    ) -> Attempt:
        """Whose password this is. `device`: the digest of the device cookie.

        Counted as a failure before it is looked at, so that neither a crash nor many tries at once escape the count.
        Unknown, disabled and unwanted users are answered like a wrong password, and as slowly. A right password of a
        user with a second factor clears no earlier failures: only the code does."""
        with self.database.writing() as db:
            row = db.execute(
                f"SELECT {_USER}, password, disabled FROM users WHERE username = ?",  # noqa: S608
                (username,),
            ).fetchone()
            user = user_from(row)
            place = self._place(db, username, user, device)
            if self._lockout.count(db, place, rule) >= rule.limit:
                return Attempt(None, LoginRefusal.LOCKED, strangers=not place.trusted)
            tries = self._lockout.add(db, place, rule)
        hashed = None if row is None else self.database.unwrap(row[4])
        right = self._hasher.matches(password, hashed)
        wanted = user is not None and not row[5] and (user.role is UserRole.ADMIN or not admins_only)
        if user is None or hashed is None or not right or not wanted:
            return Attempt(None, LoginRefusal.BAD_CREDENTIALS, tries == rule.limit, not place.trusted)
        self._accept(user, place, password, hashed, row[4])
        return Attempt(user, strangers=not place.trusted)

    def try_code(self, user: User, code: str, device: str, rule: LockoutRule) -> Attempt:
        """Whether the code is one of the user's; used up when it is, counted as a failure when not."""
        with self.database.writing() as db:
            place = self._place(db, user.username, user, device)
            if self._lockout.count(db, place, rule) >= rule.limit:
                return Attempt(None, LoginRefusal.LOCKED, strangers=not place.trusted)
            used = self._factor.use(db, user.id, code, self._clock.now())
            if used is not None:
                self._lockout.clear(db, place)
                return Attempt(user, strangers=not place.trusted, code=used)
            tries = self._lockout.add(db, place, rule)
            return Attempt(None, LoginRefusal.BAD_CREDENTIALS, tries == rule.limit, not place.trusted)

    def logged_in(self, user: User, cookie: str, ip: str) -> Device:
        """Note the login, and trust the device from here on."""
        now = self._clock.now()
        with self.database.writing() as db:
            db.execute("UPDATE users SET last_login = ? WHERE id = ?", (now.isoformat(), user.id))
            return trust(db, user.id, cookie, ip, now)

    def trusts(self, cookie: str) -> bool:
        """Whether someone logged in from this device before."""
        digest = device_digest(cookie)
        if not digest:
            return False
        with self.database.reading() as db:
            return is_trusted(db, digest)

    def enrol(self, user: User, secret: str, step: int, code_digests: tuple[bytes, ...]) -> None:
        """Codes are asked for from here on, of new logins: those there are end."""
        with self.database.writing() as db:
            self._factor.enrol(db, user.id, secret, step, code_digests)
            _end_logins(db, user.id)

    def tidy(self, rule: LockoutRule) -> None:
        with self.database.writing() as db:
            self._lockout.tidy(db, rule)

    def _place(self, db: sqlite3.Connection, username: str, user: User | None, device: str) -> Place:
        return Place(subject_of(username), place_of(db, None if user is None else user.id, device))

    def _accept(self, user: User, place: Place, password: str, hashed: bytes, wrapped: bytes) -> None:
        """The right password: forgive earlier failures, and keep it by today's cost from now on."""
        fresh = self.database.wrap(self.hash(password)) if self._hasher.outdated(hashed) else None
        with self.database.writing() as db:
            if user.totp:
                self._lockout.take_back(db, place)
            else:
                self._lockout.clear(db, place)
            if fresh is not None:
                db.execute("UPDATE users SET password = ? WHERE id = ? AND password = ?", (fresh, user.id, wrapped))

    def _insert(self, db: sqlite3.Connection, username: str, email: str, role: UserRole, hashed: bytes) -> User:
        wrapped, mail = self.database.wrap(hashed), self.database.wrap(email.encode())
        values = (username, mail, role, wrapped, self._clock.now().isoformat())
        row = db.execute(
            "INSERT INTO users (username, email, role, password, created_at) VALUES (?, ?, ?, ?, ?)", values
        )
        return User(username, role, row.lastrowid or 0)

    def _apply(self, db: sqlite3.Connection, user_id: int, change: Change, keep_device: str) -> None:
        columns: dict[str, object] = {}
        if change.username is not None:
            columns["username"] = change.username
        if change.role is not None:
            columns["role"] = change.role
        if change.disabled is not None:
            columns["disabled"] = int(change.disabled)
        if change.email is not None:
            columns["email"] = self.database.wrap(change.email.encode())
        if change.password_hash is not None:
            columns["password"] = self.database.wrap(change.password_hash)
            forget(db, user_id, but=keep_device)
            name = db.execute("SELECT username FROM users WHERE id = ?", (user_id,)).fetchone()
            self._lockout.clear_all(db, subject_of(name[0] if name else ""))
        if change.remove_totp:
            self._factor.remove(db, user_id)
        for column, value in columns.items():
            db.execute(f"UPDATE users SET {column} = ? WHERE id = ?", (value, user_id))  # noqa: S608

    def _facts(self, db: sqlite3.Connection, row: tuple[Any, ...]) -> Facts:
        user = User(row[1], UserRole(row[2]), row[0], bool(row[3]))
        email = self.database.unwrap(row[4]).decode()
        return Facts(user, email, row[5], row[6] or "", bool(row[7]), self._factor.codes_left(db, user.id))


def user_from(row: tuple[Any, ...] | None) -> User | None:
    """The user of a row that begins with id, username, role, totp."""
    return None if row is None else User(row[1], UserRole(row[2]), row[0], bool(row[3]))


class _NoAdminLeft(Exception):
    """Undoes the transaction."""


def _leave_an_admin(db: sqlite3.Connection) -> None:
    query = "SELECT count(*) FROM users WHERE role = ? AND NOT disabled"
    if not db.execute(query, (UserRole.ADMIN,)).fetchone()[0]:
        raise _NoAdminLeft


def _end_logins(db: sqlite3.Connection, user_id: int) -> None:
    db.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
    db.execute("DELETE FROM challenges WHERE user_id = ?", (user_id,))
