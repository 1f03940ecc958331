import base64
import html
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tbot_bot.broker import api_log
from tbot_bot.broker.api_log import ApiLog
from tbot_bot.support.atomic_file import LineLog
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


SECRET = 'k"ey\\with-odd/chars é&+ tail'
NUMBER = "84310077"


def _echoes(value: str) -> list[str]:
    """How a server may write what it was sent."""
    escaped = "".join(f"\\u{ord(char):04x}" for char in value)
    return [
        value,
        value.upper(),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        quote(value, safe=""),
        quote_plus(value).lower(),
        html.escape(value),
        base64.b64encode(value.encode()).decode(),
        escaped,
    ]


def _traces(value: str, written: str) -> list[str]:
    return [form for form in _echoes(value) if form.lower() in written.lower()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.text(max_size=40), st.integers(0, 6000), st.integers(0, 8), st.integers(0, 3), st.booleans())
def test_what_identifies_or_opens_the_account_never_reaches_the_file(
    tmp_path_factory: pytest.TempPathFactory, before: str, filling: int, form: int, place: int, as_json: bool
) -> None:
    folder = tmp_path_factory.mktemp("api")
    log = ApiLog(folder, ManualClock(NOW), (ACCOUNT, SECRET, NUMBER))
    echoed = before + "·" * filling + _echoes(ACCOUNT)[form] + " " + _echoes(SECRET)[form] + _echoes(NUMBER)[form]
    inner: Any = [{"a": [echoed]}, {echoed: 1}, {"number": int(NUMBER), "rate": float(NUMBER)}, json.dumps(echoed)][
        place
    ]
    answer = json.dumps(inner) if as_json else echoed
    with log.exchange("POST", f"https://broker.example/v1/accounts/{ACCOUNT}/{NUMBER}", inner, inner) as told:
        told.answered(200, {"X-Request-ID": echoed}, answer.encode("utf-8", "replace"))
    tell(log, answer.encode("utf-8", "replace"), answer)
    log.note("stream", words=echoed, inner=inner)
    log.close()
    written = b"".join(path.read_bytes() for path in folder.iterdir()).decode()
    assert not [*_traces(ACCOUNT, written), *_traces(SECRET, written), *_traces(NUMBER, written)]
    assert len(rows(folder)) == 3
    assert log.dropped == 0


def test_a_value_that_the_cut_would_halve_leaves_no_half(tmp_path: Path) -> None:
    log = ApiLog(tmp_path, ManualClock(NOW), (SECRET,))
    for missing in range(0, 40, 3):
        tell(log, b"x" * (api_log.MAX_TEXT - missing) + SECRET.encode() + b"y" * 5000)
    log.close()
    for row in rows(tmp_path):
        assert SECRET[:4] not in row["answer"]


def test_words_that_name_fields_of_the_row_hide_no_field(tmp_path: Path) -> None:
    log = ApiLog(tmp_path, ManualClock(NOW), ("status", "request", "kind", "path"))
    tell(log, b'{"status": "path"}')
    log.close()
    (row,) = rows(tmp_path)
    assert (row["kind"], row["status"]) == ("request", 200)
    assert row["answer"] == {"[redacted]": "[redacted]"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "answered"), (302, "refused"), (404, "refused"), (429, "too many"), (504, "failed"), (None, "no answer")],
)
def test_each_row_says_the_attempt_and_what_came_of_it(tmp_path: Path, status: int | None, outcome: str) -> None:
    log = ApiLog(tmp_path, ManualClock(NOW))
    with log.exchange("GET", "https://broker.example/v2/clock", attempt=3) as told:
        if status is not None:
            told.answered(status, {}, b"")
    log.close()
    (row,) = rows(tmp_path)
    assert (row["attempt"], row["outcome"]) == (3, outcome)


def test_what_cannot_be_written_ends_no_writing(tmp_path: Path) -> None:
    log = ApiLog(tmp_path, ManualClock(NOW))
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    log.note("odd", deep=deep)
    tell(log, b'"\\ud800"', {"lone": "\ud800"})
    tell(log, b"[" * 3_000)
    log.close()
    assert [row["kind"] for row in rows(tmp_path)][-1] == "request"
    assert len(rows(tmp_path)) + log.dropped >= 3


def test_rows_that_were_lost_are_told_once_there_is_room_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    way = tmp_path / "api"
    way.write_text("in the way")
    log = ApiLog(way, ManualClock(NOW))
    for _ in range(3):
        tell(log, b"{}")
    log.close()
    way.unlink()
    tell(log, b"{}")
    log.close()
    assert [row.get("rows") for row in rows(way)] == [None, 3]
    assert sum("loses rows" in record.message for record in caplog.records) == 1


def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    log = ApiLog(tmp_path, ManualClock(NOW))
    tell(log, b"{}")
    log.close()
    next(tmp_path.iterdir()).unlink()
    tell(log, b"{}")
    log.close()
    assert len(rows(tmp_path)) == 1


def test_no_request_waits_for_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let = threading.Event()
    real = LineLog.append

    def slow(self: LineLog, value: Any, *, durable: bool = True) -> None:
        let.wait(10)
        real(self, value, durable=durable)

    monkeypatch.setattr(LineLog, "append", slow)
    monkeypatch.setattr(api_log, "_QUEUED", 10)
    log = ApiLog(tmp_path, ManualClock(NOW))
    began = time.monotonic()
    for _ in range(100):
        tell(log, b"{}")
    assert time.monotonic() - began < 1.0
    assert log.dropped >= 88
    let.set()
    log.close()
    assert rows(tmp_path)[1] == {"at": "2026-01-05T15:00:00.000Z", "kind": "dropped", "rows": log.dropped}


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
