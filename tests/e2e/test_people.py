"""People in a browser over the real runner: second factor, step-up, roles, ended and idle logins."""

import re
import time

import pyotp
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import PASSWORD, USER, log_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROBIN, ROBINS_PASSWORD = "robin", "five quite unrelated words today"


def confirm(page, form, password=PASSWORD, code=""):
    page.locator(f"#{form}-step-up-password").fill(password)
    if code:
        page.locator(f"#{form}-step-up-code").fill(code)


def log_out(page):
    page.locator(".user summary").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")


def enrol(page):
    """The secret and the recovery codes of a fresh enrolment."""
    page.goto("/account")
    confirm(page, "totp")
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator("img.qr")).to_be_visible()
    assert page.locator("img.qr").evaluate("(img) => img.complete && img.naturalWidth > 100")
    secret = page.locator("#totp-secret").inner_text().replace(" ", "")
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#codes code")).to_have_count(10)
    codes = page.locator("#codes code").all_inner_texts()
    return secret, codes


def test_an_authenticator_app_is_enrolled_and_logging_in_takes_its_code_or_a_recovery_code(machine, provisioned):
    page = provisioned
    secret, codes = enrol(page)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("main")).to_contain_text("10 recovery codes left")
    log_out(page)
    page.goto("/universe")
    log_in(page)
    expect(page.get_by_role("heading", name="Code from your authenticator app")).to_be_visible()
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Code", exact=True).fill(codes[0])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/universe")
    page.goto("/account")
    expect(page.locator("main")).to_contain_text("9 recovery codes left")
    confirm(page, "totp", code=pyotp.TOTP(secret).at(_next_step()))
    page.get_by_role("button", name="Remove the app").click()
    expect(page.get_by_role("status").filter(has_text="authenticator app is removed")).to_be_visible()
    for log in machine.root.glob("*.log"):
        text = log.read_text()
        assert secret not in text
        assert not any(code in text for code in codes)


def _next_step():
    """A moment in the next half minute: its code was not used yet and is accepted already."""
    return int(time.time()) + 30


def test_an_admin_adds_changes_and_removes_a_user_who_gets_exactly_that_far(provisioned, chromium, machine):
    page = provisioned
    page.get_by_role("link", name="Users", exact=True).click()
    page.locator("#add-username").fill(ROBIN)
    page.locator("#add-email").fill("robin@desk.example")
    page.locator("#add-role").select_option("viewer")
    page.locator("#add-new_password").fill(ROBINS_PASSWORD)
    confirm(page, "add", "not the right words")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#add-step-up-password-help")).to_contain_text("The password is wrong.")
    expect(page.locator("#add-username")).to_have_value(ROBIN)
    expect(page.locator("#add-new_password")).to_have_value("")
    page.locator("#add-new_password").fill(ROBINS_PASSWORD)
    confirm(page, "add")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="The user is added.")).to_be_visible()

    context = chromium.new_context(base_url=machine.url)
    other = context.new_page()
    other.goto("/login")
    log_in(other, ROBINS_PASSWORD, ROBIN)
    expect(other.get_by_role("heading", name="Today", exact=True)).to_be_visible()
    assert other.goto("/users").status == 403
    assert other.goto("/configuration").status == 403
    other.goto("/")
    expect(other.get_by_role("link", name="Keys", exact=True)).to_have_count(0)
    expect(other.get_by_role("button", name="Start")).to_have_count(0)

    page.get_by_role("link", name=f"Change {ROBIN}").click()
    page.locator("#change-role").select_option("trader")
    confirm(page, "change")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=re.compile(ROBIN))).to_contain_text("trader")
    expect(other.locator("#notice")).to_contain_text("Your login has ended")
    other.get_by_role("link", name="Log in again").click()
    log_in(other, ROBINS_PASSWORD, ROBIN)
    expect(other.get_by_role("button", name="Start")).to_be_visible()

    page.get_by_role("link", name=f"Change {ROBIN}").click()
    confirm(page, "remove")
    page.get_by_role("button", name=f"Remove {ROBIN}").click()
    expect(page.get_by_role("row", name=re.compile(ROBIN))).to_have_count(0)
    expect(other.locator("#notice")).to_contain_text("Your login has ended")
    page.get_by_role("link", name=f"Change {USER}").click()
    confirm(page, "remove")
    page.get_by_role("button", name=f"Remove {USER}").click()
    expect(page.get_by_role("alert").first).to_contain_text("last admin")
    context.close()


def test_a_new_password_ends_every_other_login_and_leaves_this_one(provisioned, chromium, machine):
    page = provisioned
    context = chromium.new_context(base_url=machine.url)
    other = context.new_page()
    other.goto("/login")
    log_in(other)
    expect(other.get_by_role("heading", name="Today", exact=True)).to_be_visible()
    page.goto("/account")
    expect(page.locator("#logins-title + .body tbody tr")).to_have_count(2)
    page.locator("#change-new_password").fill(ROBINS_PASSWORD)
    page.locator("#change-again").fill(ROBINS_PASSWORD)
    confirm(page, "change")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Every other login of yours has ended")).to_be_visible()
    expect(page.locator("#logins-title + .body tbody tr")).to_have_count(1)
    expect(other.locator("#notice")).to_contain_text("Your login has ended")
    context.close()
