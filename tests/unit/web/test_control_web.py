"""Start, Stop, Kill, Confirm."""

import json

import pytest

from tbot_bot.interface.requests import Reply


@pytest.mark.parametrize("role", ["viewer", "trader", "admin"])
def test_anyone_logged_in_can_kill_while_every_other_process_is_silent(site, role):
    site.provisioned(state="trading")
    site.log_in(role)
    site.runner.reply = Reply(ok=False, code="runner_silent", message="silent")
    answer = site.post("/kill", "/kill", why="looks\nwrong")
    assert answer.status_code == 303
    assert json.loads(site.paths.kill_flag.read_text()) == {"by": "alex", "why": "looks wrong"}
    assert not site.runner.asked


def test_a_second_kill_succeeds_too(site):
    site.provisioned(state="trading")
    site.log_in()
    for _ in range(2):
        assert site.post("/kill", "/kill").status_code == 303


def test_kill_is_asked_about_first_where_there_is_no_script(site):
    site.provisioned(state="trading")
    site.log_in()
    assert "sell everything now" in site.browser.get("/kill").text
    assert not site.paths.kill_flag.exists()


def test_kill_from_a_page_older_than_the_web_process_asks_once_more(site):
    site.provisioned(state="trading")
    site.log_in()
    answer = site.browser.post("/kill", data={"csrf_token": "stale"})
    assert answer.status_code == 400
    assert "sell everything now" in answer.text
    assert not site.paths.kill_flag.exists()


def test_a_script_with_an_old_token_gets_a_new_one_and_kills(site):
    site.provisioned(state="trading")
    site.log_in()
    ask = {"Accept": "application/json"}
    refused = site.browser.post("/kill", data={"csrf_token": "stale"}, headers=ask)
    assert (refused.status_code, refused.json["code"]) == (400, "old_form")
    fresh = site.browser.get("/csrf.json", headers=ask).json["csrf"]
    assert site.browser.post("/kill", data={"csrf_token": fresh}, headers=ask).status_code == 200
    assert site.paths.kill_flag.exists()


def test_stop_creates_its_flag(site):
    site.provisioned(state="trading")
    site.log_in("viewer")
    site.post("/stop", "/")
    assert json.loads(site.paths.stop_flag.read_text()) == {"by": "alex"}


def test_start_passes_the_login_to_the_runner_which_decides(site):
    site.provisioned()
    site.log_in("trader")
    assert site.post("/start", "/").status_code == 303
    assert site.runner.asked == [("start", {}, "cookie-text")]


def test_a_refused_start_is_shown_in_the_runners_words(site):
    site.provisioned()
    site.log_in()
    site.runner.reply = Reply(ok=False, code="failed", message="The build check found problems.")
    answer = site.post("/start", "/")
    assert answer.status_code == 409
    assert "The build check found problems." in answer.text


@pytest.mark.parametrize("path", ["/start", "/universe/build"])
def test_a_viewer_cannot_start_or_build(site, path):
    site.provisioned()
    site.log_in("viewer")
    assert site.post(path, "/").status_code == 403
    assert not site.runner.asked


def test_building_the_universe_is_asked_of_the_runner(site):
    site.provisioned()
    site.log_in("trader")
    assert site.post("/universe/build", "/universe").status_code == 303
    assert site.runner.asked == [("build_universe", {}, "cookie-text")]


def test_a_confirmation_names_the_entry_and_the_login_to_the_runner(site):
    site.provisioned(state="trading")
    site.log_in("trader")
    assert site.post("/confirm", "/", client_id="tb-260310-open-abc-entry1-0").status_code == 303
    assert site.runner.asked == [("confirm_trade", {"client_id": "tb-260310-open-abc-entry1-0"}, "cookie-text")]


def test_a_refused_confirmation_is_told_in_the_runners_words(site):
    site.provisioned(state="trading")
    site.log_in()
    site.runner.reply = Reply(ok=False, code="expired", message="Your login has ended.")
    data = {"csrf_token": site.token("/"), "client_id": "tb-1"}
    answer = site.browser.post("/confirm", data=data, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json) == (409, {"code": "expired", "message": "Your login has ended."})


def test_a_viewer_cannot_confirm_an_entry(site):
    site.provisioned(state="trading")
    site.log_in("viewer")
    assert 'data-may="no"' in site.browser.get("/").text
    assert site.post("/confirm", "/", client_id="tb-1").status_code == 403
    assert not site.runner.asked


def test_a_confirmation_without_a_form_token_is_refused(site):
    site.provisioned(state="trading")
    site.log_in("trader")
    assert site.browser.post("/confirm", data={"client_id": "tb-1"}).status_code == 400
    assert not site.runner.asked
