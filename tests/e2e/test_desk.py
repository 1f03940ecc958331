"""What a trader asks of the runner besides Start: confirming an entry, a backtest, other settings; all parts real."""

import json
import re
import time

import pytest
from playwright.sync_api import expect

from tbot_bot.config.security_bot import open_config
from tests.e2e.conftest import PASSWORD
from tests.e2e.test_cockpit import STATUS, published
from tests.unit.backtest.bars import rally, write

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORKER = "tbot_bot.backtest"
OFFER = {
    "client_id": "tb-260310-open-aaa-entry1-0123456789ab",
    "strategy": "open",
    "symbol": "AAA",
    "side": "buy",
    "value": "799.50",
    "reason": "closed above the range",
    "until": "2026-03-10T14:08:00+00:00",
}


def offer(machine, **changes):
    body = {**STATUS, "confirmations": [{**OFFER, **changes}]}
    published(machine).publish("status", body, expires_after=60)


def wait_for_form(machine, name, value):
    """Until the runner has published the form with the saved value."""
    for _ in range(100):
        if json.loads(machine.paths.snapshot("form").read_text())["body"]["values"][name] == value:
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} never became {value}")


def test_an_entry_that_waits_is_confirmed_with_one_press_and_reaches_the_bot(machine, provisioned):
    page = provisioned
    offer(machine)
    offers = page.locator("#confirmations")
    expect(offers).to_contain_text("OPEN would buy AAA for $799.50")
    expect(offers).to_contain_text(re.compile(r"Stands for 7 min \d\d s of market time, until 10:08:00 New York"))
    expect(offers).to_contain_text("Nothing is sent without an answer")
    page.get_by_role("button", name="Confirm: OPEN would buy AAA").click()
    expect(offers.locator(".answer")).to_contain_text("Confirmed.")
    jobs = [json.loads(job.read_text()) for job in machine.paths.job_folder("confirm").glob("*.job")]
    assert [(job["client_id"], job["by"]) for job in jobs] == [(OFFER["client_id"], "alex")]
    published(machine).publish("status", {**STATUS, "confirmations": []}, expires_after=60)
    expect(offers).to_be_hidden()


def test_an_offer_is_refused_in_words_and_one_that_ran_out_cannot_be_confirmed(machine, provisioned):
    page = provisioned
    offer(machine, client_id="not an id")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#confirmations .answer")).to_contain_text("client order id")
    expect(page.locator("#notice")).to_contain_text("client order id")
    offer(machine, until="2026-03-10T13:59:00+00:00", client_id="tb-2")
    expect(page.locator("#confirmations")).to_contain_text("The offer has run out; nothing is sent.")
    expect(page.get_by_role("button", name="Confirm")).to_be_disabled()
    assert not machine.paths.job_folder("confirm").exists()


def test_a_backtest_is_queued_and_its_result_appears_by_itself(machine, provisioned):
    page = provisioned
    write(machine.root / "bars.parquet", rally())
    page.get_by_role("link", name="Backtests").click()
    expect(page.locator("#jobs")).to_contain_text("No backtest has run yet")
    page.get_by_label("First day").fill("2025-01-08")
    page.get_by_label("Last day").fill("2025-01-07")
    page.get_by_label("Bars").fill("../bars.parquet")
    page.get_by_role("button", name="Queue it").click()
    expect(page.locator("#last-help")).to_contain_text("before the first day")
    expect(page.locator("#file-help")).to_contain_text("no ..")
    expect(page.get_by_label("First day")).to_have_value("2025-01-08")
    page.get_by_label("First day").fill("2025-01-07")
    page.get_by_label("Last day").fill("2025-01-08")
    page.get_by_label("Bars").fill("bars.parquet")
    page.get_by_label("Seed").fill("3")
    page.get_by_role("button", name="Queue it").click()
    expect(page.locator("#queued")).to_contain_text("Queued")
    machine.start(WORKER)
    expect(page.locator("#jobs tbody")).to_contain_text("done", timeout=20_000)
    expect(page.locator("#jobs tbody")).to_contain_text("backtest_results/2025-01-07_2025-01-08_")
    expect(page.locator("#queued")).to_be_hidden()
    folder = next(machine.paths.backtest_results.iterdir())
    assert json.loads((folder / "config.json").read_text())["seed"] == 3


def test_an_admin_changes_settings_later_and_secrets_left_empty_stay(machine, provisioned):
    page = provisioned
    before = open_config(machine.paths).raw
    page.get_by_role("link", name="Settings").click()
    page.get_by_text("Who executes the trades").click()
    expect(page.locator("#BROKER_API_KEY")).to_have_value("")
    expect(page.locator("#BROKER_API_KEY")).to_have_attribute("placeholder", "stored; empty keeps it")
    page.get_by_text("Money and risk").click()
    page.locator("#MAX_OPEN_POSITIONS").fill("none")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#verdict h2")).to_contain_text("Nothing was saved.")
    page.locator("#MAX_OPEN_POSITIONS").fill("6")
    page.locator("#BROKER_API_KEY").fill("planted-secret-5")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#verdict")).to_contain_text("MAX_OPEN_POSITIONS: more can be lost with this.")
    page.locator("#configuration-step-up-password").fill("not the right words")
    page.get_by_role("button", name="Confirm and save").click()
    expect(page.locator("#configuration-step-up-password-help")).to_contain_text("The password is wrong.")
    expect(page.locator("#BROKER_API_KEY")).to_have_value("planted-secret-5")
    assert open_config(machine.paths).raw == before
    page.locator("#BROKER_API_KEY").fill("")
    page.locator("#configuration-step-up-password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm and save").click()
    expect(page.get_by_text("The settings are saved.")).to_be_visible()
    after = open_config(machine.paths).raw
    assert after == {**before, "MAX_OPEN_POSITIONS": "6"}
    assert after["BROKER_API_KEY"]
    wait_for_form(machine, "MAX_OPEN_POSITIONS", "6")
    page.goto("/configuration")
    expect(page.locator("#MAX_OPEN_POSITIONS")).to_have_value("6")


def test_settings_of_a_running_bot_are_saved_but_not_what_its_session_is_bound_to(machine, provisioned):
    page = provisioned
    machine.paths.bot_state.write_text("trading\n")
    page.goto("/configuration")
    expect(page.locator("#verdict")).to_contain_text("What you save takes effect between windows")
    page.get_by_text("Money and risk").click()
    page.locator("#MAX_OPEN_POSITIONS").fill("2")
    page.get_by_text("Who executes the trades").click()
    page.locator("#BROKER_API_KEY").fill("another-key")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#verdict")).to_contain_text("The running session is bound to its broker, account and name.")
    expect(page.locator("#MAX_OPEN_POSITIONS")).to_have_value("2")
    page.locator("#BROKER_API_KEY").fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("They take effect between windows.")).to_be_visible()
    wait_for_form(machine, "MAX_OPEN_POSITIONS", "2")


def test_settings_are_refused_in_words_while_positions_are_closed_and_kept_as_typed(machine, provisioned):
    page = provisioned
    page.goto("/configuration")
    page.get_by_text("Money and risk").click()
    page.locator("#MAX_OPEN_POSITIONS").fill("2")
    machine.paths.bot_state.write_text("graceful_closing_positions\n")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#verdict")).to_contain_text("Positions are being closed.")
    expect(page.locator("#MAX_OPEN_POSITIONS")).to_have_value("2")
    page.goto("/configuration?again=1")
    expect(page.locator("#MAX_OPEN_POSITIONS")).to_have_value("2")
