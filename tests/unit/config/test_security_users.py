import sqlite3
import stat
import statistics
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt
import pyotp
import pytest

from tbot_bot.config.devices import device_digest
from tbot_bot.config.lockout import LockoutRule
from tbot_bot.config.second_factor import CodeKind
from tbot_bot.config.security_users import Attempt, Change, ChangeRefusal, LoginRefusal, User, UserStore, may
from tbot_bot.config.totp import matching_step, new_recovery_codes, new_secret, recovery_digest
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.domain.settings import UserRole
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.encrypt_secrets import new_key
from tbot_bot.support.uptime import Uptime

PASSWORD = "a battery of horses"
RULE = LockoutRule(limit=3, minutes=15)
BAD, LOCKED = LoginRefusal.BAD_CREDENTIALS, LoginRefusal.LOCKED


class People:
    """A user database on a machine whose clock and uptime we hold."""

    def __init__(self, root: Path, cost: int = 4) -> None:
        self.path = root / "db" / "SYSTEM_USERS.db"
        self.clock = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))
        self.up = Uptime("first boot", 1000.0)
        self.key = new_key()
        self.users = self.opened(self.key, cost=cost)
        self.users.create_database()
        ada = self.users.register_first("ada", PASSWORD, "ada@example.com")
        assert ada is not None
        self.ada = ada
        self.device = device_digest(self.users.logged_in(ada, "", "10.0.0.1").cookie)

    def opened(self, *keys: bytes, cost: int = 4) -> UserStore:
        return UserStore(self.path, keys, self.clock, cost, lambda: self.up)

    def passes(self, minutes: float) -> None:
        """Time, by both clocks."""
        self.clock.advance(timedelta(minutes=minutes))
        self.up = Uptime(self.up.boot, self.up.seconds + minutes * 60)

    def reboot(self) -> None:
        self.up = Uptime("second boot", 10.0)

    def tries(self, password: str = "wrong", name: str = "ada", device: str = "") -> LoginRefusal | User:
        """The refusal, or who it was."""
        attempt = self.users.try_password(name, password, device, RULE)
        assert (attempt.user is None) == (attempt.refusal is not None)
        found = attempt.user or attempt.refusal
        assert found is not None
        return found

    def code_for(self, secret: str, minutes: float = 0.0) -> str:
        return pyotp.TOTP(secret).at(self.clock.now() + timedelta(minutes=minutes))

    def enrol(self) -> tuple[str, tuple[str, ...], User]:
        """The secret, the recovery codes, and the user as they are then. The code of this moment is used up."""
        secret, codes = new_secret(), new_recovery_codes()
        step = matching_step(secret, self.code_for(secret), self.clock.now())
        assert step is not None
        self.users.enrol(self.ada, secret, step, tuple(filter(None, map(recovery_digest, codes))))
        user = self.users.find("ada")
        assert user is not None
        return secret, codes, user


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path)


def test_the_right_password_lets_in_in_any_spelling_of_the_name(people: People) -> None:
    assert people.tries(PASSWORD) == User("ada", UserRole.ADMIN)
    assert people.tries(PASSWORD, name="ADA") == User("ada", UserRole.ADMIN)


@pytest.mark.parametrize("wrong", ["", "a battery of horse", PASSWORD + " ", PASSWORD.upper(), "x" * 100, "\0"])
def test_any_other_password_does_not(people: People, wrong: str) -> None:
    assert people.tries(wrong) is BAD


def test_all_of_a_long_password_counts(people: People) -> None:
    """bcrypt alone would cut at 72 bytes."""
    people.users.change(people.ada, Change(password_hash=people.users.hash("é" * 100 + "1")))

    assert people.tries("é" * 100 + "2") is BAD
    assert people.tries("e\u0301" * 100 + "1") == people.ada


def test_only_one_first_user_is_registered(people: People) -> None:
    assert people.users.register_first("eve", PASSWORD, "") is None
    assert people.users.count() == 1


def test_after_the_limit_even_the_right_password_waits(people: People) -> None:
    assert [people.tries() for _ in range(4)] == [BAD, BAD, BAD, LOCKED]
    assert people.tries(PASSWORD) is LOCKED

    people.passes(minutes=15)
    assert people.tries(PASSWORD) == people.ada


def test_the_failure_that_locks_says_so(people: People) -> None:
    attempts = [people.users.try_password("ada", "wrong", "", RULE) for _ in range(4)]

    assert [attempt.locks for attempt in attempts] == [False, False, True, False]


