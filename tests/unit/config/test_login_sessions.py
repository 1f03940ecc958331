import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbot_bot.config.challenges import Challenges
from tbot_bot.config.login_sessions import Limits, LoginSessions
from tbot_bot.config.security_users import Change, User, UserStore
from tbot_bot.domain.settings import UserRole
from tbot_bot.interface.sessions import Sessions
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.encrypt_secrets import new_key
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.session_record import digest
from tbot_bot.support.uptime import Uptime

HOUR = timedelta(hours=1)
IDLE = timedelta(minutes=20)
LIMITS = Limits(IDLE, HOUR)


class Logins:
    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.clock = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))
        self.users = UserStore(root / "u.db", (new_key(),), self.clock, cost=4)
        self.users.create_database()
        first = self.users.register_first("ada", "a battery of horses", "")
        assert first is not None
        self.ada = first
        self.key = new_key()
        self.up = Uptime("this boot", 1000.0)
        self.sessions = self.reopened(self.key)
        self.web = Sessions(self.paths, self.clock)

    def reopened(self, *keys: bytes) -> LoginSessions:
        return LoginSessions(self.paths, self.clock, self.users, keys, lambda: self.up)

    def begin(self, user: User | None = None) -> str:
        return self.sessions.begin(user or self.ada, LIMITS, ip="192.0.2.7", device="d" * 64).token

    def other_user(self, role: UserRole = UserRole.VIEWER) -> User:
        user = self.users.add("bob", "", role, self.users.hash("a battery of horses"))
        assert user is not None
        return user

    def known(self, token: str) -> tuple[User | None, bool]:
        """As the runner and as the web see it."""
        return self.sessions.check(token), self.web.lookup(token) is not None


@pytest.fixture
def logins(tmp_path: Path) -> Logins:
    return Logins(tmp_path)


GONE = (None, False)


def test_a_login_is_known_to_runner_and_web_until_it_ends(logins: Logins) -> None:
    token = logins.begin()

    assert logins.sessions.check(token) == logins.ada
    seen = logins.web.lookup(token)
    assert seen is not None
    assert (seen.user, seen.role, seen.expires_at) == ("ada", "admin", logins.clock.now() + HOUR)
    logins.sessions.end(token)
    assert logins.known(token) == GONE


def test_a_login_ends_when_it_is_idle_for_too_long(logins: Logins) -> None:
    token = logins.begin()

    logins.clock.advance(IDLE - timedelta(seconds=1))
    assert logins.known(token) == (logins.ada, True)
    logins.clock.advance(timedelta(seconds=1))
    assert logins.known(token) == GONE


def test_activity_keeps_it_alive_but_never_past_its_end(logins: Logins) -> None:
    token = logins.begin()
    seed = logins.web.lookup(token)
    for _ in range(3):
        logins.clock.advance(IDLE - timedelta(seconds=1))
        logins.sessions.touch(token, LIMITS)
        assert logins.known(token) == (logins.ada, True)
        now = logins.web.lookup(token)
        assert now is not None
        assert seed is not None
        assert now.csrf_seed == seed.csrf_seed

    logins.clock.advance(timedelta(seconds=3))
    assert logins.known(token) == GONE


def test_a_touch_brings_no_ended_login_back(logins: Logins) -> None:
    token = logins.begin()
    logins.sessions.end(token)

    logins.sessions.touch(token, LIMITS)

    assert logins.known(token) == GONE
    assert list(logins.paths.sessions.iterdir()) == []


def test_touches_in_quick_succession_are_not_written(logins: Logins) -> None:
    token = logins.begin()
    before = (logins.paths.sessions / digest(token)).read_bytes()

    logins.clock.advance(timedelta(seconds=59))
    logins.sessions.touch(token, LIMITS)

    assert (logins.paths.sessions / digest(token)).read_bytes() == before


def test_the_web_learns_how_often_to_tell_of_activity(logins: Logins) -> None:
    seen = logins.web.lookup(logins.begin())

    assert seen is not None
    assert seen.touch_every == timedelta(seconds=60)


@pytest.mark.parametrize("tail", ["\n", " ", "=", "==", "\0", "é"])
def test_a_token_that_still_decrypts_but_is_not_the_exact_one_is_refused(logins: Logins, tail: str) -> None:
    token = logins.begin()

    assert logins.known(token + tail) == GONE


@pytest.mark.parametrize("cookie", ["", "x", "../../etc/passwd", "x" * 5000, "\ud800"])
def test_anything_else_is_no_login(logins: Logins, cookie: str) -> None:
    assert logins.known(cookie) == GONE


def test_each_login_is_new(logins: Logins) -> None:
    first, second = logins.begin(), logins.begin()

    assert first != second
    logins.sessions.end(first)
    assert logins.sessions.check(first) is None
    assert logins.sessions.check(second) == logins.ada


def test_all_other_logins_of_a_user_can_be_ended(logins: Logins) -> None:
    first, second, foreign = logins.begin(), logins.begin(), logins.begin(logins.other_user())

    assert logins.sessions.end_others(logins.ada, second) == 1

    assert logins.known(first) == GONE
    assert logins.known(second)[1]
    assert logins.known(foreign)[1]


def test_one_login_can_be_ended_by_its_id_and_only_by_its_user(logins: Logins) -> None:
    token = logins.begin()
    (row,) = logins.sessions.rows_of(logins.ada)

    assert logins.sessions.end_of(logins.other_user(), row.id) == 0
    assert logins.known(token)[1]
    assert logins.sessions.end_of(logins.ada, row.id) == 1
    assert logins.known(token) == GONE


