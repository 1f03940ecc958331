"""Backtests: what is asked of the runner, every fault beside its field, nothing typed lost."""

import re

import pytest

from tbot_bot.interface.requests import Reply

ASKED = {"first": "2026-02-02", "last": "2026-02-06", "file": "bars/feb.parquet"}


@pytest.fixture
def desk(site):
    site.provisioned()
    site.log_in("trader")
    return site


def test_a_backtest_is_asked_of_the_runner_with_what_was_filled_in(desk):
    desk.runner.reply = Reply(ok=True, code="ok", message="", body={"job": "0f0e"})
    answer = desk.post("/backtests", "/backtests", **ASKED, equity="", seed="")
    assert (answer.status_code, answer.location) == (303, "/backtests?queued=0f0e")
    assert desk.runner.asked == [("backtest", ASKED, "cookie-text")]
    page = desk.browser.get(answer.location).text
    assert 'data-job="0f0e"' in page


def test_equity_stays_exact_text_and_the_seed_becomes_a_number(desk):
    desk.post("/backtests", "/backtests", **ASKED, equity=" 2500.10 ", seed="11")
    assert desk.runner.asked[0][1] == {**ASKED, "equity": "2500.10", "seed": 11}


def test_all_faults_show_at_once_beside_their_fields_and_what_was_typed_stays(desk):
    wrong = {"first": "2026-02-30", "last": "", "file": "../<etc>", "equity": "much", "seed": "x7"}
    answer = desk.post("/backtests", "/backtests", **wrong)
    assert answer.status_code == 422
    assert "5 values to correct. Nothing was queued." in answer.text
    assert answer.text.count('aria-invalid="true"') == 5
    for typed in ("2026-02-30", "../&lt;etc&gt;", "much", "x7"):
        assert f'value="{typed}"' in answer.text
    assert not desk.runner.asked


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("last", "2026-02-01", "Must not lie before the first day."),
        ("last", "2026-03-10", "Must lie before today, 2026-03-10"),
        ("file", "", "Name a Parquet file"),
        ("file", "/etc/passwd", "no leading /"),
        ("equity", "0", "above 0"),
        ("equity", "NaN", "above 0"),
        ("equity", "1e10", "at most 1000000000"),
        ("seed", "-1", "at most nine digits"),
        ("seed", "\u0667", "at most nine digits"),
    ],
)
def test_each_slip_is_told_beside_its_field(desk, key, value, words):
    page = desk.post("/backtests", "/backtests", **{**ASKED, key: value}).text
    beside = re.search(rf'id="{key}-help"><span class="fault">([^<]*)', page)
    assert beside
    assert words in beside[1]
    assert not desk.runner.asked


def test_faults_that_the_runner_finds_stand_beside_their_fields_too(desk):
    faults = ({"key": "file", "value": "", "message": "must be a path", "allowed": "", "nearest": ""},)
    desk.runner.reply = Reply(ok=False, code="invalid", message="Cannot be queued.", faults=faults)
    answer = desk.post("/backtests", "/backtests", **ASKED)
    assert answer.status_code == 422
    assert 'id="file-help"><span class="fault">must be a path' in answer.text
    assert 'value="bars/feb.parquet"' in answer.text


def test_a_fault_without_a_field_of_ours_is_told_on_top(desk):
    faults = ({"key": "depth", "value": "", "message": "must be short", "allowed": "", "nearest": ""},)
    desk.runner.reply = Reply(ok=False, code="invalid", message="Cannot be queued.", faults=faults)
    assert "Cannot be queued. depth: must be short" in desk.post("/backtests", "/backtests", **ASKED).text


def test_a_silent_runner_is_reported_and_the_form_stays(desk):
    desk.runner.reply = Reply(ok=False, code="runner_silent", message="The runner is silent. Nothing was changed.")
    answer = desk.post("/backtests", "/backtests", **ASKED)
    assert answer.status_code == 503
    assert "The runner is silent" in answer.text
    assert 'value="2026-02-06"' in answer.text


def test_a_form_from_before_a_restart_of_the_web_comes_back_as_typed(desk):
    desk.token("/backtests")
    answer = desk.browser.post("/backtests", data={"csrf_token": "of-an-older-process", **ASKED})
    assert answer.status_code == 400
    assert "older than the web server" in answer.text
    assert 'value="bars/feb.parquet"' in answer.text
    assert not desk.runner.asked


def test_a_viewer_sees_the_runs_but_cannot_queue(site):
    site.provisioned()
    site.log_in("viewer")
    page = site.browser.get("/backtests").text
    assert 'id="jobs"' in page
    assert "Queue it" not in page
    assert site.post("/backtests", "/backtests", **ASKED).status_code == 403
    assert not site.runner.asked


def test_the_published_jobs_are_among_the_live_parts(desk):
    desk.bot_says.publish("jobs", {"rows": [{"job": "a", "state": "running"}]})
    parts = desk.browser.get("/live.json?names=jobs").json["parts"]
    assert parts["jobs"]["body"]["rows"][0]["state"] == "running"
