"""Backups and restoring: honest about age and state; nothing is restored that was not looked at first."""

import html
import os
import re

import pytest

from tbot_web.support.restore_preview import carried, read_preview

NEWEST, OLDER = "tbot-20260310T020000Z.age", "tbot-20260309T020000Z.age"
AT = "2026-03-10T02:00:00+00:00"
BODY = {
    "backups": [
        {"name": NEWEST, "made_at": AT, "bytes": 1834221, "kept_as": ["daily", "weekly"], "offsite": "copied"},
        {"name": OLDER, "made_at": AT, "bytes": 912, "kept_as": [], "offsite": "the server refused the login"},
    ],
    "running": False,
    "last_ok_at": AT,
    "error": "",
    "next_at": "2026-03-11T02:00:00+00:00",
    "offsite": {"target": "s3://bucket/x", "last_ok_at": AT, "error": ""},
    "drill": {"at": AT, "ok": False, "checks": [{"name": "ledger", "ok": False, "detail": "off by 0.01"}]},
}
PREVIEW = {
    "preview": "p-1",
    "made_at": "2026-03-10T02:00:00+00:00",
    "version": "v1",
    "bot": "TBOT-1",
    "parts": [
        {"part": "settings", "title": "Settings", "present": True, "changes": ["MAX_TRADES: 4 → 6"]},
        {"part": "users", "title": "Users", "present": True, "changes": ["<b>robin</b> would be added"]},
        {"part": "audit", "title": "Audit log", "present": False, "changes": []},
    ],
    "warnings": ["The ledger here is newer."],
}
KEY = "AGE-SECRET-KEY-1PLANTED"


@pytest.fixture
def admin(site):
    site.provisioned()
    site.log_in()
    system = {"provisioned": True, "users": 1, "version": "v1", "recovery": "ab12"}
    site.runner_says.publish("system", system, 30)
    site.bot_says.publish("backups", BODY, 3600)
    return site


def test_every_backup_shows_age_size_why_it_is_kept_and_its_copy(admin):
    page = admin.browser.get("/backups").text
    assert "1.8 MB" in page
    assert "912 bytes" in page
    assert "12 h ago" in page
    assert "daily, weekly" in page
    assert "the server refused the login" in page
    assert "It failed: this backup cannot be trusted." in page
    assert "off by 0.01" in page
    assert "next in 12 h" in page


def test_without_a_recovery_key_the_page_says_that_there_are_no_backups(admin):
    admin.runner_says.publish("system", {"provisioned": True, "users": 1, "version": "v1", "recovery": ""}, 30)
    page = admin.browser.get("/backups").text
    assert "There is no recovery key, so no backup is made." in page
    assert 'disabled title="There is no recovery key yet"' in page


def test_a_silent_backup_process_is_said_and_its_last_word_is_dated(admin):
    admin.bot_says.publish("backups", BODY, -1)
    assert "The backup process has been silent since" in admin.browser.get("/backups").text


@pytest.mark.parametrize(("path", "kind"), [("/backups/now", "backup_now"), ("/backups/drill", "drill_now")])
def test_one_more_backup_or_drill_is_asked_for(admin, path, kind):
    answer = admin.post(path, "/backups")
    assert admin.runner.asked[-1][0] == kind
    assert "Asked for." in admin.browser.get(answer.location).text


def shown(site, **values):
    site.runner.answer("restore_preview", **PREVIEW)
    form = {"backup": "tbot-20260310T020000Z.age", "identity": " age-secret-key-1 plan ted\n", **values}
    return site.post("/restore/preview", "/restore", **form)


def test_the_preview_takes_key_and_proof_and_the_key_is_in_no_answer(admin):
    answer = shown(admin, step_up_password="my words")
    assert admin.runner.last("restore_preview") == {
        "backup": "tbot-20260310T020000Z.age",
        "identity": KEY,
        "step_up": {"password": "my words", "code": ""},
    }
    assert "MAX_TRADES: 4 → 6" in answer.text
    assert "The ledger here is newer." in answer.text
    assert "<b>robin</b>" not in answer.text
    assert re.search(r'value="audit" disabled', answer.text)
    assert "PLANTED" not in answer.text
    assert not any("PLANTED" in c for c in answer.headers.getlist("Set-Cookie"))


def test_a_refused_preview_keeps_the_name_and_never_the_key(admin):
    admin.runner.refuse("restore_preview", "invalid", "This key does not open it.", identity="does not open it")
    answer = admin.post("/restore/preview", "/restore", backup="other.age", identity=KEY, step_up_password="x")
    assert answer.status_code == 422
    assert 'value="other.age"' in answer.text
    assert '<span class="fault">does not open it</span>' in answer.text
    assert "PLANTED" not in answer.text


