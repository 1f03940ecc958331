import json
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.reporting.alerts import CRITICAL, ROUTINE, ROWS_KEPT, AlertBook
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.logs import add_secret
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher

CLOCK = ManualClock(datetime(2025, 3, 10, 14, tzinfo=UTC))


def book(paths: Paths) -> AlertBook:
    return AlertBook(paths, Publisher(paths, "bot", CLOCK), CLOCK)


def published(paths: Paths) -> list[dict[str, str]]:
    return list(json.loads(paths.snapshot("alerts").read_text())["body"]["rows"])


def test_an_alert_is_published_newest_first(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    with closing(book(paths)) as alerts:
        alerts.notify(ROUTINE, "fill", "bought 10 SPY")
        alerts.notify(CRITICAL, "kill", "flattening")
        assert [row["subject"] for row in published(paths)] == ["kill", "fill"]
        assert published(paths)[0] == {
            "at": "2025-03-10T14:00:00+00:00",
            "level": "critical",
            "subject": "kill",
            "text": "flattening",
        }


def test_alerts_survive_a_restart(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    with closing(book(paths)) as alerts:
        alerts.notify(CRITICAL, "kill", "flattening")
    with closing(book(paths)) as alerts:
        assert [row["subject"] for row in alerts.rows()] == ["kill"]
        assert [row["subject"] for row in published(paths)] == ["kill"]


def test_what_another_process_told_is_published_too_and_nothing_twice(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    with closing(book(paths)) as bots, closing(book(paths)) as units:
        bots.notify(ROUTINE, "fill", "bought 10 SPY")
        units.notify(CRITICAL, "tbot-web.service failed", "it was killed")
        assert [row["subject"] for row in published(paths)] == ["tbot-web.service failed", "fill"]
        bots.notify(CRITICAL, "kill", "flattening")
        assert [row["subject"] for row in published(paths)] == ["kill", "tbot-web.service failed", "fill"]
        assert len(bots.rows()) == 3


def test_an_alert_that_could_not_be_kept_is_not_forgotten_for_anothers(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    bots = book(paths)
    bots.close()
    bots.notify(CRITICAL, "kill", "flattening")
    with closing(book(paths)) as units:
        units.notify(CRITICAL, "tbot-web.service failed", "it was killed")
    bots.notify(ROUTINE, "fill", "bought 10 SPY")
    assert {row["subject"] for row in published(paths)} == {"kill", "tbot-web.service failed", "fill"}


def test_a_secret_never_reaches_an_alert(tmp_path: Path) -> None:
    add_secret("hunter2-canary")
    paths = Paths(root=tmp_path)
    with closing(book(paths)) as alerts:
        alerts.notify(ROUTINE, "login hunter2-canary", "password=hunter2-canary refused")
    kept = paths.snapshot("alerts").read_text() + paths.alerts_log.read_text()
    assert "hunter2-canary" not in kept
    assert "[redacted]" in kept


def test_an_unknown_level_counts_as_critical(tmp_path: Path) -> None:
    with closing(book(Paths(root=tmp_path))) as alerts:
        alerts.notify("shrug", "what", "text")
        assert alerts.rows()[0]["level"] == CRITICAL


def test_a_storm_keeps_the_latest_and_cuts_long_texts(tmp_path: Path) -> None:
    with closing(book(Paths(root=tmp_path))) as alerts:
        for number in range(ROWS_KEPT + 5):
            alerts.notify(ROUTINE, f"n{number}", "x" * 10_000)
        assert len(alerts.rows()) == ROWS_KEPT
        assert alerts.rows()[0]["subject"] == f"n{ROWS_KEPT + 4}"
        assert len(alerts.rows()[0]["text"]) == 2_000


def test_a_full_disk_does_not_stop_the_caller(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = Paths(root=tmp_path)
    with closing(book(paths)) as alerts:
        paths.snapshot("alerts").unlink()
        paths.published.rmdir()
        alerts.notify(CRITICAL, "kill", "flattening")
        assert alerts.rows()[0]["subject"] == "kill"
    assert "could not be published" in caplog.text


def test_a_log_that_cannot_be_written_does_not_stop_the_caller(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alerts = book(Paths(root=tmp_path))
    alerts.close()
    alerts.notify(CRITICAL, "kill", "flattening")
    assert published(Paths(root=tmp_path))[0]["subject"] == "kill"
    assert "could not be kept on disk" in caplog.text


def test_threads_lose_no_alert(tmp_path: Path) -> None:
    with closing(book(Paths(root=tmp_path))) as alerts:

        def tell() -> None:
            for _ in range(10):
                alerts.notify(ROUTINE, "s", "t")

        threads = [threading.Thread(target=tell) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(alerts.rows()) == 40
