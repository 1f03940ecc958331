import json

import pytest

from tbot_bot.support.audit_anchors import Anchor, keep_anchor
from tests.unit.config.conftest import Rig


def test_an_admin_finds_the_newest_record_first(ready: Rig) -> None:
    token = ready.register()

    found = ready.ask("audit_search", {"event": "login", "actor": "ADA"}, token)

    assert found.ok
    assert found.body["rows"][0]["event"] == "login"
    assert found.body["rows"][0]["detail"]["ip"] == "192.0.2.7"
    assert found.body["more"] is False


@pytest.mark.parametrize("before", ["5", -1, True, 1.5, [3]])
def test_before_must_be_the_number_of_a_record(ready: Rig, before: object) -> None:
    assert ready.ask("audit_search", {"before": before}, ready.register()).code == "invalid"


def test_a_whole_log_verifies_and_that_is_on_record(ready: Rig) -> None:
    token = ready.register()

    found = ready.ask("audit_verify", {}, token)

    assert found.ok
    assert (found.body["problem"], found.body["level"]) == ("", "full")
    last = json.loads(ready.audit_text().splitlines()[-1])
    assert (last["event"], last["actor"]) == ("audit_verified", "ada")
    assert last["detail"]["records"] == found.body["records"] >= 3


def test_an_anchor_that_the_log_contradicts_is_named(ready: Rig) -> None:
    keep_anchor(ready.paths.control, Anchor("a note", 2, "0" * 64, "2026-01-05T14:30:00+00:00"))

    found = ready.ask("audit_verify", {}, ready.register())

    assert "record 2 is not the one that a note saw" in found.body["problem"]
    bad = [one for one in found.body["anchors"] if one["where"] == "a note"]
    assert bad == [{"where": "a note", "seq": 2, "at": "2026-01-05T14:30:00+00:00", "ok": False, "count": 1}]


@pytest.mark.parametrize("kind", ["audit_search", "audit_verify"])
def test_no_one_else_reads_the_audit_log(ready: Rig, kind: str) -> None:
    ready.register()

    assert ready.ask(kind).code == "expired"
