import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.config import audit_watch
from tbot_bot.config.audit_watch import AuditWatch
from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_trail import AuditTrail
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tests.unit.config.conftest import Rig


class House:
    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.audit = AuditWriter(self.paths, ManualClock(datetime(2026, 1, 5, tzinfo=UTC)))
        for number in range(3):
            self.audit.record("login", "ada", {"n": number})
        self.watch = AuditWatch(AuditTrail(self.paths), self.audit)

    def damage(self) -> None:
        self.paths.audit_log.write_bytes(self.paths.audit_log.read_bytes().replace(b'"n":1', b'"n":7'))

    def verified(self) -> list[Mapping[str, Any]]:
        return [row["detail"] for row in read_lines(self.paths.audit_log) if row["event"] == "audit_verified"]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_it_remembers_what_the_last_verification_found(house: House) -> None:
    assert house.watch.problem == ""
    assert house.watch.verify()["problem"] == ""

    house.damage()
    assert house.watch.problem == ""
    house.watch.verify()
    assert "record 2" in house.watch.problem


def test_by_itself_it_verifies_at_once_and_again_and_stops_when_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_watch, "FIRST_AFTER", 0.0)
    monkeypatch.setattr(audit_watch, "EVERY", 0.01)
    stop = threading.Event()
    house.watch.start(stop)
    Rig.until(lambda: len(house.verified()) >= 2)
    house.damage()
    Rig.until(lambda: house.watch.problem)
    stop.set()

    assert house.verified()[0] == {"records": 3, "level": "full", "problem": ""}


def test_a_full_disk_does_not_end_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_watch, "FIRST_AFTER", 0.0)
    monkeypatch.setattr(audit_watch, "EVERY", 0.01)
    wanted: list[str] = []

    def full(event: str, actor: str, detail: Mapping[str, Any]) -> None:
        wanted.append(event)
        raise AuditUnavailable("no space left")

    monkeypatch.setattr(house.audit, "record", full)
    stop = threading.Event()
    house.watch.start(stop)
    Rig.until(lambda: len(wanted) >= 3)
    stop.set()


def test_the_dashboard_learns_of_it(ready: Rig) -> None:
    ready.until(lambda: ready.published.read("system") is not None)
    snapshot = ready.published.read("system")
    assert snapshot is not None
    assert snapshot.body["audit"]["problem"] == ""
