import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_chain import head_file
from tbot_bot.reporting.audit_key import first_key_file
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.support.audit_anchors import Anchor, keep_anchor
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.logs import add_secret
from tbot_bot.support.path_resolver import Paths

CLOCK = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    writer = AuditWriter(made, CLOCK)
    for number in range(5):
        writer.record("login", "ada", {"ip": "::1", "n": number, "words": "ü\nx"})
    writer.close()
    return made


def _reopened(paths: Paths) -> AuditWriter:
    return AuditWriter(paths, CLOCK)


def test_five_records_verify_and_a_sixth_follows_after_a_restart(paths: Paths) -> None:
    writer = _reopened(paths)
    writer.record("logout", "ada", {})
    writer.close()

    found = verify(paths)

    assert (found.last, found.problem) == (6, None)
    assert writer.head() == (6, found.line_hash)


def test_every_changed_byte_is_found(paths: Paths) -> None:
    data = paths.audit_log.read_bytes()
    for place in range(len(data)):
        paths.audit_log.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert verify(paths).problem is not None, place


@pytest.mark.parametrize("change", ["drop first", "drop middle", "swap", "double", "cut tail"])
def test_removed_moved_and_doubled_records_are_found(paths: Paths, change: str) -> None:
    lines = paths.audit_log.read_bytes().splitlines(keepends=True)
    match change:
        case "drop first":
            lines = lines[1:]
        case "drop middle":
            lines = lines[:2] + lines[3:]
        case "swap":
            lines[1], lines[2] = lines[2], lines[1]
        case "double":
            lines.append(lines[-1])
        case _:
            lines = lines[:-1]
    paths.audit_log.write_bytes(b"".join(lines))

    assert verify(paths).problem is not None
    if change != "swap":  # the writer looks at the end alone; the rest is verification's work
        with pytest.raises(AuditUnavailable):
            _reopened(paths)


def test_who_steals_the_present_key_cannot_rewrite_the_past(paths: Paths) -> None:
    """The thief has head.json, rewrites the last record and signs it with all that is left: the next key."""
    head = json.loads(head_file(paths).read_bytes())
    assert head["next_key"] != first_key_file(paths).read_text()
    lines = paths.audit_log.read_bytes().splitlines(keepends=True)
    row = json.loads(lines[-1])
    row["actor"] = "someone else"
    lines[-1] = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    paths.audit_log.write_bytes(b"".join(lines))

    assert "signature" in str(verify(paths).problem)


def test_a_torn_last_line_is_cut_off_and_mentioned(paths: Paths) -> None:
    with paths.audit_log.open("ab") as file:
        file.write(b'{"seq":6,"ev')

    assert (verify(paths).problem, verify(paths).torn) == (None, 12)
    writer = _reopened(paths)
    writer.close()

    assert verify(paths).problem is None
    assert "audit_torn_line" in paths.audit_log.read_text()


def test_a_crash_between_record_and_head_loses_nothing(paths: Paths) -> None:
    before = head_file(paths).read_bytes()
    writer = _reopened(paths)
    for _ in range(2):
        writer.record("start", "ada", {})
    writer.close()
    head_file(paths).write_bytes(before)

    writer = _reopened(paths)
    writer.record("stop", "ada", {})
    writer.close()

    assert (verify(paths).last, verify(paths).problem) == (8, None)


def test_a_crash_before_the_first_head_begins_anew(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    AuditWriter(paths, CLOCK).close()
    head_file(paths).unlink()

    writer = AuditWriter(paths, CLOCK)
    writer.record("login", "ada", {})
    writer.close()

    assert (verify(paths).last, verify(paths).problem) == (1, None)


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b'{"seq":1,"line_hash":"x","next_key":"zz"}'])
def test_a_damaged_head_stops_the_writer(paths: Paths, content: bytes) -> None:
    head_file(paths).write_bytes(content)

    with pytest.raises(AuditUnavailable):
        _reopened(paths)


def test_a_missing_head_beside_records_stops_the_writer(paths: Paths) -> None:
    head_file(paths).unlink()

    with pytest.raises(AuditUnavailable):
        _reopened(paths)


