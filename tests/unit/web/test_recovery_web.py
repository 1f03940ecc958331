"""The recovery key: shown in one answer, in groups; confirmed by its last group; never shown again."""

import re

from tbot_web.py.recovery_web import PREFIX, in_groups

IDENTITY = PREFIX + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE"


def first_run(site):
    site.provisioned()
    site.log_in()
    site.runner_says.publish("system", {"provisioned": True, "users": 1, "version": "v1", "recovery": ""}, 30)


def test_the_groups_are_six_long_and_lose_nothing():
    groups = in_groups(IDENTITY)
    assert "".join(groups) == IDENTITY
    assert {len(g) for g in groups[1:-1]} == {6}
    assert len(groups[-1]) == 4
    assert in_groups("something else") == ()


def test_in_the_first_run_the_key_can_wait_and_needs_no_password(site):
    first_run(site)
    page = site.browser.get("/recovery?first=1").text
    assert 'href="/?welcome=1">Later</a>' in page
    assert "step_up_password" not in page


def test_the_key_is_in_the_one_answer_that_nothing_stores(site):
    first_run(site)
    site.runner.answer("recovery_begin", identity=IDENTITY, recipient="age1x", fingerprint="ab12")
    answer = site.post("/recovery", "/recovery?first=1", first="1")
    shown = re.findall(r"<code>([A-Z0-9-]+)</code>", answer.text)
    assert "".join(shown[: len(in_groups(IDENTITY))]) == IDENTITY
    assert answer.headers["Cache-Control"] == "no-store"
    assert not any(IDENTITY[-20:] in c for c in answer.headers.getlist("Set-Cookie"))
    assert 'name="first" value="1"' in answer.text


def test_the_last_group_confirms_it_and_the_first_run_goes_on_to_the_dashboard(site):
    first_run(site)
    site.runner.answer("recovery_confirm", fingerprint="ab12")
    answer = site.post("/recovery/confirm", "/recovery?first=1", last_group=" kh ce ", first="1")
    assert site.runner.last("recovery_confirm") == {"last_group": "KHCE"}
    assert answer.location == "/?welcome=1"


def test_a_wrong_group_asks_for_the_copy_and_does_not_show_the_key(site):
    first_run(site)
    site.runner.refuse("recovery_confirm", "invalid", "That is not the key's last group.", last_group="the last 4")
    answer = site.post("/recovery/confirm", "/recovery?first=1", last_group="XXXX", first="1")
    assert answer.status_code == 422
    assert "That is not the key" in answer.text
    assert PREFIX not in answer.text
    assert "make another one" in answer.text


def test_replacing_it_takes_the_proof_and_says_what_the_old_one_still_opens(site):
    site.provisioned()
    site.log_in()
    site.runner_says.publish("system", {"provisioned": True, "users": 1, "version": "v1", "recovery": "ab12"}, 30)
    page = site.browser.get("/recovery").text
    assert "Backups made before still need the old one" in page
    assert "step_up_password" in page
    site.runner.refuse(
        "recovery_begin", "step_up", "no", body={"totp": False}, step_up_password="The password is wrong."
    )
    answer = site.post("/recovery", "/recovery", step_up_password="x")
    assert site.runner.last("recovery_begin") == {"step_up": {"password": "x", "code": ""}}
    assert "The password is wrong." in answer.text


def test_a_viewer_gets_no_recovery_key(site):
    first_run(site)
    site.log_in("viewer")
    assert site.browser.get("/recovery").status_code == 403
