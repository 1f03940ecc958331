"""Coming in and going, as the web asks for it: through request files, to a real runner."""

from typing import Any

import pyotp
import pytest

from tbot_bot.config.login_sessions import LoginSessions
from tbot_bot.domain.settings import UserRole
from tbot_bot.interface.sessions import Sessions
from tests.unit.config.conftest import PASSWORD, step_up


def test_a_login_brings_a_token_and_a_device_that_is_kept(ready: Any) -> None:
    first = ready.register()
    reply = ready.log_in()
    again = ready.log_in(device=reply.body["device"])

    assert {"token", "user", "role", "expires_at", "device", "device_expires_at"} == set(reply.body)
    assert (reply.body["user"], reply.body["role"]) == ("ada", "admin")
    assert again.body["device"] == reply.body["device"]
    assert len({first, reply.body["token"], again.body["token"]}) == 3
    assert len(ready.events("device_trusted")) == 2, "at the registration, and at the login without its cookie"


def test_a_registration_whose_login_fails_says_that_the_user_is_there(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LoginSessions, "begin", fail)
    reply = ready.ask("register", {"username": "ada", "password": PASSWORD, "email": "ada@example.com"})
    monkeypatch.undo()

    assert (reply.ok, reply.code) == (False, "registered")
    assert "Log in now" in reply.message
    assert ready.log_in().ok


def test_the_token_that_comes_along_to_a_login_is_dead_afterwards(ready: Any) -> None:
    old = ready.register()

    new = ready.ask("login", {"username": "ada", "password": PASSWORD}, old).body["token"]

    assert ready.ask("account", token=old).code == "expired"
    assert ready.ask("account", token=new).ok


@pytest.mark.parametrize("who", ["unknown", "disabled", "without roles"])
def test_who_cannot_log_in_gets_the_words_of_a_wrong_password(ready: Any, who: str) -> None:
    admin = ready.register()
    ready.add_user(admin, "bob", "trader")
    if who == "disabled":
        assert ready.ask("user_change", {"username": "bob", "disabled": True, **step_up()}, admin).ok
    if who == "without roles":
        ready.save(admin, {"RBAC_ENABLED": "false"})

    wrong = ready.log_in("ada", password="wrong")
    refused = ready.log_in("nobody" if who == "unknown" else "bob")

    assert refused == wrong
    assert refused.code == "bad_credentials"
    assert [row["actor"] for row in ready.events("login_refused")] == ["ada", "unknown" if who == "unknown" else "bob"]


def test_without_roles_the_others_logins_end_and_come_back_with_the_roles(ready: Any) -> None:
    admin = ready.register()
    trader = ready.add_user(admin, "bob", "trader")
    ready.save(admin, {"RBAC_ENABLED": "false"})

    assert ready.ask("account", token=trader).code == "expired"
    assert ready.ask("account", token=admin).ok
    assert Sessions(ready.paths, ready.clock).lookup(trader) is None
    assert {"count": 1, "why": "roles are off"}.items() <= ready.events("logins_ended")[0].items()
    ready.save(admin, {"RBAC_ENABLED": "true"})
    assert ready.log_in("bob").ok


def test_with_a_second_factor_the_password_alone_is_answered_with_a_challenge(ready: Any) -> None:
    secret, _, _ = ready.enrol(ready.register())

    asked = ready.log_in()
    assert (asked.ok, asked.code, set(asked.body)) == (False, "code_needed", {"challenge"})
    done = ready.ask("login_code", {"challenge": asked.body["challenge"], "code": ready.code(secret), "device": ""})

    assert done.ok, done
    assert ready.ask("account", token=done.body["token"]).body["totp"] is True
    assert ready.events("login")[-1]["by"] == "password and code"


def test_a_code_opens_one_login_and_no_second(ready: Any) -> None:
    secret, _, _ = ready.enrol(ready.register())
    first, second = ready.log_in().body["challenge"], ready.log_in().body["challenge"]
    code = ready.code(secret)

    assert ready.ask("login_code", {"challenge": first, "code": code, "device": ""}).ok
    assert ready.ask("login_code", {"challenge": second, "code": code, "device": ""}).code == "code_needed"
    assert ready.ask("login_code", {"challenge": first, "code": ready.code(secret)}).code == "bad_credentials"


def test_a_wrong_code_is_answered_with_a_new_challenge(ready: Any) -> None:
    secret, _, _ = ready.enrol(ready.register())
    first = ready.log_in().body["challenge"]

    wrong = ready.ask("login_code", {"challenge": first, "code": "000000", "device": ""})
    assert (wrong.code, [fault["key"] for fault in wrong.faults]) == ("code_needed", ["code"])
    again = {"challenge": wrong.body["challenge"], "code": ready.code(secret), "device": ""}

    assert ready.ask("login_code", again).ok


