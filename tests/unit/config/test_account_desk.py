"""What users do about themselves."""

from typing import Any

import pytest

from tbot_bot.config.login_sessions import LoginSessions
from tbot_bot.interface.sessions import Sessions
from tests.unit.config.conftest import PASSWORD, step_up

NEW = "another long password"


def test_an_account_shows_who_one_is_and_where_one_is_logged_in(ready: Any) -> None:
    ready.register()
    token = ready.log_in().body["token"]

    body = ready.ask("account", token=token).body

    assert (body["user"], body["role"], body["email"]) == ("ada", "admin", "ada@example.com")
    assert (body["totp"], body["recovery_codes_left"]) == (False, 0)
    assert [login["current"] for login in body["logins"]] == [True, False]
    assert {login["ip"] for login in body["logins"]} == {"192.0.2.7"}


def test_a_new_password_ends_all_other_logins_and_gives_a_new_token(ready: Any) -> None:
    other, old = ready.register(), ready.log_in().body["token"]

    reply = ready.ask("change_account", {"username": "", "email": "", "new_password": NEW, **step_up()}, old)

    assert reply.ok, reply
    for ended in (other, old):
        assert ready.ask("account", token=ended).code == "expired"
        assert Sessions(ready.paths, ready.clock).lookup(ended) is None
    assert ready.ask("account", token=reply.body["token"]).body["email"] == "ada@example.com"
    assert ready.log_in().code == "bad_credentials"
    assert ready.log_in(password=NEW).ok
    assert ready.events("account_changed")[0]["credentials_changed"] is True


