"""The configuration page: every published field, all faults, nothing typed lost, no secret echoed."""

import html
import re

import pytest

from tbot_bot.config.form import form_model
from tbot_bot.interface.requests import Reply


def fields():
    return [f for g in form_model()["groups"] for s in g["subgroups"] for f in s["fields"]]


def faulty(*faults):
    rows = tuple({"key": k, "value": "", "message": m, "allowed": "", "nearest": n} for k, m, n in faults)
    return Reply(ok=False, code="invalid", message="Correct them.", faults=rows)


def test_every_published_field_is_there_with_help_unit_and_default(site):
    site.fresh()
    page = site.browser.get("/configuration").text
    for field in fields():
        name = field["name"]
        assert f'id="{name}"' in page, name
        assert html.escape(field["help"], quote=False) in html.unescape(page).replace("&", "&amp;") or field[
            "help"
        ] in html.unescape(page)
        if field["unit"]:
            assert f'<span class="unit">{html.escape(field["unit"])}</span>' in page


def test_the_current_values_are_shown_instead_of_the_defaults(site):
    site.provisioned()
    site.log_in()
    body = {**form_model(), "values": {"MAX_TRADES": "3"}, "secrets_set": ["BROKER_API_KEY"]}
    site.runner_says.publish("form", body, 30)
    page = site.browser.get("/configuration").text
    assert re.search(r'id="MAX_TRADES"[^>]*value="3"', page)
    assert re.search(r'id="BROKER_API_KEY"[^>]*placeholder="stored; empty keeps it"', page, re.S)


def test_all_faults_show_on_top_and_beside_their_fields_and_what_was_typed_stays(site):
    site.fresh()
    site.runner.reply = faulty(
        ("MAX_TRADES", "must be a whole number", ""), ("MAX_TRADE", "is not known", "MAX_TRADES")
    )
    answer = site.post("/configuration", "/configuration", MAX_TRADES="<many>", MAX_TRADE="4")
    assert answer.status_code == 422
    page = answer.text
    assert "2 values to correct" in page
    assert page.count("must be a whole number") == 2
    assert "<code>MAX_TRADE</code>" in page
    assert "The nearest known name is <code>MAX_TRADES</code>" in page
    assert 'value="&lt;many&gt;"' in page
    assert 'class="field wrong" id="row-MAX_TRADES"' in page


def test_a_group_with_a_fault_is_unfolded_also_inside_its_fine_tuning(site):
    site.fresh()
    site.runner.reply = faulty(("MAX_EXPOSURE", "too large", ""))
    page = site.post("/configuration", "/configuration", MAX_EXPOSURE="9").text
    assert re.search(r'id="group-money-and-risk" open', page)
    assert re.search(r'<details class="more" open>', page)


def test_a_typed_secret_is_never_written_into_the_page_and_is_asked_for_again(site):
    site.fresh()
    site.runner.reply = faulty(("MAX_TRADES", "no", ""))
    page = site.post("/configuration", "/configuration", MAX_TRADES="x", BROKER_API_KEY="planted-secret-1").text
    assert "planted-secret-1" not in page
    assert "Enter again: API key." in page


def test_a_switch_that_is_off_is_sent_as_false(site):
    site.fresh()
    token = site.token("/configuration")
    site.browser.post(
        "/configuration", data={"csrf_token": token, "FRACTIONAL": "false", "NOTIFY_ON_FILL": ["false", "true"]}
    )
    kind, body, _ = site.runner.asked[-1]
    assert kind == "provision"
    assert body["values"] == {"FRACTIONAL": "false", "NOTIFY_ON_FILL": "true"}


def test_an_accepted_configuration_leads_to_the_progress(site):
    site.fresh()
    answer = site.post("/configuration", "/configuration", MAX_TRADES="4")
    assert answer.status_code == 303
    assert answer.location == "/progress"


def test_checking_asks_for_validation_only_and_says_that_nothing_was_saved(site):
    site.fresh()
    answer = site.post("/configuration/check", "/configuration", MAX_TRADES="4")
    assert site.runner.asked[-1][0] == "validate"
    assert "Nothing was saved yet" in answer.text


def test_a_silent_runner_is_reported_in_its_words_and_the_form_stays(site):
    site.fresh()
    site.runner.reply = Reply(ok=False, code="runner_silent", message="The runner is silent. Nothing was changed.")
    answer = site.post("/configuration", "/configuration", MAX_TRADES="3")
    assert answer.status_code == 503
    assert "The runner is silent" in answer.text
    assert re.search(r'id="MAX_TRADES"[^>]*value="3"', answer.text)


