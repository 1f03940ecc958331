"""What must be right before Start: private files, nothing half done, and with real money a way back."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tbot_bot.config.build_check import check
from tbot_bot.config.checkpoint import checkpoint_file
from tbot_bot.config.readiness import notes, readiness
from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tests.unit.config.conftest import Rig

NOW = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
LIVE = {
    "BROKER_NAME": "alpaca",
    "BROKER_URL": "https://api.alpaca.markets",
    "BROKER_API_KEY": "PKLIVEKEY123456789",
    "BROKER_SECRET_KEY": "a-live-secret-of-this-test",
}


def faults(paths: Paths, audit: str = "") -> tuple[str, ...]:
    return readiness(paths, NOW, lambda: audit)


@pytest.fixture
def paths(ready: Rig) -> Paths:
    ready.register()
    ready.stop()
    return ready.paths


@pytest.fixture
def live(rig: Rig) -> Paths:
    rig.provision(LIVE)
    rig.stop()
    return rig.paths


def recovery(paths: Paths) -> None:
    identity = pyrage.x25519.Identity.generate()
    ensure_folder(paths.recovery)
    row = {"recipient": str(identity.to_public()), "fingerprint": "f" * 16, "confirmed_at": "x", "by": "ada"}
    write_json(paths.recovery / "recovery.json", row)


def backed_up(paths: Paths, at: str) -> None:
    Publisher(paths, "backup", ManualClock(NOW)).publish("backups", {"last_ok_at": at})


def test_a_root_that_is_in_order_is_ready(paths: Paths) -> None:
    assert faults(paths) == ()
    assert check(paths) == ()
    assert notes(paths, NOW) == ()


def test_nothing_is_asked_of_a_root_that_was_never_provisioned(tmp_path: Path) -> None:
    assert faults(Paths(tmp_path)) == ()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: (p.root / ".env_bot").write_bytes(b"A=1"), "plaintext"),
        (lambda p: (p.root / "env.key").write_bytes(b"x"), "copy of a key"),
        (lambda p: (p.generations / ".00000009.staging").mkdir(), "restart the runner"),
        (lambda p: (p.generations / ".doomed.ab").mkdir(), "restart the runner"),
        (lambda p: write_json(checkpoint_file(p), {}), "unfinished|damaged"),
        (lambda p: (p.restore_work / "x").mkdir(parents=True), "restore is unfinished"),
        (lambda p: p.users_db.chmod(0o640), "SYSTEM_USERS.db"),
        (lambda p: p.audit_log.parent.chmod(0o755), "audit can be used by everyone"),
        (lambda p: p.audit_log.chmod(0o644), "audit.jsonl"),
        (lambda p: (p.audit_log.parent / "head.json").chmod(0o640), "head.json"),
        (lambda p: (p.runner_private / "runner.key").chmod(0o640), "runner.key"),
        (lambda p: (recovery(p), (p.recovery / "recovery.json").chmod(0o644)), "recovery.json"),
        (lambda p: (p.current_generation / "MANIFEST.json").write_bytes(b"{"), "MANIFEST"),
    ],
)
def test_each_fault_is_named_with_what_to_do(paths: Paths, damage: Callable[[Paths], Any], words: str) -> None:

    damage(paths)

    found = faults(paths)
    assert any(re.search(words, fault) for fault in found), found


def test_what_verification_found_in_the_audit_log_is_told(paths: Paths) -> None:
    assert faults(paths, "record 7 is missing") == ("the audit log: record 7 is missing",)


def test_real_money_needs_a_recovery_key_and_a_backup_of_this_week(live: Paths) -> None:
    (fault,) = faults(live)
    assert "no recovery key" in fault
    recovery(live)
    (fault,) = faults(live)
    assert "no backup was made yet" in fault
    for nonsense in ("", "yesterday", "2026-01-05T14:00:00"):
        backed_up(live, nonsense)
        assert len(faults(live)) == 1
    backed_up(live, (NOW - timedelta(days=8)).isoformat())
    (fault,) = faults(live)
    assert "8 days old" in fault
    backed_up(live, (NOW - timedelta(days=6)).isoformat())
    assert faults(live) == ()


def test_old_leftovers_and_exports_are_noted_and_forbid_nothing(paths: Paths) -> None:
    ensure_folder(paths.exports)
    (paths.exports / "keys-00000001.age").write_bytes(b"sealed")
    old, young = paths.before_restore / "1", paths.before_restore / "2"
    ensure_folder(paths.before_restore)
    for folder, days in ((old, 40), (young, 2)):
        ensure_folder(folder)
        moment = (NOW - timedelta(days=days)).timestamp()
        os.utime(folder, (moment, moment))

    exported, replaced = notes(paths, NOW)
    assert "delete it here" in exported
    assert str(old) in replaced
    assert "40 days" in replaced
    assert faults(paths) == ()
