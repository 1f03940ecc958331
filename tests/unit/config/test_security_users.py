import sqlite3
import stat
import statistics
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbot_bot.config.security_users import LockoutRule, LoginRefusal, User, UserStore, may
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.domain.settings import UserRole
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.encrypt_secrets import new_key

PASSWORD = "a battery of horses"
RULE = LockoutRule(limit=3, minutes=15)
BAD, LOCKED = LoginRefusal.BAD_CREDENTIALS, LoginRefusal.LOCKED


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))


@pytest.fixture
def users(tmp_path: Path, clock: ManualClock) -> UserStore:
    store = UserStore(tmp_path / "db" / "SYSTEM_USERS.db", (new_key(),), clock, cost=4)
    store.create_database()
    store.register_first("ada", PASSWORD, "ada@example.com", "10.0.0.1")
    return store


def test_the_right_password_lets_in_in_any_spelling_of_the_name(users: UserStore) -> None:
    assert users.authenticate("ada", PASSWORD, "10.0.0.1", RULE) == User("ada", UserRole.ADMIN)
    assert users.authenticate("ADA", PASSWORD, "10.0.0.1", RULE) == User("ada", UserRole.ADMIN)


@pytest.mark.parametrize("wrong", ["", "a battery of horse", PASSWORD + " ", PASSWORD.upper(), "x" * 100, "\0"])
def test_any_other_password_does_not(users: UserStore, wrong: str) -> None:
    assert users.authenticate("ada", wrong, "10.0.0.1", RULE) is BAD


def test_all_of_a_long_password_counts(tmp_path: Path, clock: ManualClock) -> None:
    """bcrypt alone would cut at 72 bytes."""
    users = UserStore(tmp_path / "u.db", (new_key(),), clock, cost=4)
    users.create_database()
    users.register_first("ada", "é" * 100 + "1", "", "ip")

    assert users.authenticate("ada", "é" * 100 + "2", "ip", RULE) is BAD
    assert users.authenticate("ada", "e\u0301" * 100 + "1", "ip", RULE) == User("ada", UserRole.ADMIN)


def test_only_one_first_user_is_registered(users: UserStore) -> None:
    assert users.register_first("eve", PASSWORD, "", "ip") is None
    assert users.count() == 1


def test_after_the_limit_even_the_right_password_waits(users: UserStore, clock: ManualClock) -> None:
    assert [users.authenticate("ada", "wrong", "6.6.6.6", RULE) for _ in range(4)] == [BAD, BAD, BAD, LOCKED]
    assert users.authenticate("ada", PASSWORD, "6.6.6.6", RULE) is LOCKED

    clock.advance(timedelta(minutes=15))
    assert users.authenticate("ada", PASSWORD, "6.6.6.6", RULE) == User("ada", UserRole.ADMIN)


def test_a_stranger_cannot_lock_the_owner_out(users: UserStore) -> None:
    for place in ("6.6.6.6", "6.6.6.7", "6.6.6.8"):
        users.authenticate("ada", "wrong", place, RULE)

    assert users.authenticate("ada", PASSWORD, "6.6.6.9", RULE) is LOCKED
    assert users.authenticate("ada", PASSWORD, "10.0.0.1", RULE) == User("ada", UserRole.ADMIN)


def test_a_success_clears_earlier_failures(users: UserStore) -> None:
    for _ in range(2):
        users.authenticate("ada", "wrong", "10.0.0.1", RULE)
    users.authenticate("ada", PASSWORD, "10.0.0.1", RULE)

    assert [users.authenticate("ada", "wrong", "10.0.0.1", RULE) for _ in range(3)] == [BAD, BAD, BAD]


def test_an_unknown_name_locks_like_a_known_one(users: UserStore) -> None:
    assert [users.authenticate("eve", "wrong", "6.6.6.6", RULE) for _ in range(4)] == [BAD, BAD, BAD, LOCKED]


def test_a_clock_set_back_does_not_lengthen_a_lockout(users: UserStore, clock: ManualClock) -> None:
    for _ in range(3):
        users.authenticate("ada", "wrong", "6.6.6.6", RULE)

    clock.advance(timedelta(days=-30))
    assert users.authenticate("ada", PASSWORD, "6.6.6.6", RULE) == User("ada", UserRole.ADMIN)


def test_an_unknown_user_takes_as_long_as_a_known_one(tmp_path: Path, clock: ManualClock) -> None:
    users = UserStore(tmp_path / "u.db", (new_key(),), clock, cost=8)
    users.create_database()
    users.register_first("ada", PASSWORD, "", "ip")
    rule = LockoutRule(limit=1000, minutes=15)

    def median(name: str) -> float:
        times = []
        for _ in range(15):
            began = time.thread_time()
            users.authenticate(name, "wrong password", "ip", rule)
            times.append(time.thread_time() - began)
        return statistics.median(times)

    assert median("eve") == pytest.approx(median("ada"), rel=0.25)


def test_the_database_is_private_and_holds_nothing_readable(users: UserStore, tmp_path: Path) -> None:
    users.authenticate("a password typed as the name", "wrong", "6.6.6.6", RULE)
    path = tmp_path / "db" / "SYSTEM_USERS.db"
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for secret in (b"$2b$", b"example.com", b"battery", b"typed as the name"):
        assert secret not in content
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_wrong_login_key_is_an_error_and_no_login(users: UserStore, tmp_path: Path, clock: ManualClock) -> None:
    other = UserStore(tmp_path / "db" / "SYSTEM_USERS.db", (new_key(),), clock, cost=4)

    with pytest.raises(SecretUnavailable):
        other.authenticate("ada", PASSWORD, "10.0.0.1", RULE)


@pytest.mark.parametrize("name", ["' OR 1=1 --", "%", "ada\0", "", "x" * 1000])
def test_names_made_to_hurt_are_just_unknown(users: UserStore, name: str) -> None:
    assert users.authenticate(name, PASSWORD, "10.0.0.1", RULE) is BAD


def test_each_role_includes_those_below_it() -> None:
    order = (UserRole.VIEWER, UserRole.TRADER, UserRole.ADMIN)
    for place, role in enumerate(order):
        assert [may(User("x", role), needed) for needed in order] == [place >= other for other in range(3)]
