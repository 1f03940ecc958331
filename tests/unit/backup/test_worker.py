"""Backups made by the clock and on demand, thinned, drilled and shown."""

import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.backup import maker, shelf
from tbot_bot.backup.contents import copy_database
from tbot_bot.backup.maker import verify
from tbot_bot.backup.recovery import backup_keys, parse_recovery_key
from tbot_bot.backup.worker import NO_KEY, BackupWorker
from tbot_bot.config import generations
from tbot_bot.runtime.backup import keep_time, serve_jobs
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.flags import FlagClaimer
from tbot_bot.support.snapshot import Publisher

CHEAP = 4


class SetClock:
    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime.now(UTC))


def worker_of(rig: Any, clock: Any) -> BackupWorker:
    publisher, audit = Publisher(rig.paths, "backup", clock), AuditDrop(rig.paths, clock)
    return BackupWorker(rig.paths, clock, publisher, audit, lambda _: None, CHEAP)


def test_without_a_recovery_key_nothing_is_made_and_it_is_said(bare: Any, clock: SetClock) -> None:
    bare.set_up()
    worker = worker_of(bare, clock)
    assert not worker.back_up("test")
    assert not worker.backup_due()
    assert bare.published("backups")["error"] == NO_KEY
    assert shelf.on_shelf(bare.paths) == ()


def test_what_was_asked_for_is_made_drilled_and_shown(rig: Any, clock: SetClock) -> None:
    worker, jobs = worker_of(rig, clock), FlagClaimer(rig.paths.backups / ".claims")
    assert rig.ask("drill_now").ok
    serve_jobs(worker, jobs, rig.paths)
    shown = rig.published("backups")
    assert len(shown["backups"]) == 1
    assert shown["backups"][0]["kept_as"] == ["daily", "weekly", "monthly"]
    assert shown["last_ok_at"]
    assert shown["error"] == ""
    assert shown["drill"]["ok"], shown["drill"]
    assert [check["name"] for check in shown["drill"]["checks"]] == [
        "opens", "secrets", "settings", "users", "login", "ledger", "audit log", "journals",
    ]  # fmt: skip
    assert not (rig.paths.storage / ".drill").exists()
    rig.until(lambda: "restore_drill" in rig.paths.audit_log.read_text())
    assert "backup_made" in rig.paths.audit_log.read_text()


def test_a_damaged_backup_fails_the_drill_loudly(rig: Any, clock: SetClock) -> None:
    worker = worker_of(rig, clock)
    assert worker.back_up("test")
    newest = shelf.newest(rig.paths)
    assert newest is not None
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    assert not worker.drill("test")
    shown = rig.published("backups")["drill"]
    assert (shown["ok"], shown["checks"][0]["name"], shown["checks"][0]["ok"]) == (False, "opens", False)
    assert "drill failed" in rig.paths.alerts_log.read_text()


def test_the_nightly_backup_is_made_once_a_day(rig: Any, clock: SetClock) -> None:
    clock.time = datetime(2026, 12, 1, 7, 29, tzinfo=UTC)
    worker = worker_of(rig, clock)
    keep_time(worker)
    assert len(shelf.on_shelf(rig.paths)) == 1
    assert not worker.backup_due()
    clock.time = datetime(2026, 12, 1, 7, 31, tzinfo=UTC)
    assert worker.backup_due()
    keep_time(worker)
    clock.time = datetime(2026, 12, 2, 7, 29, tzinfo=UTC)
    assert not worker.backup_due()
    clock.time = datetime(2026, 12, 2, 7, 30, tzinfo=UTC)
    assert worker.backup_due()


def test_the_drill_comes_around_every_week(rig: Any, clock: SetClock) -> None:
    worker = worker_of(rig, clock)
    keep_time(worker)
    assert not worker.drill_due()
    clock.time += timedelta(days=7)
    assert worker.drill_due()


def test_a_failure_is_tried_again_after_a_while_and_leaves_nothing(rig: Any, clock: SetClock) -> None:
    worker = worker_of(rig, clock)
    ledger = rig.paths.ledger_db.read_bytes()
    rig.paths.ledger_db.write_bytes(b"no database at all, but long enough to be one" * 100)
    assert not worker.back_up("test")
    assert "not a database" in rig.published("backups")["error"]
    assert not worker.backup_due()
    assert [path.name for path in rig.paths.backups.iterdir() if path.name.endswith((".age", ".tmp"))] == []
    assert not (rig.paths.backups / ".work").exists()
    rig.paths.ledger_db.write_bytes(ledger)
    clock.time += timedelta(minutes=16)
    assert worker.backup_due()


