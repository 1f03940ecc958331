"""The dashboard in a browser: Kill whatever else is dead, honest about age and the unknown, usable at every width."""

import json
import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tbot_bot.support.clock import SystemClock
from tbot_bot.support.snapshot import Publisher
from tests.e2e.conftest import RUNNER, WEB

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STATUS = {
    "state": "idle",
    "why": "",
    "mode": "PAPER",
    "broker": "PAPER",
    "market_now": "2026-03-10T14:00:00+00:00",
    "speed": 1,
    "session": {"open": "2026-03-10T13:30:00+00:00", "close": "2026-03-10T20:00:00+00:00"},
    "windows": [
        {
            "strategy": "open",
            "start": "2026-03-10T13:30:00+00:00",
            "analysis_end": "2026-03-10T13:50:00+00:00",
            "breakout_end": "2026-03-10T14:00:00+00:00",
            "phase": "monitoring",
        }
    ],
    "skipped": [{"strategy": "close", "reason": "VIX is unknown"}],
    "streams": [],
    "limits": [{"name": "DAILY_LOSS_LIMIT", "used": None, "limit": "5000", "unit": "USD", "setting": ""}],
    "day_pnl": None,
    "reconciled": {"clean": True, "why": ""},
}


def published(machine):
    return Publisher(machine.paths, "bot", SystemClock())


def hold_kill(page):
    box = page.locator("#kill").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()


def test_kill_is_held_for_a_second_and_works_with_runner_and_bot_dead(machine, provisioned):
    machine.kill(RUNNER)
    hold_kill(provisioned)
    expect(provisioned.locator("#notice")).to_contain_text("Kill was asked for")
    provisioned.mouse.up()
    expect(provisioned).to_have_url(re.compile(r"/\?welcome=1$"))
    assert json.loads(machine.paths.kill_flag.read_text())["by"] == "alex"


def test_a_short_press_asks_first_and_kills_nothing(machine, provisioned):
    provisioned.locator("#kill").click()
    provisioned.wait_for_url("**/kill")
    assert not machine.paths.kill_flag.exists()
    provisioned.get_by_role("button", name="Kill").click()
    provisioned.wait_for_url(machine.url + "/")
    assert machine.paths.kill_flag.exists()


def test_the_chord_kills_from_any_page_even_after_a_restart_of_the_web(machine, provisioned):
    provisioned.goto("/universe")
    machine.kill(WEB)
    machine.start(WEB)
    machine.wait()
    provisioned.keyboard.press("Control+Alt+k")
    expect(provisioned.locator("#notice")).to_contain_text("Kill was asked for")
    assert machine.paths.kill_flag.exists()


def test_unknown_is_a_dash_with_a_reason_and_never_a_zero(machine, provisioned):
    expect(provisioned.locator("#notice")).to_contain_text("The strategy runtime has published nothing yet")
    expect(provisioned.locator("#positions")).to_contain_text("— The strategy runtime has not published this yet")
    published(machine).publish("status", STATUS, expires_after=60)
    expect(provisioned.locator("#mode")).to_have_text("PAPER")
    expect(provisioned.locator("#day-pnl")).to_have_text("—")
    expect(provisioned.locator("#risk")).to_contain_text("— (not known) of $5,000")
    expect(provisioned.locator("#timeline")).to_contain_text("not today: VIX is unknown")
    expect(provisioned.locator("#clock-ny")).to_have_text(re.compile(r"^10:00:\d\d$"))
    expect(provisioned.locator("#session-left")).to_have_text(re.compile("5 h 59 min|6 h 00 min"))


def test_a_silent_bot_is_called_silent_and_its_last_words_are_greyed(machine, provisioned):
    published(machine).publish("status", {**STATUS, "day_pnl": "12.00"}, expires_after=2)
    expect(provisioned.locator("#day-pnl")).to_have_text("▲ +$12.00")
    expect(provisioned.locator("#notice")).to_contain_text("The strategy runtime has not written for")
    expect(provisioned.locator("#day-pnl")).to_have_text("—")
    expect(provisioned.locator("#risk")).to_have_class(re.compile("stale"))


def test_a_silent_web_server_is_told_on_the_page(machine, provisioned):
    machine.kill(WEB)
    expect(provisioned.locator("#notice")).to_contain_text("The web server has not answered for", timeout=10_000)


def test_what_the_bot_publishes_is_text_and_never_markup(machine, provisioned):
    evil = "<img src=x onerror=alert(1)>"
    line = {"at": "2026-03-10T14:00:00+00:00", "level": "info", "event": "e", "text": evil}
    bot = published(machine)
    bot.publish("status", {**STATUS, "why": evil}, expires_after=60)
    bot.publish("log", {"lines": [line]}, expires_after=60)
    expect(provisioned.locator("#log")).to_contain_text(evil)
    expect(provisioned.locator("#why")).to_have_text(f"New entries are blocked: {evil}")
    assert provisioned.locator("main img").count() == 0


def test_a_change_of_state_leads_to_the_halted_page_by_itself(machine, provisioned):
    machine.paths.bot_state.write_text("error\n")
    expect(provisioned.get_by_role("heading", name="Halted by an error")).to_be_visible()
    expect(provisioned.get_by_role("button", name="Start again")).to_be_visible()
    expect(provisioned.locator("#kill")).to_be_visible()


def test_an_ended_login_is_told_on_the_page(machine, provisioned):
    for record in machine.paths.sessions.iterdir():
        record.unlink()
    expect(provisioned.locator("#notice")).to_contain_text("Your login has ended")


def test_no_page_scrolls_sideways(machine, provisioned):
    published(machine).publish("status", STATUS, expires_after=60)
    for path in ("/", "/universe", "/backtests", "/configuration", "/kill"):
        provisioned.goto(path)
        provisioned.wait_for_timeout(300)
        for width in (380, 768, 1024, 1440):
            provisioned.set_viewport_size({"width": width, "height": 800})
            provisioned.wait_for_timeout(60)
            wider = provisioned.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, (path, width)


def test_what_an_owner_must_know_stands_on_top_with_its_age_and_leaves_when_it_is_mended(machine, provisioned):
    page = provisioned
    strip = page.locator("#warnings")
    backups = Publisher(machine.paths, "backup", SystemClock())
    days_ago = (SystemClock().now() - timedelta(days=10)).isoformat()
    backups.publish("backups", {"drill": {"at": days_ago, "ok": False, "checks": []}, "last_ok_at": days_ago}, 60)
    expect(strip).to_contain_text("The restore drill failed 10 days ago")
    expect(page.locator("#health")).to_contain_text("last good one 10 days ago, drill failed 10 days ago")
    expect(page.locator("#health")).to_contain_text("Audit log")
    backups.publish("backups", {"drill": {"at": days_ago, "ok": True, "checks": []}, "last_ok_at": days_ago}, 60)
    expect(strip).to_contain_text("The last restore drill was 10 days ago; it is due every week.")
    now = SystemClock().now().isoformat()
    backups.publish("backups", {"drill": {"at": now, "ok": True, "checks": []}, "last_ok_at": now}, 60)
    expect(strip).not_to_contain_text("drill")
    expect(strip).to_contain_text("There is no recovery key")