def test_a_new_name_and_address_are_kept_and_on_record(ready: Any) -> None:
    body = {"username": "countess", "email": "new@example.com", "new_password": "", **step_up()}

    reply = ready.ask("change_account", body, ready.register())

    assert reply.body["user"] == "countess"
    mine = ready.ask("account", token=reply.body["token"]).body
    assert (mine["user"], mine["email"]) == ("countess", "new@example.com")
    assert ready.log_in("countess").ok
    assert ready.events("account_changed")[0]["name"] == "ada → countess"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "a"),
        ("username", "bob"),
        ("username", "BOB"),
        ("email", "nonsense"),
        ("new_password", "short"),
        ("new_password", "aaaaaaaaaaaaaaaaaaaa"),
        ("new_password", "x" * 129),
        ("new_password", "a-rather-long-name"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_changed(ready: Any, field: str, value: str) -> None:
    token = ready.register()
    ready.add_user(token, "bob", "viewer")
    body = {"username": "a-rather-long-name", "email": "", "new_password": "", **step_up(), field: value}

    reply = ready.ask("change_account", body, token)

    assert (reply.code, [fault["key"] for fault in reply.faults]) == ("invalid", [field])
    assert ready.ask("account", token=token).body["user"] == "ada"
    assert ready.log_in().ok


def test_a_change_needs_the_password_anew(ready: Any) -> None:
    token = ready.register()
    for proof in ({}, {"step_up": {"password": "wrong", "code": ""}}):
        reply = ready.ask("change_account", {"new_password": NEW, **proof}, token)
        assert (reply.code, reply.faults[0]["key"]) == ("step_up", "step_up_password")

    assert ready.log_in().ok


def test_an_authenticator_counts_after_its_first_right_code_only(ready: Any) -> None:
    token = ready.register()
    begun = ready.ask("totp_begin", step_up(), token).body
    assert begun["uri"].startswith("otpauth://totp/tbot:ada?secret=" + begun["secret"])
    assert ready.log_in().ok

    wrong = ready.ask("totp_confirm", {"code": "000000"}, token)
    assert (wrong.code, wrong.faults[0]["key"]) == ("invalid", "code")
    assert ready.log_in().ok

    right = ready.ask("totp_confirm", {"code": ready.code(begun["secret"])}, token)
    assert len(set(right.body["recovery_codes"])) == 10
    assert ready.log_in().code == "code_needed"
    assert ready.ask("account", token=token).code == "expired", "a login without a code does not live on"
    mine = ready.ask("account", token=right.body["token"]).body
    assert (mine["totp"], mine["recovery_codes_left"]) == (True, 10)
    assert len(ready.events("totp_enrolled")) == 1


def test_an_enrolment_ends_after_ten_minutes_or_once_it_is_done(ready: Any) -> None:
    token = ready.register()
    assert ready.ask("totp_confirm", {"code": "000000"}, token).code == "invalid"
    secret = ready.ask("totp_begin", step_up(), token).body["secret"]
    ready.clock.advance(minutes=10)
    assert "Begin again" in ready.ask("totp_confirm", {"code": ready.code(secret)}, token).message

    _, _, token = ready.enrol(token)
    assert "Begin again" in ready.ask("totp_confirm", {"code": "000000"}, token).message


def test_an_enrolment_is_its_users_own(ready: Any) -> None:
    admin = ready.register()
    bob = ready.add_user(admin, "bob", "viewer")
    secret = ready.ask("totp_begin", step_up(), admin).body["secret"]

    assert "Begin again" in ready.ask("totp_confirm", {"code": ready.code(secret)}, bob).message


def test_a_step_up_asks_for_the_code_too_where_there_is_one(ready: Any) -> None:
    secret, codes, token = ready.enrol(ready.register())

    bare = ready.ask("totp_remove", step_up(), token)
    assert (bare.code, bare.body, bare.faults[0]["key"]) == ("step_up", {"totp": True}, "step_up_code")
    wrong = ready.ask("totp_remove", step_up("000000"), token)
    assert (wrong.code, wrong.faults[0]["key"]) == ("step_up", "step_up_code")
    code = ready.code(secret)
    assert ready.ask("totp_begin", step_up(code), token).ok
    assert ready.ask("totp_remove", step_up(code), token).code == "step_up", "used once"
    removed = ready.ask("totp_remove", step_up(codes[0]), token)

    assert removed.ok, "a lost phone must not keep its user from removing it"
    assert ready.log_in().ok
    assert ready.ask("account", token=token).code == "expired"
    assert ready.ask("account", token=removed.body["token"]).body["totp"] is False
    assert [row["wrong"] for row in ready.events("step_up_refused")] == ["code", "code"]


def test_guessing_at_step_ups_locks_this_device_and_no_other(ready: Any) -> None:
    token = ready.register()
    other = ready.log_in().body
    for _ in range(10):
        ready.ask("totp_begin", {"step_up": {"password": "wrong", "code": ""}}, token)

    assert "Wait 15 minutes" in ready.ask("totp_begin", step_up(), token).message
    assert ready.ask("totp_begin", step_up(), other["token"]).ok
    assert ready.log_in(device=other["device"]).ok
    assert ready.events("lockout")[0]["from"] == "a known device"


def test_a_login_can_be_ended_from_elsewhere(ready: Any) -> None:
    lost = ready.register()
    here = ready.log_in().body["token"]
    logins = ready.ask("account", token=here).body["logins"]
    (number,) = (login["id"] for login in logins if not login["current"])

    assert ready.ask("end_login", {"id": number}, here).ok

    assert ready.ask("account", token=lost).code == "expired"
    assert ready.ask("account", token=here).ok
    assert Sessions(ready.paths, ready.clock).lookup(lost) is None


def test_all_others_can_be_ended_at_once(ready: Any) -> None:
    others = [ready.register(), ready.log_in().body["token"]]
    here = ready.log_in().body["token"]
    bob = ready.add_user(here, "bob", "viewer")

    assert ready.ask("end_login", {"id": "others"}, here).ok

    assert [ready.ask("account", token=token).code for token in others] == ["expired", "expired"]
    assert ready.ask("account", token=here).ok
    assert ready.ask("account", token=bob).ok


def test_nobody_ends_the_login_of_someone_else(ready: Any) -> None:
    admin = ready.register()
    bob = ready.add_user(admin, "bob", "viewer")
    number = ready.ask("account", token=admin).body["logins"][0]["id"]

    ready.ask("end_login", {"id": number}, bob)

    assert ready.ask("account", token=admin).ok


def test_the_password_is_never_shown_anywhere(ready: Any) -> None:
    token = ready.register()
    ready.ask("change_account", {"new_password": NEW, **step_up()}, token)

    assert PASSWORD not in ready.audit_text()
    assert NEW not in ready.audit_text()


def test_a_change_whose_new_login_fails_says_that_it_is_made(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    old = ready.register()
    monkeypatch.setattr(LoginSessions, "begin", fail)
    reply = ready.ask("change_account", {"username": "", "email": "", "new_password": NEW, **step_up()}, old)
    monkeypatch.undo()

    assert (reply.ok, reply.code) == (False, "changed")
    assert "Log in again" in reply.message
    assert ready.log_in(password=NEW).ok


def test_recovery_codes_that_count_are_handed_over_even_when_the_new_login_fails(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    token = ready.register()
    secret = ready.ask("totp_begin", step_up(), token).body["secret"]
    monkeypatch.setattr(LoginSessions, "begin", fail)
    reply = ready.ask("totp_confirm", {"code": ready.code(secret)}, token)
    monkeypatch.undo()

    assert (reply.ok, reply.code, len(reply.body["recovery_codes"])) == (False, "changed", 10)
    assert ready.log_in().code == "code_needed"