def test_a_challenge_is_good_for_the_device_that_typed_the_password(ready: Any) -> None:
    secret, _, _ = ready.enrol(ready.register())
    stolen = ready.log_in().body["challenge"]

    reply = ready.ask("login_code", {"challenge": stolen, "code": ready.code(secret), "device": "another"})

    assert reply.code == "bad_credentials"


def test_a_recovery_code_stands_in_for_the_phone_once(ready: Any) -> None:
    _, codes, _ = ready.enrol(ready.register())

    def enter(code: str) -> Any:
        return ready.ask("login_code", {"challenge": ready.log_in().body["challenge"], "code": code, "device": ""})

    first = enter(codes[0])
    assert first.ok
    assert enter(codes[0]).code == "code_needed"
    assert ready.ask("account", token=first.body["token"]).body["recovery_codes_left"] == 9
    assert "password and recovery code" in {row["by"] for row in ready.events("login")}


def test_guessed_codes_lock_strangers_out_and_not_the_known_device(ready: Any) -> None:
    device = ready.ask("register", {"username": "ada", "password": PASSWORD, "email": ""}).body["device"]
    token = ready.log_in(device=device).body["token"]
    secret, _, _ = ready.enrol(token)

    challenge = ready.log_in().body["challenge"]
    for _ in range(10):
        reply = ready.ask("login_code", {"challenge": challenge, "code": "000000", "device": ""})
        challenge = reply.body.get("challenge", "")

    assert ready.ask("login_code", {"challenge": challenge, "code": "000000", "device": ""}).code == "locked"
    assert ready.log_in().code == "locked"
    asked = ready.log_in(device=device)
    body = {"challenge": asked.body["challenge"], "code": ready.code(secret), "device": device}
    assert ready.ask("login_code", body).ok
    (lockout,) = ready.events("lockout")
    assert (lockout["actor"], lockout["from"], lockout["minutes"]) == ("ada", "unknown devices", 15)


@pytest.mark.parametrize("kind", ["login", "login_code", "register", "logout", "touch"])
@pytest.mark.parametrize("junk", [None, 7, [], {"a": 1}, "\0", "x" * 5_000])
def test_bodies_of_the_wrong_shape_are_refused_and_harm_nothing(ready: Any, kind: str, junk: object) -> None:
    ready.register()
    names = ("username", "password", "email", "device", "challenge", "code")

    reply = ready.ask(kind, dict.fromkeys(names, junk))

    assert reply.ok == (kind == "logout")
    assert ready.log_in().ok


def test_activity_keeps_a_login_alive_and_the_web_sees_it(ready: Any) -> None:
    token = ready.register()
    web = Sessions(ready.paths, ready.clock)
    for _ in range(2):
        ready.clock.advance(seconds=2900)
        assert ready.ask("touch", token=token).ok

    assert web.lookup(token) is not None
    ready.clock.advance(seconds=3001)
    assert web.lookup(token) is None
    assert ready.ask("touch", token=token).code == "expired"


def test_no_activity_makes_a_login_longer_than_it_may_be(ready: Any) -> None:
    token = ready.register()
    for _ in range(4):
        ready.clock.advance(minutes=29)
        assert ready.ask("touch", token=token).ok

    ready.clock.advance(minutes=5)
    assert ready.ask("touch", token=token).code == "expired"


def test_a_login_that_runs_out_is_on_record(ready: Any) -> None:
    ready.register()
    ready.clock.advance(hours=3)
    ready.stop()
    ready.start()

    assert [row["actor"] for row in ready.events("login_expired")] == ["ada"]


def test_neither_passwords_nor_codes_nor_secrets_are_on_record(ready: Any) -> None:
    secret, codes, token = ready.enrol(ready.register())
    ready.ask("end_login", {"id": "others"}, token)
    ready.log_in(password="typed by mistake once")
    code = pyotp.TOTP(secret).at(ready.clock.now())
    ready.ask("login_code", {"challenge": ready.log_in().body["challenge"], "code": code, "device": ""})

    text = ready.audit_text()
    for planted in (PASSWORD, "typed by mistake", secret, token, *codes):
        assert planted not in text
    assert all(row["ip"] == "192.0.2.7" for row in ready.events("login_refused"))


def test_the_first_user_is_an_admin(ready: Any) -> None:
    assert ready.ask("account", token=ready.register()).body["role"] == UserRole.ADMIN
