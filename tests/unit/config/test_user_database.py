"""The file itself: earlier releases' tables, and changing the key that wraps it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tbot_bot.config.lockout import LockoutRule
from tbot_bot.config.passwords import Hasher
from tbot_bot.config.security_users import LoginRefusal, User, UserStore
from tbot_bot.config.totp import new_recovery_codes, new_secret, recovery_digest
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.domain.settings import UserRole
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.encrypt_secrets import new_key

PASSWORD = "a battery of horses"
RULE = LockoutRule(limit=3, minutes=15)
VERSION_1 = """
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


def opened(path: Path, *keys: bytes) -> UserStore:
    return UserStore(path, keys, SystemClock(), cost=4)


def version_1(path: Path, key: bytes) -> None:
    """As release 0.2 left it, with one user, a login, and two failures of a stranger."""
    clock, wrap = SystemClock(), Fernet(key)
    now = clock.now().isoformat()
    subject = "d8a1ee3b0e7b3cf6d4a5a5e5f5c5b5a5d8a1ee3b0e7b3cf6d4a5a5e5f5c5b5a5"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1)
        password = wrap.encrypt(Hasher(4).hash(PASSWORD))
        db.execute("INSERT INTO users VALUES ('Ada', ?, 'admin', ?, ?)", (wrap.encrypt(b"a@b.c"), password, now))
        db.execute("INSERT INTO sessions VALUES ('aa', 'Ada', ?, ?)", (now, now))
        db.execute("INSERT INTO known_places VALUES (?, '127.0.0.1')", (subject,))
        db.executemany("INSERT INTO failures VALUES (?, 'strangers', ?)", [(subject, now)] * 2)
        db.commit()
    path.chmod(0o600)


def contents(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


def test_a_database_of_the_first_release_keeps_its_user(tmp_path: Path) -> None:
    path, key = tmp_path / "u.db", new_key()
    version_1(path, key)

    users = opened(path, key)
    users.create_database()

    assert users.try_password("ada", PASSWORD, "", RULE).user == User("Ada", UserRole.ADMIN)
    (facts,) = users.all()
    assert (facts.email, facts.disabled, facts.user.totp, facts.codes_left) == ("a@b.c", False, False, 0)
    with users.database.reading() as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
        assert db.execute("SELECT place, count FROM failures").fetchall() == [("strangers", 2)]
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert not {"known_places", "users_1", "failures_1"} & tables
    users.create_database()
    assert users.count() == 1


def test_with_another_key_the_old_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "u.db"
    version_1(path, new_key())
    before = contents(path)

    with pytest.raises(SecretUnavailable, match=r"login\.key"):
        opened(path, new_key()).create_database()

    assert contents(path) == before


def test_a_migration_that_fails_half_way_leaves_the_old_database(tmp_path: Path) -> None:
    path, key = tmp_path / "u.db", new_key()
    version_1(path, key)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE facts (in_the_way TEXT)")
    before = contents(path)

    with pytest.raises(sqlite3.OperationalError, match="facts"):
        opened(path, key).create_database()

    assert contents(path) == before


def test_in_the_middle_of_a_rotation_the_old_database_is_opened_by_the_key_that_wraps_it(tmp_path: Path) -> None:
    path, old, new = tmp_path / "u.db", new_key(), new_key()
    version_1(path, old)

    users = opened(path, new, old)
    users.create_database()
    users.rewrap()

    assert opened(path, new).verify() == 2


def test_tables_left_half_made_by_a_crash_are_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "u.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1.split("CREATE INDEX")[0])

    users = opened(path, new_key())
    users.create_database()

    assert users.register_first("ada", PASSWORD, "") == User("ada", UserRole.ADMIN)


def test_a_database_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    path, key = tmp_path / "u.db", new_key()
    opened(path, key).create_database()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 3")

    with pytest.raises(SecretUnavailable, match="later release"):
        opened(path, key).create_database()


class Rotated:
    """A database with everything in it that the login key wraps."""

    def __init__(self, path: Path) -> None:
        self.path, self.old, self.new = path, new_key(), new_key()
        self.users = opened(path, self.old)
        self.users.create_database()
        ada = self.users.register_first("ada", PASSWORD, "a@b.c")
        assert ada is not None
        self.codes = new_recovery_codes()
        self.users.enrol(ada, new_secret(), 1, tuple(filter(None, map(recovery_digest, self.codes))))


@pytest.fixture
def rotated(tmp_path: Path) -> Rotated:
    return Rotated(tmp_path / "u.db")


def test_rewrapping_puts_everything_under_the_new_key(rotated: Rotated) -> None:
    assert opened(rotated.path, rotated.new, rotated.old).rewrap() == 13

    users = opened(rotated.path, rotated.new)
    assert users.verify() == 13
    user = users.try_password("ada", PASSWORD, "", RULE).user
    assert user is not None
    assert users.try_code(user, rotated.codes[0], "", RULE).user == user
    with pytest.raises(SecretUnavailable):
        rotated.users.verify()


def test_rewrapping_twice_is_as_good_as_once(rotated: Rotated) -> None:
    both = opened(rotated.path, rotated.new, rotated.old)

    assert [both.rewrap(), both.rewrap(), opened(rotated.path, rotated.new).rewrap()] == [13, 13, 13]


def test_a_value_that_does_not_open_stops_the_rewrapping_and_nothing_is_changed(rotated: Rotated) -> None:
    with rotated.users.database.writing() as db:
        db.execute("UPDATE recovery_codes SET code = ? WHERE rowid = 10", (Fernet(new_key()).encrypt(b"x"),))
    before = contents(rotated.path)

    with pytest.raises(SecretUnavailable):
        opened(rotated.path, rotated.new, rotated.old).rewrap()

    assert contents(rotated.path) == before


def test_a_store_with_the_old_key_can_no_longer_write_what_no_one_could_open(rotated: Rotated) -> None:
    """An act that began before the rotation and ends after it."""
    opened(rotated.path, rotated.new, rotated.old).rewrap()
    before = contents(rotated.path)

    with pytest.raises(SecretUnavailable, match="try again"):
        rotated.users.add("bob", "", UserRole.VIEWER, rotated.users.hash(PASSWORD))

    assert contents(rotated.path) == before


def test_between_activation_and_rewrapping_both_kinds_of_rows_open(rotated: Rotated) -> None:
    both = opened(rotated.path, rotated.new, rotated.old)
    both.add("bob", "", UserRole.VIEWER, both.hash(PASSWORD))

    for name in ("ada", "bob"):
        assert both.try_password(name, PASSWORD, "", RULE).refusal is None
        assert both.try_password(name, "wrong", "", RULE).refusal is LoginRefusal.BAD_CREDENTIALS
    assert both.verify() == 15
