import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbot_bot.config.login_sessions import LoginSessions
from tbot_bot.config.security_users import User, UserStore
from tbot_bot.domain.settings import UserRole
from tbot_bot.interface.sessions import Sessions
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.encrypt_secrets import new_key
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.session_record import digest

HOUR = timedelta(hours=1)
ADA = User("ada", UserRole.ADMIN)


class Logins:
    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.clock = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))
        self.users = UserStore(root / "u.db", (new_key(),), self.clock, cost=4)
        self.users.create_database()
        self.users.register_first("ada", "a battery of horses", "", "ip")
        self.sessions = LoginSessions(self.paths, self.clock, self.users, (new_key(),))
        self.web = Sessions(self.paths, self.clock)


@pytest.fixture
def logins(tmp_path: Path) -> Logins:
    return Logins(tmp_path)


def test_a_login_is_known_to_runner_and_web_until_it_ends(logins: Logins) -> None:
    token = logins.sessions.begin(ADA, HOUR).token

    assert logins.sessions.check(token) == ADA
    seen = logins.web.lookup(token)
    assert seen is not None
    assert (seen.user, seen.role, seen.expires_at) == ("ada", "admin", logins.clock.now() + HOUR)
    logins.clock.advance(HOUR)
    assert logins.sessions.check(token) is None
    assert logins.web.lookup(token) is None


@pytest.mark.parametrize("tail", ["\n", " ", "=", "==", "\0", "é"])
def test_a_token_that_still_decrypts_but_is_not_the_exact_one_is_refused(logins: Logins, tail: str) -> None:
    token = logins.sessions.begin(ADA, HOUR).token

    assert logins.sessions.check(token + tail) is None
    assert logins.web.lookup(token + tail) is None


@pytest.mark.parametrize("cookie", ["", "x", "../../etc/passwd", "x" * 5000, "\ud800"])
def test_anything_else_is_no_login(logins: Logins, cookie: str) -> None:
    assert logins.sessions.check(cookie) is None
    assert logins.web.lookup(cookie) is None


def test_each_login_is_new(logins: Logins) -> None:
    first, second = logins.sessions.begin(ADA, HOUR), logins.sessions.begin(ADA, HOUR)

    assert first.token != second.token
    logins.sessions.end(first.token)
    assert logins.sessions.check(first.token) is None
    assert logins.sessions.check(second.token) == ADA


def test_a_file_written_by_the_web_is_no_login_for_the_runner(logins: Logins) -> None:
    real = logins.sessions.begin(ADA, HOUR).token
    (logins.paths.sessions / digest("forged")).write_bytes((logins.paths.sessions / digest(real)).read_bytes())

    assert logins.sessions.check("forged") is None
    logins.sessions.sweep()
    assert [path.name for path in logins.paths.sessions.iterdir()] == [digest(real)]


def test_a_changed_record_lengthens_nothing_for_the_runner(logins: Logins) -> None:
    token = logins.sessions.begin(ADA, HOUR).token
    path = logins.paths.sessions / digest(token)
    path.write_text(path.read_text().replace("2026-01-05T15", "2036-01-05T15"))

    logins.clock.advance(HOUR)
    assert logins.sessions.check(token) is None


def test_another_session_key_ends_all_logins(logins: Logins) -> None:
    token = logins.sessions.begin(ADA, HOUR).token

    assert LoginSessions(logins.paths, logins.clock, logins.users, (new_key(),)).check(token) is None


def test_ended_logins_are_swept_away(logins: Logins) -> None:
    logins.sessions.begin(ADA, HOUR)
    logins.clock.advance(HOUR)

    logins.sessions.sweep()

    assert list(logins.paths.sessions.iterdir()) == []


def test_the_file_holds_no_token_and_is_not_for_everyone(logins: Logins) -> None:
    token = logins.sessions.begin(ADA, HOUR).token
    (path,) = logins.paths.sessions.iterdir()

    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
