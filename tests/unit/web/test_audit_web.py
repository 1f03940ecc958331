"""The audit log's page: filters, paging, and a verdict that cannot be overlooked."""

import pytest

ROWS = [
    {"seq": 9, "at": "2026-03-10T13:00:00+00:00", "event": "config_saved", "actor": "alex",
     "detail": {"ip": "127.0.0.1", "changed": {"MAX_TRADES": ["4", "6"]}}},
    {"seq": 8, "at": "2026-03-10T12:00:00+00:00", "event": "login", "actor": "<b>eve</b>", "detail": {}},
]  # fmt: skip


@pytest.fixture
def admin(site):
    site.provisioned()
    site.log_in()
    head = {"seq": 9, "hash": "ab12cd34ef567890"}
    site.runner_says.publish("system", {"provisioned": True, "users": 1, "version": "v1", "audit": head}, 30)
    site.runner.answer("audit_search", rows=ROWS, more=True, next=8)
    return site


def test_records_show_who_did_what_when_with_old_and_new_values(admin):
    page = admin.browser.get("/audit").text
    assert "2026-03-10 13:00:00 UTC" in page
    assert "config saved" in page
    assert "MAX_TRADES: 4 → 6" in page
    assert "ab12cd34ef56" in page
    assert "<b>eve</b>" not in page


def test_filters_are_asked_for_and_kept_while_paging(admin):
    page = admin.browser.get("/audit?text=max&event=config&actor=alex&before=20").text
    assert admin.runner.last("audit_search") == {"text": "max", "event": "config", "actor": "alex", "before": 20}
    assert 'value="config"' in page
    assert 'href="/audit?before=8&amp;text=max&amp;event=config&amp;actor=alex"' in page


@pytest.mark.parametrize("before", ["", "x", "-3", "1e9", "²", "9" * 40])
def test_a_bent_page_number_is_the_newest_page(admin, before):
    assert admin.browser.get("/audit", query_string={"before": before}).status_code == 200
    assert admin.runner.last("audit_search")["before"] is None


def test_the_last_page_offers_no_older_one(admin):
    admin.runner.answer("audit_search", rows=ROWS, more=False)
    assert ">Older<" not in admin.browser.get("/audit").text


@pytest.mark.parametrize(("level", "words"), [("full", "right signature"), ("chain", "The chain is unbroken")])
def test_a_whole_log_is_said_to_be_verified_and_how_far(admin, level, words):
    anchors = [{"where": "head.json", "seq": 9, "at": "2026-03-10T13:00:00+00:00", "ok": True, "count": 1}]
    admin.runner.answer("audit_verify", records=9, problem=None, level=level, anchors=anchors)
    page = admin.post("/audit/verify", "/audit").text
    assert "Verified: 9 records." in page
    assert words in page
    assert "head.json" in page


def test_a_damaged_log_is_loud_names_the_place_and_says_what_is_safe(admin):
    anchors = [{"where": "backup x", "seq": 7, "at": None, "ok": False, "count": 1}]
    admin.runner.answer("audit_verify", records=6, problem="record 7 was changed", level="chain", anchors=anchors)
    page = admin.post("/audit/verify", "/audit").text
    assert 'role="alert"' in page
    assert "record 7 was changed" in page
    assert "trading, stop and kill do not depend on it" in page
    assert "✕ no" in page
    assert "Verified:" not in page


def test_what_the_runners_own_verification_found_is_loud_before_anyone_asks(admin):
    head = {"seq": 9, "hash": "ab12cd34ef567890", "problem": "record 3 was changed"}
    admin.runner_says.publish("system", {"provisioned": True, "users": 1, "version": "v1", "audit": head}, 30)
    page = admin.browser.get("/audit").text
    assert 'role="alert"' in page
    assert "record 3 was changed" in page


def test_a_verification_that_could_not_be_made_is_no_verdict(admin):
    admin.runner.refuse("audit_verify", "failed", "The audit log cannot be read.")
    answer = admin.post("/audit/verify", "/audit")
    assert answer.status_code == 503
    assert "The audit log cannot be read." in answer.text
    assert "Verified:" not in answer.text