def test_only_backups_made_here_are_thinned(rig: Any, clock: SetClock) -> None:
    clock.time = datetime(2026, 12, 1, 8, tzinfo=UTC)
    worker = worker_of(rig, clock)
    rig.paths.backups.mkdir(exist_ok=True)
    foreign = rig.paths.backups / "tbot-20200101T000000Z.age"
    foreign.write_bytes(b"an operator's own")
    for hour in range(4):
        clock.time = datetime(2026, 12, 1, 8 + hour, tzinfo=UTC)
        assert worker.back_up("test")
    assert [path.name for path in shelf.on_shelf(rig.paths)] == ["tbot-20261201T110000Z.age", foreign.name]


def test_a_crash_leaves_nothing_that_is_not_swept(rig: Any, clock: SetClock) -> None:
    for place in (rig.paths.backups / ".work", rig.paths.storage / ".drill"):
        place.mkdir(parents=True)
        (place / "keys").write_bytes(b"secret")
    half = rig.paths.backups / ".tbot-20261201T110000Z.age.00.tmp"
    half.write_bytes(b"half")
    worker_of(rig, clock).tidy()
    assert not half.exists()
    assert not (rig.paths.backups / ".work").exists()
    assert not (rig.paths.storage / ".drill").exists()


def test_no_secret_of_the_bot_lies_in_a_backup_in_the_clear(rig: Any, clock: SetClock) -> None:
    assert worker_of(rig, clock).back_up("test")
    newest = shelf.newest(rig.paths)
    assert newest is not None
    data = newest.read_bytes()
    key = (rig.paths.keys / "broker.key").read_bytes()
    for secret in (b"canary-of-the-broker", key, b"SQLite format", b"ada@example.com"):
        assert secret not in data


def test_databases_are_copied_as_of_one_moment_while_they_are_written(
    rig: Any, clock: SetClock, tmp_path: Path
) -> None:
    """A writer that moves an amount between two rows: every copy holds the same sum."""
    live = tmp_path / "live.db"
    writer = sqlite3.connect(live, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE t (n INTEGER, v INTEGER)")
    writer.executemany("INSERT INTO t VALUES (?, 1000)", ((n,) for n in range(2000)))
    dice = random.Random(3)
    for number in range(30):
        writer.execute("BEGIN")
        a, b = dice.randrange(2000), dice.randrange(2000)
        writer.execute("UPDATE t SET v = v - 7 WHERE n = ?", (a,))
        copy = tmp_path / f"{number}.db"
        copy_database(live, copy)
        writer.execute("UPDATE t SET v = v + 7 WHERE n = ?", (b,))
        writer.execute("COMMIT")
        found = sqlite3.connect(copy)
        assert found.execute("SELECT sum(v), count(*) FROM t").fetchone() == (2_000_000, 2000)
        found.close()
        assert sorted(path.name for path in tmp_path.glob(f"{number}.db*")) == [copy.name]
    writer.close()


def test_the_backup_of_an_earlier_key_still_opens_with_it(rig: Any) -> None:
    made = rig.back_up()
    earlier = parse_recovery_key(rig.identity)
    rig.make_key()
    assert verify(rig.paths.backups / made.name, earlier.identity, earlier.mac_key) == made.manifest
    keys = backup_keys(rig.paths)
    assert keys is not None
    assert rig.back_up().manifest.recipient == keys.recovery.recipient != made.manifest.recipient


def test_keys_from_outside_are_neither_backed_up_nor_put_on_the_disk_by_a_drill(
    rig: Any, clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.stop()
    outside = tmp_path / "keys"
    outside.mkdir(mode=0o700)
    login_key = (rig.paths.keys / "login.key").read_bytes()
    for path in list((rig.paths.keys).resolve().iterdir()):
        if path.is_symlink():
            path.unlink()
        else:
            path.rename(outside / path.name)
    monkeypatch.setenv("TBOT_ROOT", str(rig.paths.root))
    monkeypatch.setenv("TBOT_KEYS_DIR", str(outside))
    on_disk: list[str] = []
    real = generations.open_staging
    monkeypatch.setattr(generations, "open_staging", lambda *a: on_disk.append("staged") or real(*a))
    worker = worker_of(rig, clock)
    assert worker.back_up("test"), rig.published("backups")
    assert worker.drill("test"), rig.published("backups")["drill"]
    newest = shelf.newest(rig.paths)
    keys = backup_keys(rig.paths)
    assert newest is not None
    assert keys is not None
    held = {entry.name for entry in verify(newest, keys.drill, keys.mac_key).files}
    assert not [name for name in held if name.startswith("settings/keys/")]
    assert on_disk == []
    assert not [p for p in rig.paths.root.rglob("*") if p.is_file() and login_key in p.read_bytes()]


def test_a_backup_that_cannot_be_remembered_is_not_left(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = set(rig.paths.backups.iterdir())
    monkeypatch.setattr(maker, "remember_made", fail)
    with pytest.raises(OSError, match="No space"):
        rig.back_up()

    assert set(rig.paths.backups.iterdir()) == before
