"""Registration, login, logout: who gets a cookie, of what kind, and where one lands."""

import pytest

from tbot_bot.interface.requests import Reply
from tbot_web.support.session_manager import COOKIE

ENTERED = Reply(
    ok=True,
    code="ok",
    message="",
    body={"token": "runner-token", "user": "alex", "role": "admin", "expires_at": "2026-03-10T15:00:00+00:00"},
)
WRONG = Reply(ok=False, code="bad_credentials", message="User name or password is wrong.")


def login_cookie(answer):
    return next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith(COOKIE + "="))


def test_a_login_gives_a_strict_http_only_cookie_that_ends_with_the_login(site):
    site.provisioned()
    site.runner.reply = ENTERED
    answer = site.post("/login", "/login", username="alex", password="a long pass phrase")
    cookie = login_cookie(answer)
    assert cookie.startswith(f"{COOKIE}=runner-token;")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "15:00:00 GMT" in cookie
    assert "Secure" not in cookie
    assert answer.location == "/"


def test_over_https_every_cookie_is_secure(site):
    site.provisioned()
    site.runner.reply = ENTERED
    base = "https://localhost"
    page = site.browser.get("/login", base_url=base)
    token = page.text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
    headers = {"Referer": base + "/login"}
    answer = site.browser.post("/login", base_url=base, data={"csrf_token": token, "username": "a"}, headers=headers)
    cookies = page.headers.getlist("Set-Cookie") + answer.headers.getlist("Set-Cookie")
    assert cookies
    assert all("Secure" in c for c in cookies)
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_wrong_password_keeps_the_name_and_never_the_password(site):
    site.provisioned()
    site.runner.reply = WRONG
    answer = site.post("/login", "/login", username="alex", password="planted-secret-2")
    assert answer.status_code == 401
    assert "User name or password is wrong." in answer.text
    assert 'value="alex"' in answer.text
    assert "planted-secret-2" not in answer.text
    assert not any(c.startswith(COOKIE) for c in answer.headers.getlist("Set-Cookie"))


def test_a_form_opened_before_the_login_no_longer_counts_after_it(site):
    site.provisioned()
    old = site.token("/login")
    site.runner.reply = ENTERED
    site.post("/login", "/login", username="alex", password="x")
    site.log_in()
    assert site.browser.post("/stop", data={"csrf_token": old}).status_code == 400
    assert not site.paths.stop_flag.exists()


@pytest.mark.parametrize(
    ("wanted", "landed"),
    [
        ("/universe", "/universe"),
        ("/universe?x=1", "/universe?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_after_the_login_one_lands_only_on_paths_of_this_site(site, wanted, landed):
    site.provisioned()
    site.runner.reply = ENTERED
    answer = site.post("/login", "/login", username="alex", password="x", next=wanted)
    assert answer.location == landed


def test_logging_out_asks_the_runner_and_forgets_the_cookie_even_when_it_is_silent(site):
    site.provisioned()
    site.log_in()
    site.runner.reply = Reply(ok=False, code="runner_silent", message="silent")
    answer = site.post("/logout", "/")
    assert site.runner.asked[-1] == ("logout", {}, "cookie-text")
    assert login_cookie(answer).startswith(f"{COOKIE}=;")


@pytest.mark.parametrize("suffix", ["\n", " ", "==", "\x00", "x"])
def test_a_cookie_with_anything_appended_is_nobody(site, suffix):
    site.provisioned()
    site.log_in()
    site.browser.delete_cookie(COOKIE)
    answer = site.browser.get("/live.json", headers={"Cookie": f'{COOKIE}="cookie-text{suffix!r}"'})
    assert answer.status_code == 401


def test_a_login_that_ended_is_refused_within_one_request(site):
    site.provisioned()
    site.log_in()
    assert site.browser.get("/live.json").status_code == 200
    for record in site.paths.sessions.iterdir():
        record.unlink()
    assert site.browser.get("/live.json").status_code == 401


def test_registration_is_shown_only_while_nobody_is_registered(site):
    site.provisioned(users=0)
    assert "Create the first admin" in site.browser.get("/register").text
    site.provisioned(users=1)
    assert site.browser.get("/register").location == "/"
    assert site.post("/register", "/login", username="eve").status_code == 401
    assert not site.runner.asked


def test_two_different_passwords_are_not_sent(site):
    site.provisioned(users=0)
    answer = site.post("/register", "/register", username="alex", email="a@b.example", password="one", again="two")
    assert answer.status_code == 422
    assert 'value="alex"' in answer.text
    assert 'value="a@b.example"' in answer.text
    assert not site.runner.asked


def test_the_first_admin_is_logged_in_at_once_and_shown_how_to_begin(site):
    site.provisioned(users=0)
    site.runner.reply = ENTERED
    answer = site.post("/register", "/register", username="alex", email="e", password="p" * 15, again="p" * 15)
    kind, body, _ = site.runner.asked[-1]
    assert (kind, body) == ("register", {"username": "alex", "password": "p" * 15, "email": "e", "device": ""})
    assert answer.location == "/recovery?first=1"
    site.log_in()
    assert "How to begin" in site.browser.get("/?welcome=1").text


def test_registration_faults_show_beside_their_fields(site):
    site.provisioned(users=0)
    fault = {"key": "password", "value": "", "message": "needs 15 characters", "allowed": "", "nearest": ""}
    site.runner.reply = Reply(ok=False, code="invalid", message="Correct what is marked.", faults=(fault,))
    page = site.post("/register", "/register", username="alex", email="e", password="p", again="p").text
    assert '<span class="fault">needs 15 characters</span>' in page
    assert "Correct what is marked." in page


def test_a_registration_whose_login_failed_leads_to_the_login_before_the_runner_has_told_of_the_user(site):
    site.provisioned(users=0)
    site.runner.reply = Reply(ok=False, code="registered", message="You are registered. Logging you in failed.")
    answer = site.post("/register", "/register", username="alex", email="e", password="p" * 15, again="p" * 15)
    assert (answer.status_code, answer.location) == (303, "/login?after=registered")
    assert "You are registered" in site.browser.get(answer.location).text
    assert "Log in now" not in site.browser.get("/login?after=nonsense", follow_redirects=True).text