def test_a_form_from_before_a_restart_of_the_web_comes_back_as_typed(site):
    site.fresh()
    site.token("/configuration")
    answer = site.browser.post("/configuration", data={"csrf_token": "of-an-older-process", "MAX_TRADES": "7"})
    assert answer.status_code == 400
    assert "older than the web server" in answer.text
    assert re.search(r'id="MAX_TRADES"[^>]*value="7"', answer.text)
    assert not site.runner.asked


def test_settings_need_an_admin_once_a_user_exists(site):
    site.provisioned()
    site.log_in("trader")
    assert site.browser.get("/configuration").status_code == 403


def publish_steps(site, state, *statuses, failed=None):
    steps = [{"name": s, "title": s, "status": s, "why": "disk full", "fix": "free some"} for s in statuses]
    site.runner_says.publish("provisioning", {"state": state, "steps": steps, "failed": failed}, 30)


def test_the_progress_follows_the_steps_and_ends_at_the_registration(site):
    site.fresh()
    site.state("provisioning")
    publish_steps(site, "running", "done", "running")
    facts = site.browser.get("/progress.json").json
    assert [s["status"] for s in facts["steps"]] == ["done", "running"]
    assert facts["next"] is None
    site.provisioned(users=0)
    publish_steps(site, "done", "done", "done")
    assert site.browser.get("/progress.json").json["next"] == "/register"


def test_a_failed_step_shows_why_and_what_to_do_and_leads_back_to_the_form(site):
    site.fresh()
    publish_steps(site, "failed", "undone", "failed", failed="failed")
    page = site.browser.get("/progress").text
    assert "disk full" in page
    assert "free some" in page
    assert "Back to the settings" in page


def test_the_progress_waits_until_the_runner_says_that_it_is_provisioned(site):
    site.fresh()
    site.state("idle")
    publish_steps(site, "done", "done")
    assert site.browser.get("/progress.json").json["next"] is None


def test_new_settings_of_an_admin_are_followed_until_done(site):
    site.provisioned()
    site.log_in()
    publish_steps(site, "running", "running")
    assert site.browser.get("/progress.json").json["next"] is None
    publish_steps(site, "done", "done")
    assert site.browser.get("/progress.json").json["next"] == "/?saved=1"
    assert "The settings are saved." in site.browser.get("/?saved=1").text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("trading", "What you save takes effect between windows"),
        ("graceful_closing_positions", "Positions are being closed"),
        ("gone", "The bot is in an unknown state"),
    ],
)
def test_an_admin_is_told_beforehand_why_settings_cannot_be_saved_now(site, state, words):
    site.provisioned(state=state)
    site.log_in()
    page = site.browser.get("/configuration")
    assert page.status_code == 200
    assert words in page.text


@pytest.mark.parametrize("state", ["idle", "shutdown_triggered", "error"])
def test_while_nothing_trades_nothing_speaks_against_saving(site, state):
    site.provisioned(state=state)
    site.log_in()
    assert "only while it does not trade" not in site.browser.get("/configuration").text
    assert site.post("/configuration", "/configuration", MAX_TRADES="3").location == "/progress"
    assert site.runner.asked[-1][2] == "cookie-text"


def test_after_a_failed_saving_the_way_back_brings_what_was_typed(site):
    site.provisioned()
    site.log_in()
    publish_steps(site, "failed", "undone", "failed", failed="failed")
    assert 'href="/configuration?again=1"' in site.browser.get("/progress").text


def test_what_raises_a_risk_takes_the_password_and_names_the_keys_while_the_form_stays_as_typed(site):
    site.provisioned()
    site.log_in()
    faults = {"MAX_TRADES": "needs your password", "step_up_password": "Type your password."}
    site.runner.refuse("provision", "step_up", "MAX_TRADES: more can be lost with this.", body={"totp": True}, **faults)
    answer = site.post("/configuration", "/configuration", MAX_TRADES="9")
    assert answer.status_code == 422
    assert 'href="#MAX_TRADES"' in answer.text
    assert "MAX_TRADES: more can be lost with this." in answer.text
    assert "values to correct" not in answer.text
    assert re.search(r'name="step_up_password"[^>]*form="configuration"', answer.text, re.S)
    assert 'name="step_up_code"' in answer.text
    assert re.search(r'id="MAX_TRADES"[^>]*value="9"', answer.text)


def test_the_proof_goes_beside_the_values_and_is_no_value(site):
    site.provisioned()
    site.log_in()
    proof = {"step_up_password": "my words", "step_up_code": "123456"}
    site.post("/configuration", "/configuration", MAX_TRADES="9", **proof)
    step_up = {"password": "my words", "code": "123456"}
    assert site.runner.last("provision") == {"values": {"MAX_TRADES": "9"}, "step_up": step_up}