def test_a_lockout_lasts_from_its_last_failure(people: People) -> None:
    for _ in range(3):
        people.passes(minutes=14)
        assert people.tries() is BAD

    people.passes(minutes=14)
    assert people.tries(PASSWORD) is LOCKED
    people.passes(minutes=1)
    assert people.tries(PASSWORD) == people.ada


def test_failures_further_apart_than_the_lockout_do_not_add_up(people: People) -> None:
    for _ in range(5):
        people.passes(minutes=15)
        assert people.tries() is BAD


def test_strangers_cannot_lock_the_owners_device_out(people: People) -> None:
    for device in ("", device_digest("made up"), "x"):
        people.tries(device=device)

    assert people.tries(PASSWORD) is LOCKED
    assert people.tries(PASSWORD, device=people.device) == people.ada


def test_a_device_of_one_user_is_a_stranger_for_another(people: People) -> None:
    eve = people.users.add("eve", "", UserRole.VIEWER, people.users.hash(PASSWORD))
    assert eve is not None
    eves = device_digest(people.users.logged_in(eve, "", "6.6.6.6").cookie)
    for _ in range(3):
        people.tries(device=eves)

    assert people.tries(PASSWORD) is LOCKED


def test_a_success_clears_earlier_failures_at_its_place_only(people: People) -> None:
    for device in (people.device, people.device, "", ""):
        people.tries(device=device)
    people.tries(PASSWORD, device=people.device)

    assert [people.tries(device=people.device) for _ in range(4)] == [BAD, BAD, BAD, LOCKED]
    assert [people.tries() for _ in range(2)] == [BAD, LOCKED]


def test_an_unknown_name_locks_like_a_known_one(people: People) -> None:
    assert [people.tries(name="eve") for _ in range(4)] == [BAD, BAD, BAD, LOCKED]


def test_setting_the_clock_neither_ends_nor_lengthens_a_lockout(people: People) -> None:
    for days in (-30, 30, 365):
        for _ in range(3):
            people.tries()
        people.clock.advance(timedelta(days=days))

        assert people.tries(PASSWORD) is LOCKED
        people.passes(minutes=15)
        assert people.tries(PASSWORD) == people.ada


def test_a_lockout_survives_a_restart_of_the_machine_and_ends_on_time(people: People) -> None:
    for _ in range(3):
        people.tries()
    people.clock.advance(timedelta(minutes=10))
    people.reboot()

    assert people.tries(PASSWORD) is LOCKED
    people.passes(minutes=5)
    assert people.tries(PASSWORD) == people.ada


def test_after_a_restart_with_the_clock_set_back_a_lockout_lasts_its_minutes_once_more(people: People) -> None:
    for _ in range(3):
        people.tries()
    people.clock.advance(timedelta(days=-30))
    people.reboot()

    assert people.tries(PASSWORD) is LOCKED
    people.passes(minutes=15)
    assert people.tries(PASSWORD) == people.ada


def test_old_failures_of_made_up_names_are_tidied_away(people: People) -> None:
    for number in range(20):
        people.tries(name=f"made-up-{number}")
    people.passes(minutes=14)
    people.tries(name="recent")
    people.passes(minutes=1)

    people.users.tidy(RULE)

    with people.users.database.reading() as db:
        assert db.execute("SELECT count(*) FROM failures").fetchone() == (1,)


@pytest.mark.parametrize("who", ["unknown", "disabled", "without roles"])
def test_who_cannot_log_in_takes_as_long_as_a_wrong_password(tmp_path: Path, who: str) -> None:
    people = People(tmp_path, cost=6)
    bob = people.users.add("bob", "", UserRole.VIEWER, people.users.hash(PASSWORD))
    assert bob is not None
    people.users.change(bob, Change(disabled=who == "disabled"))
    name = "nobody" if who == "unknown" else "bob"
    rule = LockoutRule(limit=100_000, minutes=15)

    def seconds(username: str, password: str) -> float:
        began = time.thread_time()
        attempt = people.users.try_password(username, password, "", rule, admins_only=who == "without roles")
        assert (attempt.user, attempt.refusal) == (None, BAD)
        return time.thread_time() - began

    def medians_apart() -> float:
        """Taken in turn, so that whatever else the machine does falls on both alike."""
        pairs = [(seconds(name, PASSWORD), seconds("ada", "wrong password")) for _ in range(41)]
        theirs, known = (statistics.median(times) for times in zip(*pairs, strict=True))
        return abs(theirs / known - 1)

    # A bias would fail each time; noise does not.
    assert any(medians_apart() < 0.10 for _ in range(4))


