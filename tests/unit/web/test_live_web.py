"""The live answer: only what changed, its age and staleness, unknown as null."""

from datetime import timedelta


def live(site, names="status,log", etag=None):
    headers = {"If-None-Match": etag} if etag else {}
    return site.browser.get(f"/live.json?names={names}", headers=headers)


def test_what_nobody_published_is_null_not_empty(site):
    site.provisioned(state="trading")
    site.log_in()
    answer = live(site)
    assert answer.json["parts"] == {"status": None, "log": None}
    assert answer.json["state"] == "trading"


def test_only_changed_parts_are_sent_again(site):
    site.provisioned()
    site.log_in()
    site.bot_says.publish("status", {"day_pnl": "1.50"})
    site.bot_says.publish("log", {"lines": []})
    first = live(site)
    assert first.json["parts"]["status"]["body"] == {"day_pnl": "1.50"}
    assert live(site, etag=first.headers["ETag"]).status_code == 304
    site.bot_says.publish("status", {"day_pnl": "2.50"})
    second = live(site, etag=first.headers["ETag"])
    assert list(second.json["parts"]) == ["status"]


def test_turning_stale_is_a_change(site):
    site.provisioned()
    site.log_in()
    site.bot_says.publish("status", {}, expires_after=10)
    first = live(site, "status")
    assert first.json["parts"]["status"]["stale"] is False
    site.clock.advance(timedelta(seconds=14))
    second = live(site, "status", first.headers["ETag"])
    assert second.json["parts"]["status"]["stale"] is True
    assert second.json["parts"]["status"]["age"] == 14


def test_a_pending_kill_is_told(site):
    site.provisioned(state="trading")
    site.log_in()
    etag = live(site).headers["ETag"]
    site.paths.kill_flag.touch()
    answer = live(site, etag=etag)
    assert answer.json["pending"] == {"start": False, "stop": False, "kill": True}
    assert answer.json["parts"] == {}


def test_names_outside_the_list_are_not_read(site):
    site.provisioned()
    site.log_in()
    (site.paths.published / "form.json").chmod(0o600)
    assert live(site, "form,../bot_state,status").json["parts"] == {"status": None}


def test_a_damaged_snapshot_is_unknown(site):
    site.provisioned()
    site.log_in()
    site.paths.snapshot("status").write_text('{"body":')
    assert live(site, "status").json["parts"] == {"status": None}


def test_a_stranger_gets_nothing(site):
    site.provisioned()
    answer = site.browser.get("/live.json?names=status", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert "parts" not in answer.json
