"""From a fresh machine to the dashboard, in a browser, through the real runner; wrong input included."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import PASSWORD, RUNNER, WEB, log_in, register

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_new_user_gets_from_the_configuration_to_the_dashboard(machine, page):
    page.goto("/")
    expect(page).to_have_url(re.compile("/configuration$"))
    expect(page.locator("#summary")).to_contain_text("at most 4 positions a window of up to $800 each")
    expect(page.locator("#summary")).to_contain_text("stops for the day at −$5,000")
    page.get_by_role("button", name="Save and set up").click()
    page.wait_for_url("**/register")
    register(page)
    expect(page.get_by_role("heading", name="Recovery key")).to_be_visible()
    page.get_by_role("link", name="Later", exact=True).click()
    expect(page.get_by_role("heading", name="Today", exact=True)).to_be_visible()
    expect(page.locator("#state")).to_have_text(re.compile("idle", re.I))
    expect(page.get_by_label("How to begin")).to_be_visible()
    assert (machine.paths.secrets / ".env_bot.enc").exists()


def test_all_faults_show_at_once_and_nothing_typed_is_lost_secrets_included(machine, page):
    page.goto("/configuration")
    page.get_by_text("Money and risk").click()
    page.locator("#MAX_TRADES").fill("many")
    page.locator("#DAILY_LOSS_LIMIT").fill("7")
    page.get_by_text("Who executes the trades").click()
    page.locator("#BROKER_API_KEY").fill("planted-secret-3")
    page.get_by_role("button", name="Save and set up").click()
    expect(page.locator("#verdict h2")).to_contain_text("to correct. Nothing was saved.")
    for name in ("MAX_TRADES", "DAILY_LOSS_LIMIT"):
        expect(page.locator(f"#verdict a[href='#{name}']")).to_be_visible()
        expect(page.locator(f"#row-{name} .faults .fault").first).to_be_visible()
    expect(page.locator("#MAX_TRADES")).to_have_value("many")
    expect(page.locator("#BROKER_API_KEY")).to_have_value("planted-secret-3")
    assert "planted-secret-3" not in page.content()
    page.locator("#verdict a[href='#MAX_TRADES']").click()
    expect(page.locator("#MAX_TRADES")).to_be_focused()
    page.locator("#MAX_TRADES").fill("4")
    page.locator("#DAILY_LOSS_LIMIT").fill("0.05")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#verdict")).to_contain_text("every value is in range")
    assert machine.paths.bot_state.read_text() == "initialize\n"
    for log in (WEB, RUNNER):
        assert "planted-secret-3" not in machine.log(log)


def test_the_sentence_follows_what_one_types(page):
    page.goto("/configuration")
    page.get_by_text("Money and risk").click()
    page.locator("#TOTAL_ALLOCATION").fill("0.01")
    expect(page.locator("#summary")).to_contain_text("up to $400 each")
    page.locator("#TOTAL_ALLOCATION").fill("a lot")
    expect(page.locator("#summary")).not_to_contain_text("$400")
    expect(page.locator("#row-TOTAL_ALLOCATION .means")).to_have_text("not a number")


def test_the_search_unfolds_what_it_finds_and_folds_back(page):
    page.goto("/configuration")
    page.get_by_label("Find a setting").fill("debt")
    expect(page.locator("#MAX_DEBT_EQUITY")).to_be_visible()
    expect(page.locator("#MAX_TRADES")).to_be_hidden()
    page.get_by_label("Find a setting").fill("")
    expect(page.locator("#MAX_DEBT_EQUITY")).to_be_hidden()


def test_a_restart_of_the_web_costs_one_more_press_and_nothing_typed(machine, page):
    page.goto("/configuration")
    page.get_by_text("Money and risk").click()
    page.locator("#MAX_OPEN_POSITIONS").fill("6")
    machine.kill(WEB)
    page.get_by_role("button", name="Save and set up").click()
    expect(page.locator("#verdict")).to_contain_text("did not answer")
    machine.start(WEB)
    machine.wait()
    page.get_by_role("button", name="Save and set up").click()
    expect(page.locator("#verdict")).to_contain_text("older than the web server")
    expect(page.locator("#MAX_OPEN_POSITIONS")).to_have_value("6")
    page.get_by_role("button", name="Save and set up").click()
    page.wait_for_url("**/register")


def test_without_a_runner_the_form_says_what_is_safe_and_keeps_everything(machine, page):
    page.goto("/configuration")
    page.get_by_text("Money and risk").click()
    page.locator("#MAX_OPEN_POSITIONS").fill("6")
    machine.paths.runner_public_key.unlink()
    machine.kill(RUNNER)
    page.get_by_role("button", name="Save and set up").click()
    expect(page.locator("#verdict")).to_contain_text("nothing was changed")
    expect(page.locator("#MAX_OPEN_POSITIONS")).to_have_value("6")


def test_a_wrong_password_is_refused_and_the_right_one_leads_where_one_was_going(provisioned):
    page = provisioned
    page.locator(".user summary").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto("/universe")
    log_in(page, "not the right words")
    expect(page.get_by_role("alert")).to_contain_text("User name or password is wrong.")
    expect(page.get_by_label("User name")).to_have_value("alex")
    log_in(page, PASSWORD)
    page.wait_for_url("**/universe")
