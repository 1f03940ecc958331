"""What an owner does so that nothing is lost, in a browser over the real runner: recovery key, keys, backups."""

import re

import pytest
from playwright.sync_api import expect

from tbot_bot.config.generations import current_number
from tests.e2e.conftest import BACKUP, PASSWORD, RUNNER, WEB, Machine, free_port, log_in, register

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def confirm(page, form, password=PASSWORD):
    page.locator(f"#{form}-step-up-password").fill(password)


def shown_groups(page):
    """The key as the page shows it."""
    page.get_by_role("button", name="Show the recovery key").click()
    expect(page.locator("#recovery-key")).to_be_visible()
    return page.locator("#recovery-key code").all_inner_texts()


def test_the_first_run_ends_with_a_recovery_key_that_is_confirmed_and_shown_nowhere_else(machine, page):
    page.goto("/")
    page.get_by_role("button", name="Save and set up").click()
    page.wait_for_url("**/register")
    register(page)
    groups = shown_groups(page)
    assert groups[0] == "AGE-SECRET-KEY-1"
    page.get_by_label("Its last group").fill("WRONG")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert").first).to_contain_text("That is not the key's last group")
    assert groups[3] not in page.content()
    page.get_by_label("Its last group").fill(groups[-1].lower())
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/?welcome=1")
    expect(page.get_by_label("How to begin")).to_be_visible()
    expect(page.locator("#health")).to_contain_text("Audit log")
    expect(page.locator("#warnings")).not_to_contain_text("no recovery key")
    page.goto("/recovery")
    expect(page.locator("main")).to_contain_text("Backups made before still need the old one")
    written = b"".join(p.read_bytes() for p in machine.root.rglob("*") if p.is_file())
    assert "".join(groups[1:]).encode() not in written
    for log in (WEB, RUNNER):
        assert groups[2] not in machine.log(log)


def test_a_recovery_key_that_waits_is_a_warning_with_the_way_to_it(provisioned):
    page = provisioned
    expect(page.locator("#warnings")).to_contain_text("There is no recovery key")
    page.locator("#warnings").get_by_role("link", name="Look").click()
    expect(page.get_by_role("button", name="Show the recovery key")).to_be_visible()


def test_keys_are_rotated_from_the_page_and_a_wrong_password_changes_nothing(machine, provisioned):
    page = provisioned
    before = current_number(machine.paths)
    page.get_by_role("link", name="Keys", exact=True).click()
    page.get_by_label("broker", exact=True).check()
    confirm(page, "rotate", "not the right words")
    page.get_by_role("button", name="Make new keys").click()
    expect(page.locator("#rotate-step-up-password-help")).to_contain_text("The password is wrong.")
    expect(page.get_by_label("broker", exact=True)).to_be_checked()
    assert current_number(machine.paths) == before
    confirm(page, "rotate")
    page.get_by_role("button", name="Make new keys").click()
    expect(page.get_by_role("status").filter(has_text="Done: the marked keys are new")).to_be_visible()
    assert current_number(machine.paths) > before
    expect(page.locator("#old-title + .body")).to_contain_text("destroyed in")
    page.get_by_label("Which key").select_option("session")
    page.get_by_label("Others may have seen it").check()
    confirm(page, "compromised")
    page.get_by_role("button", name="Replace it now").click()
    expect(page.locator("main")).to_contain_text("Every login has ended")
    page.goto("/keys")
    expect(page).to_have_url(re.compile(r"/login\?next=/keys&ended=1"))
    expect(page.locator("main")).to_contain_text("Your login has ended")
    log_in(page)
    page.wait_for_url("**/keys")


def test_the_audit_log_is_searched_and_verified(provisioned):
    page = provisioned
    page.get_by_role("link", name="Audit", exact=True).click()
    page.get_by_label("Event").fill("registration")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".records li")).to_have_count(1)
    page.locator(".records summary").click()
    expect(page.locator(".records dl")).to_contain_text("admin")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("status").filter(has_text="Verified:")).to_be_visible()


def recovery_key(page):
    """The key as the admin's copy has it, confirmed."""
    page.goto("/recovery")
    groups = shown_groups(page)
    page.get_by_label("Its last group").fill(groups[-1])
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Backups", exact=True)).to_be_visible()
    return " ".join(groups)


def backed_up(page):
    """Wait for the first backup to appear in the list."""
    for _ in range(60):
        page.goto("/backups")
        if page.get_by_role("link", name=re.compile("^Restore tbot-")).count():
            return page.get_by_role("link", name=re.compile("^Restore tbot-")).first
        page.wait_for_timeout(500)
    raise AssertionError("no backup appeared")


def test_a_backup_is_made_looked_into_and_restored_here_and_on_another_machine(
    machine, provisioned, chromium, tmp_path
):
    page = provisioned
    machine.start(BACKUP)
    key = recovery_key(page)
    backed_up(page).click()
    name = page.get_by_label("Backup", exact=True).input_value()
    page.get_by_label("Recovery key", exact=True).fill(key)
    confirm(page, "preview", "not the right words")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("#preview-step-up-password-help")).to_contain_text("The password is wrong.")
    expect(page.get_by_label("Recovery key", exact=True)).to_have_value("")
    page.get_by_label("Recovery key", exact=True).fill(key)
    confirm(page, "preview")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("main")).to_contain_text("Nothing was changed yet.")
    for other_part in page.locator("input[name=part]:enabled:not([value=settings])").all():
        other_part.uncheck()
    confirm(page, "restore")
    page.get_by_role("button", name="Restore the marked parts").click()
    expect(page.get_by_role("heading", name="Restored")).to_be_visible()
    expect(page.locator("main")).to_contain_text("storage/before-restore/")

    elsewhere = Machine(tmp_path / "elsewhere", free_port())
    elsewhere.paths.backups.mkdir(parents=True)
    (elsewhere.paths.backups / name).write_bytes((machine.paths.backups / name).read_bytes())
    context = chromium.new_context(base_url=elsewhere.url)
    try:
        elsewhere.start(RUNNER)
        elsewhere.start(WEB)
        elsewhere.wait()
        other = context.new_page()
        other.goto("/")
        other.get_by_role("link", name="Restore from a backup").click()
        other.get_by_label("Backup", exact=True).fill(name)
        other.get_by_label("Recovery key", exact=True).fill(key)
        other.get_by_role("button", name="Show what would change").click()
        expect(other.locator("main")).to_contain_text("Nothing was changed yet.")
        other.get_by_role("button", name="Restore the marked parts").click()
        expect(other.get_by_role("heading", name="Restored")).to_be_visible()
        other.get_by_role("link", name="Go on").click()
        other.wait_for_url("**/login")
        log_in(other)
        expect(other.get_by_role("heading", name="Today", exact=True)).to_be_visible()
    finally:
        context.close()
        for module in list(elsewhere.running):
            elsewhere.kill(module)