@pytest.mark.parametrize(
    "change",
    [
        Change(role=UserRole.TRADER),
        Change(disabled=True),
        Change(username="robert"),
        Change(password_hash=b"x"),
        Change(remove_totp=True),
    ],
)
def test_a_change_of_who_may_do_what_ends_the_logins_of_that_user_only(logins: Logins, change: Change) -> None:
    bob = logins.other_user()
    mine, theirs = logins.begin(), logins.begin(bob)

    assert logins.users.change(bob, change) is None
    assert logins.sessions.check(theirs) is None
    logins.sessions.prune()

    assert logins.known(theirs) == GONE
    assert logins.known(mine) == (logins.ada, True)


def test_a_removed_user_has_no_login_any_more(logins: Logins) -> None:
    bob = logins.other_user()
    token = logins.begin(bob)

    assert logins.users.remove(bob) is None
    logins.sessions.prune()

    assert logins.known(token) == GONE


def test_a_file_written_by_the_web_is_no_login_for_the_runner(logins: Logins) -> None:
    real = logins.begin()
    (logins.paths.sessions / digest("forged")).write_bytes((logins.paths.sessions / digest(real)).read_bytes())

    assert logins.sessions.check("forged") is None
    logins.sessions.sweep()
    assert [path.name for path in logins.paths.sessions.iterdir()] == [digest(real)]


def test_a_changed_record_lengthens_nothing_for_the_runner(logins: Logins) -> None:
    token = logins.begin()
    path = logins.paths.sessions / digest(token)
    path.write_text(path.read_text().replace("2026-01-05T15", "2036-01-05T15").replace("T14:50", "T23:50"))

    logins.clock.advance(IDLE)
    assert logins.sessions.check(token) is None


def test_another_session_key_ends_all_logins_at_once(logins: Logins) -> None:
    token, fresh = logins.begin(), new_key()

    now = logins.reopened(fresh, logins.key)

    assert now.ended == 1
    assert now.check(token) is None
    assert logins.web.lookup(token) is None
    assert logins.reopened(fresh).ended == 0


def test_the_same_session_key_ends_none(logins: Logins) -> None:
    token = logins.begin()

    assert logins.reopened(logins.key).check(token) == logins.ada


def test_no_restart_with_the_clock_set_back_lengthens_a_login(logins: Logins) -> None:
    idle, busy = logins.begin(), logins.begin()
    logins.clock.advance(IDLE / 2)
    logins.sessions.touch(busy, LIMITS)

    def seen(minutes: float) -> list[bool]:
        """By a runner started anew, so long after the logins began, on a clock that was stopped and set back."""
        logins.up = Uptime("this boot", 1000.0 + minutes * 60)
        return [logins.reopened(logins.key).check(token) is not None for token in (idle, busy)]

    logins.clock.advance(-IDLE / 4)
    assert seen(19) == [True, True]
    assert seen(20) == [False, True]
    assert seen(30) == [False, False]


def test_ended_logins_are_swept_away_and_named(logins: Logins) -> None:
    logins.begin()
    logins.clock.advance(IDLE)

    assert logins.sessions.sweep() == ("ada",)
    assert list(logins.paths.sessions.iterdir()) == []


def test_without_roles_only_the_admins_logins_go_on(logins: Logins) -> None:
    mine, theirs = logins.begin(), logins.begin(logins.other_user())

    assert logins.sessions.end_all_but_admins() == 1
    assert (logins.known(mine)[1], logins.known(theirs)) == (True, GONE)
    assert logins.sessions.end_all() == 1
    assert logins.known(mine) == GONE


def test_the_file_holds_no_token_and_is_not_for_everyone(logins: Logins) -> None:
    token = logins.begin()
    (path,) = logins.paths.sessions.iterdir()

    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_challenge_and_a_login_never_pass_for_each_other(logins: Logins) -> None:
    challenges = Challenges(logins.clock, logins.users, (logins.key,))
    token, challenge = logins.begin(), challenges.make(logins.ada, "")

    assert logins.sessions.check(challenge) is None
    assert challenges.take(token, "") is None
    assert challenges.take(challenge, "") == logins.ada


def test_the_purpose_inside_is_what_counts_not_the_list_it_stands_on(logins: Logins) -> None:
    """Even with its hash on the other's allow-list, a token of one kind is none of the other."""
    challenges = Challenges(logins.clock, logins.users, (logins.key,))
    token, challenge = logins.begin(), challenges.make(logins.ada, "")
    with logins.users.database.writing() as db:
        db.execute("UPDATE sessions SET digest = ?", (digest(challenge),))
        db.execute("UPDATE challenges SET digest = ?", (digest(token),))
    record = logins.paths.sessions / digest(token)
    record.rename(record.with_name(digest(challenge)))

    assert logins.sessions.check(challenge) is None
    assert challenges.take(token, "") is None


def test_a_challenge_works_once_for_its_device_and_for_five_minutes(logins: Logins) -> None:
    challenges = Challenges(logins.clock, logins.users, (logins.key,))
    used, foreign, late = (challenges.make(logins.ada, "device") for _ in range(3))

    assert [challenges.take(used, "device"), challenges.take(used, "device")] == [logins.ada, None]
    assert challenges.take(foreign, "another") is None
    assert challenges.take(foreign, "device") is None
    logins.clock.advance(timedelta(minutes=5))
    assert challenges.take(late, "device") is None


@pytest.mark.parametrize("text", ["", "x", "x" * 5000, "\ud800", "é"])
def test_no_other_text_is_a_challenge(logins: Logins, text: str) -> None:
    assert Challenges(logins.clock, logins.users, (logins.key,)).take(text, "") is None