def test_an_old_cost_is_raised_at_the_next_login_and_only_then(people: People) -> None:
    def cost() -> bytes:
        with people.users.database.reading() as db:
            wrapped = db.execute("SELECT password FROM users").fetchone()[0]
        return people.users.database.unwrap(wrapped)[:7]

    people.users = people.opened(people.key, cost=5)
    people.tries("wrong")
    assert cost() == b"$2b$04$"
    assert people.tries(PASSWORD) == people.ada
    assert cost() == b"$2b$05$"
    assert people.tries(PASSWORD) == people.ada
    people.users = people.opened(people.key, cost=4)
    assert people.tries(PASSWORD) == people.ada
    assert cost() == b"$2b$05$"


def test_a_code_works_once_within_a_step_of_now(people: People) -> None:
    secret, _, user = people.enrol()

    def used(code: str) -> CodeKind | None:
        return people.users.try_code(user, code, people.device, LockoutRule(100, 15)).code

    assert used(people.code_for(secret)) is None, "the enrolment used it up"
    assert used(people.code_for(secret, minutes=0.5)) is CodeKind.TOTP
    assert used(people.code_for(secret, minutes=0.5)) is None
    assert used(people.code_for(secret)) is None, "older than one that was used"
    people.passes(minutes=5)
    assert used(people.code_for(secret, minutes=-1)) is None
    assert used(people.code_for(secret, minutes=1)) is None
    assert used(people.code_for(secret, minutes=-0.5)) is CodeKind.TOTP
    assert used(people.code_for(secret)) is CodeKind.TOTP


def test_a_used_code_stays_used_after_a_restart(people: People) -> None:
    secret, _, user = people.enrol()
    people.passes(minutes=5)
    code = people.code_for(secret)
    assert people.users.try_code(user, code, "", RULE).code is CodeKind.TOTP

    assert people.opened(people.key).try_code(user, code, "", RULE).refusal is BAD


@pytest.mark.parametrize("code", ["", "1", "1234567", "abcdef", "١٢٣٤٥٦", "000000\0", "A" * 15, "\ud800"])
def test_no_other_text_is_a_code(people: People, code: str) -> None:
    _, _, user = people.enrol()

    assert people.users.try_code(user, code, "", RULE).refusal is BAD


def test_each_recovery_code_works_once_however_it_is_typed(people: People) -> None:
    _, codes, user = people.enrol()
    assert len(set(codes)) == 10

    for typed in (codes[0], codes[1].lower(), codes[2].replace("-", " "), codes[3].replace("-", "")):
        assert people.users.try_code(user, typed, "", RULE).code is CodeKind.RECOVERY
        assert people.users.try_code(user, typed, "", RULE).refusal is BAD
        people.passes(minutes=15)
    facts = people.users.facts(user)
    assert facts is not None
    assert facts.codes_left == 6


def test_wrong_codes_lock_like_wrong_passwords_and_count_with_them(people: People) -> None:
    secret, _, user = people.enrol()
    people.passes(minutes=5)
    people.tries()

    # The right password forgives nothing while the code is missing: whoever has it could guess codes for ever.
    assert people.tries(PASSWORD) == user
    refusals = [people.users.try_code(user, "000000", "", RULE) for _ in range(3)]
    assert [(one.refusal, one.locks) for one in refusals] == [(BAD, False), (BAD, True), (LOCKED, False)]
    assert people.users.try_code(user, people.code_for(secret), "", RULE).refusal is LOCKED
    assert people.tries(PASSWORD) is LOCKED


def test_the_right_code_forgives(people: People) -> None:
    secret, _, user = people.enrol()
    people.passes(minutes=5)
    people.tries()
    people.tries()
    people.users.try_code(user, people.code_for(secret), "", RULE)

    assert [people.tries() for _ in range(4)] == [BAD, BAD, BAD, LOCKED]


def test_after_removal_no_code_is_asked_for_and_none_works(people: People) -> None:
    secret, codes, user = people.enrol()
    people.users.change(user, Change(remove_totp=True))
    people.passes(minutes=5)

    now = people.users.find("ada")
    assert now is not None
    assert not now.totp
    assert people.users.try_code(now, people.code_for(secret), "", RULE) == Attempt(None, BAD)
    assert people.users.try_code(now, codes[0], "", RULE).refusal is BAD


@pytest.mark.parametrize("change", [Change(role=UserRole.TRADER), Change(disabled=True)])
def test_the_last_admin_who_can_log_in_stays(people: People, change: Change) -> None:
    bob = people.users.add("bob", "", UserRole.ADMIN, people.users.hash(PASSWORD))
    assert bob is not None
    assert people.users.change(bob, Change(disabled=True)) is None

    assert people.users.change(people.ada, change) is ChangeRefusal.LAST_ADMIN
    assert people.users.remove(people.ada) is ChangeRefusal.LAST_ADMIN
    assert people.users.find("ada") == people.ada
    assert people.users.change(bob, Change(disabled=False)) is None
    assert people.users.change(people.ada, change) is None


