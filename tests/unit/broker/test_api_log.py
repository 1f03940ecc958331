import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tbot_bot.broker import api_log
from tbot_bot.broker.api_log import ApiLog
from tbot_bot.support.clock import ManualClock

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
ACCOUNT = "PA3XYZ9931"


def rows(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().split("\n") if line
    ]


def tell(log: ApiLog, answer: bytes, body: Any = None, status: int = 200) -> None:
    with log.exchange("POST", "https://broker.example/v2/orders?x=1", {"a": "b"}, body) as told:
        told.answered(status, {"X-Request-ID": "r1"}, answer)


def test_a_request_and_its_answer_are_one_row(tmp_path: Path) -> None:
    log = ApiLog(tmp_path, ManualClock(NOW))
    tell(log, b'{"id": "b1"}', {"symbol": "SPY"})
    log.close()
    (row,) = rows(tmp_path)
    assert row["at"] == "2026-01-05T15:00:00.000Z"
    assert (row["method"], row["path"], row["status"], row["request_id"]) == ("POST", "/v2/orders", 200, "r1")
    assert (row["params"], row["body"], row["answer"]) == ({"a": "b"}, {"symbol": "SPY"}, {"id": "b1"})
    assert row["ms"] >= 0


def test_a_request_without_an_answer_says_what_came_instead(tmp_path: Path) -> None:
    log = ApiLog(tmp_path, ManualClock(NOW))
    with pytest.raises(ConnectionError), log.exchange("GET", "https://broker.example/v2/clock"):
        raise ConnectionError
    log.close()
    (row,) = rows(tmp_path)
    assert row["failed"] == "ConnectionError"
    assert row["status"] is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(max_size=40), st.text(max_size=40), st.booleans())
def test_what_identifies_the_account_never_reaches_the_file(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, as_json: bool
) -> None:
    folder = tmp_path_factory.mktemp("api")
    secret = 'k"ey\\with-odd/chars'
    log = ApiLog(folder, ManualClock(NOW), (ACCOUNT, secret))
    echoed = before + ACCOUNT + after + secret
    answer = json.dumps({"message": echoed, echoed: [echoed]}) if as_json else echoed
    tell(log, answer.encode("utf-8", "replace"), {"echo": echoed})
    log.note("stream", words=echoed)
    log.close()
    written = b"".join(path.read_bytes() for path in folder.iterdir()).decode()
    assert ACCOUNT not in written
    assert secret not in written
    assert json.dumps(secret)[1:-1] not in written
    assert len(rows(folder)) == 2


def test_a_full_disk_loses_rows_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    log = ApiLog(tmp_path / "file" / "api", ManualClock(NOW))
    for _ in range(3):
        tell(log, b"{}")
    log.close()
    assert log.dropped == 3


def test_days_have_files_of_their_own_and_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_log, "KEPT_DAYS", 3)
    clock = ManualClock(NOW)
    log = ApiLog(tmp_path, clock)
    for _ in range(5):
        tell(log, b"{}")
        clock.advance(timedelta(days=1))
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"api-2026-01-{day:02}.jsonl" for day in (7, 8, 9)]


def test_a_day_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_log, "MAX_DAY_BYTES", 2_000)
    log = ApiLog(tmp_path, ManualClock(NOW))
    for _ in range(50):
        tell(log, b"x" * 200)
    log.close()
    assert next(tmp_path.iterdir()).stat().st_size < 2_600
    assert log.dropped > 20


def test_long_answers_are_cut(tmp_path: Path) -> None:
    log = ApiLog(tmp_path, ManualClock(NOW))
    tell(log, b"y" * 1_000_000)
    log.close()
    (row,) = rows(tmp_path)
    assert row["bytes"] == 1_000_000
    assert len(row["answer"]) <= api_log.MAX_TEXT + 1