def carried_text(page):
    return html.unescape(re.search(r'name="shown" value="([^"]*)"', page)[1])


def restore(site, page, parts, **more):
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    form = {"csrf_token": token, "shown": carried_text(page), "part": parts, **more}
    return site.browser.post("/restore", data=form)


def test_the_chosen_parts_are_restored_and_the_page_says_where_the_old_ones_are(admin):
    page = shown(admin, step_up_password="x").text
    admin.runner.answer("restore", parts=["settings"], kept="storage/before-restore/20260310")
    answer = restore(admin, page, ["settings"], step_up_password="again")
    proven = {"step_up": {"password": "again", "code": ""}}
    assert admin.runner.last("restore") == {"preview": "p-1", "parts": ["settings"], **proven}
    assert "storage/before-restore/20260310" in answer.text


def test_a_refused_restore_shows_the_same_preview_with_the_same_marks(admin):
    page = shown(admin, step_up_password="x").text
    admin.runner.refuse("restore", "step_up", "no", body={"totp": False}, step_up_password="The password is wrong.")
    answer = restore(admin, page, ["users"], step_up_password="planted-proof")
    assert "The password is wrong." in answer.text
    assert "MAX_TRADES: 4 → 6" in answer.text
    assert 'value="users" checked' in answer.text
    assert 'value="settings">' in answer.text
    assert "planted-proof" not in answer.text


def test_without_a_part_nothing_is_asked(admin):
    page = shown(admin, step_up_password="x").text
    answer = restore(admin, page, [])
    assert answer.status_code == 422
    assert "Mark at least one part." in answer.text
    assert "restore" not in {kind for kind, _, _ in admin.runner.asked}


def test_on_a_fresh_machine_anyone_may_restore_and_no_password_is_asked(site):
    site.fresh()
    assert 'href="/restore"' in site.browser.get("/configuration").text
    assert "step_up_password" not in site.browser.get("/restore").text
    page = shown(site).text
    assert site.runner.last("restore_preview") == {"backup": "tbot-20260310T020000Z.age", "identity": KEY}
    site.runner.answer("restore", parts=["users"], kept="")
    assert restore(site, page, ["users"]).status_code == 200
    assert site.runner.last("restore") == {"preview": "p-1", "parts": ["users"]}


def test_after_a_restore_one_waits_for_the_runner_instead_of_setting_up_anew(site):
    site.fresh()
    assert "Taking up what was restored" in site.browser.get("/restored").text
    site.provisioned()
    assert site.browser.get("/restored").location == "/"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"preview": ""}', '{"preview": 7}', "\x00", "[" * 5000])
def test_a_bent_preview_is_no_preview(text):
    assert carried(text) is None


def test_a_preview_survives_being_carried():
    preview = read_preview(PREVIEW)
    assert carried(preview.to_text()) == preview


def test_a_huge_list_of_changes_is_cut_and_counted():
    rows = [{"part": "users", "title": "Users", "present": True, "changes": ["x"] * 5000}]
    part = read_preview({**PREVIEW, "parts": rows}).parts[0]
    assert len(part.changes) == 200
    assert part.more == 4800
    assert carried(read_preview({**PREVIEW, "parts": rows}).to_text()).parts[0].more == 4800


def shelf(site, **values):
    told = {"folder": "/srv/t bot/storage/backups", "uid": 987, "owner": "tbot-keys", "group": "tbot-keys", "files": []}
    system = {"provisioned": False, "users": 0, "version": "v1", "shelf": {**told, **values}}
    site.runner_says.publish("system", system, 30)


def test_the_restore_page_shows_how_a_backup_from_elsewhere_gets_into_the_folder(site):
    site.fresh()
    shelf(site)
    command = "sudo install -o tbot-keys -g tbot-keys -m 600 FILE '/srv/t bot/storage/backups/'"
    assert f"<code>{html.escape(command)}</code>" in site.browser.get("/restore").text.replace("&#39;", "&#x27;")
    shelf(site, uid=os.geteuid())
    page = html.unescape(site.browser.get("/restore").text)
    assert "<code>install -m 600 FILE '/srv/t bot/storage/backups/'</code>" in page


def test_what_lies_in_the_folder_is_listed_also_where_no_backup_process_has_told(site):
    site.fresh()
    assert "Not known" in site.browser.get("/restore").text
    shelf(site, files=["tbot-20260310T020000Z.age", "brought.age", 7])
    page = site.browser.get("/restore").text
    assert 'href="/restore?backup=brought.age"' in page
    assert 'value="tbot-20260310T020000Z.age" required' in page
    assert 'value="brought.age" required' in site.browser.get("/restore?backup=brought.age").text
