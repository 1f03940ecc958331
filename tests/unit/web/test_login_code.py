"""The second step of a login, the mark of a known device, and logins that went idle."""

import re
from datetime import timedelta

import pytest

from tbot_web.support.session_manager import COOKIE, DEVICE

ENTERED = {
    "token": "runner-token",
    "user": "alex",
    "role": "admin",
    "expires_at": "2026-03-10T15:00:00+00:00",
    "device": "device-text",
    "device_expires_at": "2027-03-10T15:00:00+00:00",
}


def cookies(answer):
    return answer.headers.getlist("Set-Cookie")


def asked_for_a_code(site, **values):
    site.provisioned()
    site.runner.refuse("login", "code_needed", "Type the code.", body={"challenge": "sealed-challenge"})
    return site.post("/login", "/login", username="alex", password="planted-secret-4", **values)


def test_the_right_password_of_an_enrolled_user_leads_to_the_code_and_gives_no_cookie(site):
    answer = asked_for_a_code(site, next="/universe")
    assert answer.status_code == 200
    assert 'name="challenge" value="sealed-challenge"' in answer.text
    assert 'name="next" value="/universe"' in answer.text
    assert "planted-secret-4" not in answer.text
    assert not any(c.startswith((COOKIE, DEVICE)) for c in cookies(answer))


def test_the_code_logs_in_and_leads_where_one_was_going(site):
    page = asked_for_a_code(site).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    site.runner.answer("login_code", **ENTERED)
    form = {"csrf_token": token, "challenge": "sealed-challenge", "code": " 123456 ", "next": "/universe"}
    answer = site.browser.post("/login/code", data=form)
    assert site.runner.last("login_code") == {"challenge": "sealed-challenge", "code": "123456", "device": ""}
    assert answer.location == "/universe"
    assert any(c.startswith(f"{COOKIE}=runner-token;") for c in cookies(answer))


def test_a_wrong_code_is_asked_again_with_the_new_challenge(site):
    asked_for_a_code(site)
    site.runner.refuse("login_code", "code_needed", "The code is wrong.", body={"challenge": "second"})
    answer = site.post("/login/code", "/login", challenge="first", code="000000")
    assert answer.status_code == 401
    assert "The code is wrong." in answer.text
    assert 'name="challenge" value="second"' in answer.text


@pytest.mark.parametrize(("code", "status"), [("bad_credentials", 401), ("locked", 429)])
def test_a_challenge_that_is_used_up_leads_back_to_the_password(site, code, status):
    asked_for_a_code(site)
    site.runner.refuse("login_code", code, "Begin again.")
    answer = site.post("/login/code", "/login", challenge="old", code="000000")
    assert answer.status_code == status
    assert "Begin again." in answer.text
    assert 'id="password"' in answer.text


def test_the_device_mark_outlives_the_login_and_is_sent_with_the_next_one(site):
    site.provisioned()
    site.runner.answer("login", **ENTERED)
    answer = site.post("/login", "/login", username="alex", password="x")
    mark = next(c for c in cookies(answer) if c.startswith(DEVICE + "="))
    assert mark.startswith(f"{DEVICE}=device-text;")
    assert "HttpOnly" in mark
    assert "SameSite=Strict" in mark
    assert "2027" in mark
    site.browser.delete_cookie(COOKIE)
    site.post("/login", "/login", username="alex", password="x")
    assert site.runner.last("login")["device"] == "device-text"


def test_a_login_that_ended_leads_back_to_where_one_was_with_the_reason(site):
    site.provisioned()
    site.browser.set_cookie(COOKIE, "of-a-login-that-ended")
    answer = site.browser.get("/universe?x=1")
    assert answer.location == "/login?next=/universe?x%3D1&ended=1"
    page = site.browser.get(answer.location).text
    assert "Your login has ended" in page
    assert 'name="next" value="/universe?x=1"' in page


def test_a_person_keeps_the_login_alive_and_polls_do_not(site):
    site.provisioned()
    site.log_in()
    site.browser.get("/live.json?names=status")
    site.browser.get("/csrf.json")
    site.browser.get("/progress.json")
    assert not site.runner.told
    site.browser.get("/universe")
    site.browser.get("/universe")
    assert site.runner.told == [("touch", {}, "cookie-text")]
    site.clock.advance(timedelta(seconds=61))
    site.post("/touch", "/universe")
    assert len(site.runner.told) == 2


def test_a_stranger_touches_nothing(site):
    site.provisioned()
    site.browser.get("/login")
    site.browser.set_cookie(COOKIE, "forged")
    site.browser.get("/login")
    assert not site.runner.told


def test_an_idle_login_is_over_though_its_end_is_not_reached_and_leads_back_after_the_next_one(site):
    site.provisioned()
    site.log_in()
    site.clock.advance(timedelta(minutes=51))
    site.provisioned()
    assert site.browser.get("/live.json").status_code == 401
    assert site.browser.get("/universe").location == "/login?next=/universe&ended=1"
