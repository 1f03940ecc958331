from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbot_bot.support.atomic_file import write_json
from tbot_bot.support.session_record import Lifetimes, SessionRecord, digest, read_record
from tbot_bot.support.uptime import Uptime

NOW = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
IDLE = timedelta(minutes=20)
RECORD = SessionRecord("ada", "admin", NOW, NOW + timedelta(minutes=50), "seed", NOW, NOW + timedelta(minutes=50))


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    write_json(tmp_path / "r", RECORD.to_json())

    assert read_record(tmp_path / "r") == RECORD


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[]", b'{"user":1,"role":2,"created_at":"x"}', b"\xff"])
def test_what_is_no_record_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r").write_bytes(content)

    assert read_record(tmp_path / "r") is None


def test_a_time_without_zone_a_link_and_a_missing_file_are_none(tmp_path: Path) -> None:
    write_json(tmp_path / "naive", {**RECORD.to_json(), "expires_at": "2030-01-01T00:00:00"})
    write_json(tmp_path / "r", RECORD.to_json())
    (tmp_path / "link").symlink_to(tmp_path / "r")

    assert [read_record(tmp_path / name) for name in ("naive", "link", "none")] == [None, None, None]


def test_a_session_lives_between_its_creation_and_its_end() -> None:
    lifetimes = Lifetimes()

    assert lifetimes.alive("a", RECORD, NOW)
    assert not lifetimes.alive("a", RECORD, NOW + timedelta(minutes=50))
    assert not lifetimes.alive("a", RECORD, NOW - timedelta(seconds=1))


def test_setting_the_clock_back_lengthens_no_session() -> None:
    lifetimes, late = Lifetimes(), NOW + timedelta(minutes=50) - timedelta(microseconds=1)

    assert lifetimes.alive("a", RECORD, late)
    assert not lifetimes.alive("a", RECORD, NOW + timedelta(minutes=1))


def test_an_idle_session_ends_early_and_one_that_was_touched_goes_on() -> None:
    lifetimes, later = Lifetimes(), NOW + timedelta(minutes=15)
    idle = replace(RECORD, idle_until=NOW + IDLE)
    touched = replace(RECORD, seen_at=later, idle_until=later + IDLE)

    assert lifetimes.alive("a", idle, NOW)
    assert not lifetimes.alive("a", idle, NOW + IDLE)
    assert lifetimes.alive("a", touched, NOW + IDLE)
    assert not lifetimes.alive("a", touched, later + IDLE)


def test_setting_the_clock_back_lengthens_no_idle_time() -> None:
    lifetimes, idle = Lifetimes(), replace(RECORD, idle_until=NOW + IDLE)

    assert lifetimes.alive("a", idle, NOW + IDLE - timedelta(microseconds=1))
    assert not lifetimes.alive("a", idle, NOW + timedelta(minutes=1))


def test_the_machines_uptime_ends_a_session_for_a_process_that_sees_it_first(tmp_path: Path) -> None:
    up = Uptime("this boot", 1000.0)
    record = replace(RECORD, began=up)

    def alive(later: Uptime) -> bool:
        return Lifetimes(lambda: later).alive("a", record, NOW)

    assert alive(up)
    assert alive(Uptime("this boot", 1000.0 + 2999))
    assert not alive(Uptime("this boot", 1000.0 + 3000))
    assert alive(Uptime("another boot", 9000.0)), "nothing to compare with"
    write_json(tmp_path / "r", record.to_json())
    assert read_record(tmp_path / "r") == record


@pytest.mark.parametrize(("idle", "seconds"), [(60, 6), (300, 30), (600, 60), (86400, 60)])
def test_activity_is_told_every_tenth_of_the_idle_time_and_at_most_each_minute(idle: int, seconds: int) -> None:
    record = replace(RECORD, idle_until=NOW + timedelta(seconds=idle))

    assert record.touch_every == timedelta(seconds=seconds)


@pytest.mark.parametrize("other", ["token\n", "token ", "token=", "token\0", "Token", ""])
def test_no_other_text_has_the_same_digest(other: str) -> None:
    assert digest(other) != digest("token")


@pytest.mark.parametrize(
    "change",
    [
        (b'"role":"admin"', b'"role":"Admin"'),
        (b'"user":"ada"', b'"user":"adb"'),
        (b"{", b"{ "),
        (b"}\n", b"}"),
        (b"14:50", b"14:51"),
    ],
)
def test_a_record_that_is_not_byte_for_byte_what_was_written_is_none(
    tmp_path: Path, change: tuple[bytes, bytes]
) -> None:
    write_json(tmp_path / "r", RECORD.to_json())
    data = (tmp_path / "r").read_bytes()
    changed = data.replace(*change)
    (tmp_path / "r").write_bytes(changed)

    assert (read_record(tmp_path / "r") is None) == (changed != data)
    assert changed != data or change[0] == b"14:50"
