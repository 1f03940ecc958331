"""One's own account: what was typed stays, secrets never do, codes are shown once."""

import pytest

AT = "2026-03-10T13:00:00+00:00"
MINE = {
    "user": "alex",
    "role": "viewer",
    "email": "alex@desk.example",
    "totp": False,
    "recovery_codes_left": 0,
    "logins": [
        {
            "id": "a",
            "created_at": "2026-03-10T10:00:00+00:00",
            "seen_at": "2026-03-10T13:59:00+00:00",
            "ip": "::1",
            "current": True,
        },
        {
            "id": "b",
            "created_at": "2026-03-09T10:00:00+00:00",
            "seen_at": "2026-03-09T11:00:00+00:00",
            "ip": "192.0.2.7",
            "current": False,
        },
    ],
}
RENEWED = {"token": "second-token", "user": "alex", "expires_at": "2026-03-10T15:00:00+00:00"}


@pytest.fixture
def mine(site):
    site.provisioned()
    site.log_in("viewer")
    site.runner.answer("account", **MINE)
    return site


def test_a_viewer_sees_the_own_account_and_logins(mine):
    page = mine.browser.get("/account").text
    assert 'value="alex@desk.example"' in page
    assert "192.0.2.7" in page
    assert "this one" in page
    assert "Set it up" in page


def test_a_change_carries_the_password_as_proof_and_brings_a_new_login(mine):
    mine.runner.answer("change_account", **RENEWED)
    values = {"username": "alexa", "email": "", "new_password": "n" * 15, "again": "n" * 15}
    answer = mine.post("/account", "/account", **values, step_up_password="old words")
    assert mine.runner.last("change_account") == {
        "username": "alexa",
        "email": "",
        "new_password": "n" * 15,
        "step_up": {"password": "old words", "code": ""},
    }
    assert answer.location == "/account?done=changed"
    assert any("second-token" in c for c in answer.headers.getlist("Set-Cookie"))


def test_two_different_new_passwords_are_not_sent(mine):
    answer = mine.post("/account", "/account", username="alexa", new_password="one", again="two")
    assert answer.status_code == 422
    assert 'value="alexa"' in answer.text
    assert "change_account" not in {kind for kind, _, _ in mine.runner.asked}


def test_a_wrong_step_up_keeps_what_was_typed_except_secrets_and_shows_the_fault_beside_the_field(mine):
    mine.runner.refuse(
        "change_account", "step_up", "wrong", body={"totp": False}, step_up_password="The password is wrong."
    )
    secrets = {"new_password": "planted-new-word", "again": "planted-new-word", "step_up_password": "planted-proof"}
    answer = mine.post("/account", "/account", username="alexa", email="new@desk.example", **secrets)
    assert answer.status_code == 422
    assert '<span class="fault">The password is wrong.</span>' in answer.text
    assert 'value="alexa"' in answer.text
    assert 'value="new@desk.example"' in answer.text
    assert "planted-" not in answer.text


def test_the_code_field_appears_only_where_a_code_is_needed(mine):
    assert "step_up_code" not in mine.browser.get("/account").text
    mine.runner.answer("account", **{**MINE, "totp": True, "recovery_codes_left": 2})
    page = mine.browser.get("/account").text
    assert "step_up_code" in page
    assert "2 recovery codes left: remove the app" in page


def test_a_refusal_that_asks_for_a_code_shows_its_field_at_once(mine):
    mine.runner.refuse("totp_begin", "step_up", "code", body={"totp": True}, step_up_code="Type the code.")
    mine.runner.answer("account", **{k: v for k, v in MINE.items() if k != "totp"} | {"totp": False})
    page = mine.post("/account/totp", "/account", step_up_password="x").text
    assert 'name="step_up_code"' in page
    assert "Type the code." in page


def test_enrolment_shows_the_secret_as_picture_and_text_under_the_strict_policy(mine):
    uri = "otpauth://totp/tbot:alex?secret=JBSWY3DPEHPK3PXP&issuer=tbot"
    mine.runner.answer("totp_begin", secret="JBSWY3DPEHPK3PXP", uri=uri)
    answer = mine.post("/account/totp", "/account", step_up_password="x")
    assert 'src="data:image/svg+xml;charset=utf-8,' in answer.text
    assert "JBSW Y3DP EHPK 3PXP" in answer.text
    assert "img-src 'self' data:" in answer.headers["Content-Security-Policy"]


def test_a_wrong_first_code_does_not_show_the_secret_again(mine):
    mine.runner.refuse("totp_confirm", "invalid", "The code is wrong.", code="The code is wrong.")
    answer = mine.post("/account/totp/confirm", "/account", code="000 000")
    assert mine.runner.last("totp_confirm") == {"code": "000000"}
    assert answer.status_code == 422
    assert "The code is wrong." in answer.text
    assert "data:image" not in answer.text


def test_recovery_codes_are_in_the_one_answer_with_the_renewed_login(mine):
    codes = [f"code-{n}" for n in range(10)]
    mine.runner.answer("totp_confirm", recovery_codes=codes, **RENEWED)
    answer = mine.post("/account/totp/confirm", "/account", code="123456")
    assert all(code in answer.text for code in codes)
    assert any("second-token" in c for c in answer.headers.getlist("Set-Cookie"))
    assert answer.headers["Cache-Control"] == "no-store"
    assert "code-1" not in mine.browser.get("/account").text


def test_removing_the_app_takes_the_proof(mine):
    mine.runner.answer("totp_remove", **RENEWED)
    answer = mine.post("/account/totp/remove", "/account", step_up_password="p", step_up_code="123456")
    assert mine.runner.last("totp_remove") == {"step_up": {"password": "p", "code": "123456"}}
    mine.log_in("viewer")
    assert "authenticator app is removed" in mine.browser.get(answer.location).text


@pytest.mark.parametrize(("which", "words"), [("b", "That login has ended."), ("others", "All your other logins")])
def test_logins_are_ended_one_by_one_or_all_others(mine, which, words):
    answer = mine.post("/account/logins/end", "/account", id=which)
    assert mine.runner.last("end_login") == {"id": which}
    assert words in mine.browser.get(answer.location).text


def test_a_silent_runner_is_said_and_nothing_is_made_up(mine):
    mine.runner.refuse("account", "runner_silent", "The runner is silent. Nothing was changed.")
    answer = mine.browser.get("/account")
    assert answer.status_code == 503
    assert "The runner is silent." in answer.text
    assert "Not in use" not in answer.text


@pytest.mark.parametrize(("path", "kind"), [("/account", "change_account"), ("/account/totp/remove", "totp_remove")])
def test_a_change_that_cost_the_login_leads_to_a_new_one_and_is_not_called_a_refusal(mine, path, kind):
    mine.runner.refuse(kind, "changed", "It is changed; a new login failed: no space. Log in again.")
    answer = mine.post(path, "/account", step_up_password="p")
    assert (answer.status_code, answer.location) == (303, "/login?after=changed")
    assert mine.browser.get_cookie("tbot_session") is None
    assert "The change is made" in mine.browser.get(answer.location).text


def test_recovery_codes_are_shown_even_when_the_new_login_failed(mine):
    words = "It is changed; a new login failed: no space. Log in again."
    mine.runner.refuse("totp_confirm", "changed", words, body={"recovery_codes": ["code-1", "code-2"]})
    answer = mine.post("/account/totp/confirm", "/account", code="123456")
    assert answer.status_code == 200
    assert all(words in answer.text for words in ("code-2", "Keep these codes first. It is changed", 'href="/login"'))
    assert mine.browser.get_cookie("tbot_session") is None