def test_a_failed_write_is_said_and_the_next_one_follows(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up takes half a line."""
    writer = _reopened(paths)
    real, room = os.write, [20, 0]

    def full(handle: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        return real(handle, bytes(data[: room.pop(0)]))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(AuditUnavailable):
            writer.record("login", "ada", {})
    writer.record("login", "ada", {})
    writer.close()

    assert (verify(paths).last, verify(paths).problem) == (6, None)


def test_secrets_do_not_enter_the_log(paths: Paths) -> None:
    add_secret("planted-secret-1")
    writer = _reopened(paths)
    writer.record("provisioned", "ada", {"note": "key planted-secret-1 here"})
    writer.close()

    assert "planted" not in paths.audit_log.read_text()


def test_threads_write_one_chain(paths: Paths) -> None:
    writer = _reopened(paths)
    threads = [
        threading.Thread(target=lambda: [writer.record("login", "ada", {}) for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()

    assert (verify(paths).last, verify(paths).problem) == (45, None)


def test_without_a_log_verification_says_so(tmp_path: Path) -> None:
    assert verify(Paths(tmp_path)).problem is not None


def test_a_second_writer_is_refused_until_the_first_is_gone(paths: Paths) -> None:
    first = _reopened(paths)
    with pytest.raises(AuditUnavailable, match="another"):
        _reopened(paths)
    first.close()

    _reopened(paths).close()


def test_a_head_of_the_first_release_is_taken_up(paths: Paths) -> None:
    """It did not note the log's size."""
    row = json.loads(head_file(paths).read_bytes())
    size = row.pop("bytes")
    head_file(paths).write_bytes(json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    assert verify(paths).problem is None

    _reopened(paths).close()

    assert json.loads(head_file(paths).read_bytes())["bytes"] == size == paths.audit_log.stat().st_size


def test_opening_reads_the_end_alone(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage far from the end does not even show: that is verification's work."""
    monkeypatch.setattr("tbot_bot.reporting.audit.LONGEST_LINE", 400)
    data = paths.audit_log.read_bytes()
    paths.audit_log.write_bytes(b"\0" * 500 + data[500:])

    _reopened(paths).close()


def test_forged_records_behind_the_head_stop_the_writer(paths: Paths) -> None:
    with paths.audit_log.open("ab") as file:
        file.write(b'{"seq":6}\n')

    with pytest.raises(AuditUnavailable, match="changed from outside"):
        _reopened(paths)


def test_a_record_that_may_not_be_durable_is_taken_back(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole line is there, but the disk did not say that it is: the next record must get its number."""

    def broken(handle: int) -> None:
        raise OSError(5, "Input/output error")

    writer = _reopened(paths)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        with pytest.raises(AuditUnavailable):
            writer.record("start", "ada", {})
    writer.record("stop", "ada", {})
    writer.close()

    assert (verify(paths).last, verify(paths).problem) == (6, None)
    assert '"start"' not in paths.audit_log.read_text()


def test_a_note_that_could_not_be_written_follows_with_the_next_record(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Paths, __: object) -> None:
        raise OSError(28, "No space left on device")

    writer = _reopened(paths)
    with monkeypatch.context() as patched:
        patched.setattr("tbot_bot.reporting.audit.write_head", full)
        with pytest.raises(AuditUnavailable):
            writer.record("start", "ada", {})
    writer.record("stop", "ada", {})
    writer.close()

    _reopened(paths).close()
    assert (verify(paths).last, verify(paths).problem) == (7, None)


def test_half_characters_are_recorded_as_question_marks(paths: Paths) -> None:
    writer = _reopened(paths)
    writer.record("login", "ada\ud800", {"name": "\udfff"})
    writer.close()

    _reopened(paths).close()
    assert (verify(paths).last, verify(paths).problem) == (6, None)


def test_a_log_that_vanished_is_not_begun_anew_in_silence(paths: Paths) -> None:
    keep_anchor(paths.control, Anchor("the runner", 5, "0" * 64))
    paths.audit_log.unlink()
    head_file(paths).unlink()

    _reopened(paths).close()
    _reopened(paths).close()

    rows = [json.loads(line) for line in paths.audit_log.read_bytes().splitlines()]
    assert [(row["event"], row["detail"]["saw_record"]) for row in rows] == [("audit_log_vanished", 5)]


def test_a_sealed_key_without_its_log_stops_the_writer(paths: Paths) -> None:
    writer = _reopened(paths)
    writer.seal_first_key(str(pyrage.x25519.Identity.generate().to_public()))
    writer.close()
    paths.audit_log.unlink()
    head_file(paths).unlink()

    with pytest.raises(AuditUnavailable, match="still there"):
        _reopened(paths)
