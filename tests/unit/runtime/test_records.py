import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import Direction
from tbot_bot.domain.settings import StrategyName
from tbot_bot.engine.commands import Decide, Outcome
from tbot_bot.runtime import records
from tbot_bot.runtime.records import Decisions, anchor_audit_log, record_fact
from tbot_bot.support.audit_anchors import known_anchors
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


class Log:
    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.full = False

    def record(self, event: str, actor: str, detail: Mapping[str, Any]) -> None:
        if self.full:
            raise AuditUnavailable("no space left")
        self.rows.append({"event": event, "actor": actor, **detail})


@pytest.fixture
def log() -> Log:
    return Log()


def _told(number: int) -> Decide:
    return Decide(NOW, StrategyName.OPEN, Symbol(f"S{number}"), Direction.LONG, Outcome.REFUSED, "spread too wide")


def test_decisions_are_recorded_together_with_their_reasons(log: Log) -> None:
    told = Decisions(log)
    told.decided(_told(1))
    told.cancelled("id-1", "the breakout window is over")
    told.flush_due()
    assert log.rows == []

    told.flush()

    assert len(log.rows) == 1
    first, second = log.rows[0]["decisions"]
    assert (first["symbol"], first["outcome"], first["reason"]) == ("S1", "refused", "spread too wide")
    assert second == {"cancel": "id-1", "reason": "the breakout window is over"}


def test_a_minute_later_they_are_due(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "INTERVAL", 0.0)
    told = Decisions(log)
    told.flush_due()
    assert log.rows == []

    told.decided(_told(1))
    told.flush_due()
    assert len(log.rows) == 1


def test_many_come_in_records_that_fit_a_dropped_file(log: Log) -> None:
    told = Decisions(log)
    for number in range(250):
        told.decided(_told(number))
    told.flush_due()

    assert [len(row["decisions"]) for row in log.rows] == [100, 100, 50]
    assert max(len(json.dumps(row)) for row in log.rows) < 48 * 1024


def test_a_full_disk_keeps_the_newest_and_counts_the_others(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_MOST_WAITING", 120)
    log.full = True
    told = Decisions(log)
    for number in range(150):
        told.decided(_told(number))
        told.flush_due()
    log.full = False
    told.flush()

    rows = [row for record in log.rows for row in record["decisions"]]
    assert [row["symbol"] for row in rows] == [f"S{number}" for number in range(30, 150)]
    assert log.rows[0]["left_out"] == 30
    assert "left_out" not in log.rows[1]


def test_a_fact_that_cannot_be_recorded_raises_nothing(log: Log) -> None:
    log.full = True
    assert not record_fact(log, "fill", {})
    log.full = False
    assert record_fact(log, "fill", {})


def test_the_bot_keeps_the_end_of_the_audit_log_that_the_runner_published(tmp_path: Path) -> None:
    paths, clock = Paths(tmp_path), ManualClock(NOW)
    anchor_audit_log(paths, clock)
    for audit in (None, {"seq": "7"}, {"seq": 7, "hash": "a" * 64}):
        Publisher(paths, "runner", clock).publish("system", {"audit": audit}, 60.0)
        anchor_audit_log(paths, clock)

    assert [(anchor.where, anchor.seq, anchor.at) for anchor in known_anchors(paths)] == [
        ("the bot", 7, "2026-01-05T15:00:00+00:00")
    ]
