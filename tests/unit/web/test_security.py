"""The matrix of routes: every view declares who may see it, no GET changes anything, every POST wants its token."""

import pytest

from tbot_web.security import MAX_BODY, POLICY
from tbot_web.support.auth_web import Access, access_of

PUBLIC = {
    "static",
    "home.home",
    "home.health",
    "login.login",
    "login.submit",
    "login.code",
    "register.register",
    "restore.restored",
}
READING = {"account", "users", "keys", "audit_search"}


def rules(site, method):
    return [r for r in site.app.url_map.iter_rules() if method in r.methods and r.endpoint != "static"]


def tree(site):
    return {p: p.read_bytes() for p in site.paths.root.rglob("*") if p.is_file()}


def test_every_route_declares_who_may_use_it(site):
    for rule in site.app.url_map.iter_rules():
        access = access_of(site.app, rule.endpoint)
        assert access is not None, rule.endpoint
        assert (access is Access.ANYONE) == (rule.endpoint in PUBLIC), rule.endpoint


def test_a_view_that_declares_nothing_is_refused(site):
    site.app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    site.provisioned()
    site.log_in()
    assert site.browser.get("/forgotten").status_code == 403


def test_no_get_changes_a_file_or_asks_the_runner_for_more_than_reading(site):
    site.provisioned(state="trading")
    site.log_in()
    before = tree(site)
    for rule in rules(site, "GET"):
        assert site.browser.get(rule.rule).status_code < 500, rule.rule
    assert tree(site) == before
    assert {kind for kind, _, _ in site.runner.asked} == READING


@pytest.mark.parametrize("token", [None, "", "forged"])
def test_every_post_refuses_a_missing_or_forged_token(site, token):
    site.provisioned(users=0)
    site.log_in()
    before = tree(site)
    for rule in rules(site, "POST"):
        data = {} if token is None else {"csrf_token": token}
        assert site.browser.post(rule.rule, data=data).status_code == 400, rule.rule
    assert tree(site) == before
    assert {kind for kind, _, _ in site.runner.asked} <= READING


def test_a_token_of_another_visitor_is_refused(site):
    site.provisioned()
    site.log_in()
    foreign = site.token("/")
    site.browser.delete_cookie("tbot_form")
    site.browser.get("/")
    assert site.browser.post("/stop", data={"csrf_token": foreign}).status_code == 400


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_post_from_another_sites_page_is_refused_even_with_a_good_token(site, header):
    site.provisioned()
    site.log_in()
    token = site.token("/")
    answer = site.browser.post("/stop", data={"csrf_token": token}, headers=header)
    assert answer.status_code == 400
    assert not site.paths.stop_flag.exists()


def test_strangers_cannot_post_anything_but_the_login(site):
    site.provisioned()
    token = site.token("/login")
    for rule in rules(site, "POST"):
        if rule.rule not in ("/login", "/login/code"):
            assert site.browser.post(rule.rule, data={"csrf_token": token}).status_code == 401, rule.rule
    assert not site.runner.asked
    assert not site.paths.kill_flag.exists()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example"])
def test_an_unknown_host_is_refused(site, host):
    site.provisioned()
    assert site.browser.get("/login", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "localhost:80"])
def test_loopback_hosts_are_served(site, host):
    site.provisioned()
    assert site.browser.get("/login", headers={"Host": host}).status_code == 200


def test_every_answer_carries_the_strict_headers(site):
    site.provisioned()
    for path in ("/login", "/static/tbot.css", "/nowhere", "/live.json", "/"):
        with site.browser.get(path) as answer:
            headers = answer.headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
    assert "unsafe" not in POLICY
    assert site.browser.get("/login").headers["Cache-Control"] == "no-store"


def test_pages_hold_no_inline_script_or_style_and_nothing_from_elsewhere(site):
    site.provisioned(state="trading")
    site.log_in()
    for rule in rules(site, "GET"):
        page = site.browser.get(rule.rule).text
        assert "<script>" not in page
        assert "<style" not in page
        assert " style=" not in page
        assert "onclick=" not in page
        assert "//cdn" not in page


def test_a_body_too_large_is_refused(site):
    site.provisioned()
    answer = site.browser.post("/login", data={"username": "x" * (MAX_BODY + 1)})
    assert answer.status_code == 413
    assert not site.runner.asked


def test_what_others_publish_cannot_become_markup(site):
    site.provisioned(users=0)
    evil = '<img src=x onerror="alert(1)">'
    site.state("initialize")
    steps = [{"name": "a", "title": evil, "status": "failed", "why": evil, "fix": evil}]
    site.runner_says.publish("provisioning", {"state": "failed", "steps": steps, "failed": "a"}, 30)
    assert "<img" not in site.browser.get("/progress").text