def test_a_name_belongs_to_one_user_in_any_spelling(people: People) -> None:
    bob = people.users.add("bob", "", UserRole.VIEWER, people.users.hash(PASSWORD))
    assert bob is not None

    assert people.users.add("ADA", "", UserRole.ADMIN, people.users.hash(PASSWORD)) is None
    assert people.users.change(bob, Change(username="Ada", role=UserRole.ADMIN)) is ChangeRefusal.NAME_TAKEN
    assert people.users.find("bob") == bob


def test_a_renamed_user_keeps_everything_else(people: People) -> None:
    secret, _, user = people.enrol()
    people.passes(minutes=5)
    people.users.change(user, Change(username="countess"))

    assert people.tries(PASSWORD) is BAD
    assert people.tries(PASSWORD, name="countess", device=people.device) == User("countess", UserRole.ADMIN)
    renamed = people.users.find("countess")
    assert renamed is not None
    assert people.users.try_code(renamed, people.code_for(secret), people.device, RULE).code is CodeKind.TOTP


def test_a_new_password_forgets_all_devices_but_the_one_it_was_set_from(people: People) -> None:
    other = people.users.logged_in(people.ada, "", "10.0.0.2").cookie
    change = Change(password_hash=people.users.hash("another long password"))

    assert people.users.change(people.ada, change, keep_device=people.device) is None

    assert not people.users.trusts(other)
    for _ in range(3):
        people.tries()
    assert people.tries("another long password", device=people.device) == people.ada


def test_a_cookie_that_we_did_not_give_out_is_replaced(people: People) -> None:
    planted = people.users.logged_in(people.ada, "planted by a stranger", "10.0.0.1")

    assert planted.cookie != "planted by a stranger"
    assert planted.new
    assert not people.users.trusts("planted by a stranger")
    again = people.users.logged_in(people.ada, planted.cookie, "10.0.0.1")
    assert (again.cookie, again.new) == (planted.cookie, False)


def test_a_user_has_at_most_fifty_devices_and_none_for_longer_than_a_year(people: People) -> None:
    cookies = []
    for _ in range(51):
        people.passes(minutes=1)
        cookies.append(people.users.logged_in(people.ada, "", "10.0.0.1").cookie)
    assert [people.users.trusts(cookie) for cookie in (cookies[0], cookies[1], cookies[50])] == [False, True, True]

    people.clock.advance(timedelta(days=366))
    people.users.logged_in(people.ada, "", "10.0.0.1")
    assert not people.users.trusts(cookies[50])


def test_the_database_is_private_and_holds_nothing_readable(people: People) -> None:
    people.tries(name="a password typed as the name")
    secret, codes, _ = people.enrol()
    cookie = people.users.logged_in(people.ada, "", "10.0.0.1").cookie
    content = b"".join(file.read_bytes() for file in people.path.parent.iterdir())

    assert stat.S_IMODE(people.path.stat().st_mode) == 0o600
    digests = [digest for digest in map(recovery_digest, codes) if digest is not None]
    for planted in (b"$2b$", b"example.com", b"battery", b"typed as the name", secret.encode(), cookie.encode()):
        assert planted not in content
    assert len(digests) == 10
    assert not any(digest in content for digest in digests)
    with closing(sqlite3.connect(people.path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_wrong_login_key_is_an_error_and_no_login(people: People) -> None:
    with pytest.raises(SecretUnavailable, match=r"login\.key"):
        people.opened(new_key()).try_password("ada", PASSWORD, people.device, RULE)


@pytest.mark.parametrize("name", ["' OR 1=1 --", "%", "ada\0", "", "x" * 1000, "\u0130"])
def test_names_made_to_hurt_are_just_unknown(people: People, name: str) -> None:
    assert people.tries(PASSWORD, name=name) is BAD


def test_each_role_includes_those_below_it() -> None:
    order = (UserRole.VIEWER, UserRole.TRADER, UserRole.ADMIN)
    for place, role in enumerate(order):
        assert [may(User("x", role), needed) for needed in order] == [place >= other for other in range(3)]


def test_what_bcrypt_is_given_fits_it(people: People) -> None:
    """bcrypt 5 raises over 72 bytes; the pre-hash is 44."""
    with pytest.raises(ValueError, match="72"):
        bcrypt.hashpw(b"x" * 73, bcrypt.gensalt(4))
    assert people.users.hash("x" * 128)
