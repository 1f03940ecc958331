"""The recovery key and restores, asked for as the web page does."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.backup import recovery
from tbot_bot.backup.recovery import backup_keys, new_recovery_key
from tbot_bot.config.security_bot import open_config
from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.domain.session import BotState
from tbot_bot.interface.state import current_state
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_key import first_key_file, sealed_key_file
from tbot_bot.reporting.audit_verify import verify

PASSWORD = "a battery of horses"
STEP_UP = {"password": PASSWORD, "code": ""}


def ledger_entries(rig: Any) -> int:
    store = LedgerStore(rig.paths.ledger_db)
    try:
        return store.head()[0]
    finally:
        store.close()


def test_the_key_is_in_force_only_once_its_last_group_is_typed(bare: Any) -> None:
    bare.set_up()
    begun = bare.ask("recovery_begin")
    assert begun.ok
    assert not bare.ask("recovery_confirm", last_group="XXXX").ok
    assert backup_keys(bare.paths) is None
    confirmed = bare.ask("recovery_confirm", last_group=begun.body["identity"][-4:].lower())
    assert confirmed.body == {"fingerprint": begun.body["fingerprint"]}
    bare.until(lambda: bare.published("system")["recovery"] == begun.body["fingerprint"])


def test_a_key_in_force_is_not_called_failed_when_what_follows_fails(
    bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told that it failed, the admin would throw away the only key to the coming backups."""
    bare.set_up()
    begun = bare.ask("recovery_begin")

    def fail(*_: object) -> bool:
        raise AuditUnavailable("No space left on device")

    monkeypatch.setattr(AuditWriter, "seal_first_key", fail)
    reply = bare.ask("recovery_confirm", last_group=begun.body["identity"][-4:])
    monkeypatch.undo()

    assert reply.ok
    assert "keep it" in reply.message
    assert reply.body == {"fingerprint": begun.body["fingerprint"]}
    bare.stop()
    bare.start()
    assert sealed_key_file(bare.paths).exists()


def test_the_identity_is_nowhere_below_the_root(rig: Any) -> None:
    needle = rig.identity.encode()
    assert not [path for path in rig.paths.root.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_confirming_seals_the_audit_logs_first_key_and_asks_for_a_backup(rig: Any) -> None:
    assert sealed_key_file(rig.paths).exists()
    assert not first_key_file(rig.paths).exists()
    assert len(list(rig.paths.job_folder("backup").glob("*.job"))) == 1


def test_replacing_the_key_takes_the_password(rig: Any) -> None:
    assert rig.ask("recovery_begin").code == "step_up"
    first = backup_keys(rig.paths)
    rig.make_key()
    second = backup_keys(rig.paths)
    assert first is not None
    assert second is not None
    assert first.mac_key != second.mac_key
    assert len(list(rig.paths.recovery.iterdir())) == 3


def test_a_restore_whose_tidying_fails_is_done(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It said "Nothing was changed", and everything was."""
    made = rig.back_up()
    rig.book("PA2")
    real = shutil.rmtree

    def fail(path: Path, *args: Any, **options: Any) -> None:
        if path == rig.paths.restore_work and not options.get("ignore_errors"):
            raise OSError(30, "Read-only file system")
        real(path, *args, **options)

    monkeypatch.setattr(shutil, "rmtree", fail)
    reply = rig.restore(made.name, "ledger")
    monkeypatch.undo()

    assert reply.ok, reply
    assert ledger_entries(rig) == 1
    rig.stop()
    rig.start()
    assert not rig.paths.restore_work.exists()


def test_what_cannot_be_tidied_away_does_not_fail_the_new_key(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(recovery, "sweep", fail)
    earlier = backup_keys(rig.paths)
    rig.make_key()
    monkeypatch.undo()

    assert backup_keys(rig.paths) != earlier


def test_backups_are_refused_without_a_key(bare: Any) -> None:
    bare.set_up()
    assert bare.ask("backup_now").code == "no_recovery_key"
    assert bare.ask("drill_now").code == "no_recovery_key"


def test_a_preview_says_what_would_change(rig: Any) -> None:
    made = rig.back_up()
    rig.book("PA2")
    rig.note({"kind": "more"})
    seen = rig.ask("restore_preview", backup=made.name, identity=rig.identity, step_up=STEP_UP).body
    changes = {part["part"]: part["changes"] for part in seen["parts"]}
    assert changes["settings"] == ["Nothing changes."]
    assert changes["ledger"] == ["1 entries in the backup, 2 here.", "The ledger here goes on from it."]
    assert changes["records"] == ["Nothing changes."]
    assert any("1 entries more" in text for text in seen["warnings"])
    assert not rig.paths.restore_work.exists() or not any(rig.paths.restore_work.iterdir())


def test_another_identity_opens_nothing(rig: Any) -> None:
    made = rig.back_up()
    other = new_recovery_key().identity
    refusal = rig.ask("restore_preview", backup=made.name, identity=other, step_up=STEP_UP)
    assert not refusal.ok
    assert refusal.faults[0]["key"] == "identity"


def test_the_ledger_comes_back_and_the_newer_one_is_kept_aside(rig: Any) -> None:
    made = rig.back_up()
    rig.book("PA2")
    reply = rig.restore(made.name, "ledger")
    assert reply.ok, reply
    assert ledger_entries(rig) == 1
    kept = rig.paths.root / "tbot_bot" / reply.body["kept"] / "tbot_bot/core/databases/ledger/LEDGER.db"
    store = LedgerStore(kept)
    assert store.head()[0] == 2
    store.close()


def test_restored_users_log_in_with_their_old_passwords_and_no_login_lives_on(rig: Any) -> None:
    made = rig.back_up()
    token = rig.token
    assert rig.restore(made.name, "users").ok
    assert rig.ask("backup_now", token=token).code == "expired"
    assert rig.log_in().ok


def test_an_armed_bot_is_not_restored_over(rig: Any) -> None:
    made = rig.back_up()
    rig.paths.bot_state.write_text("trading\n")
    refusal = rig.ask("restore_preview", backup=made.name, identity=rig.identity, step_up=STEP_UP)
    assert refusal.code == "busy"


@pytest.mark.parametrize("control_too", [False, True])
def test_a_lost_storage_folder_comes_back_from_a_backup_and_the_offline_key(
    rig: Any, tmp_path: Path, control_too: bool
) -> None:
    made = rig.back_up()
    before = open_config(rig.paths).raw
    elsewhere = tmp_path / made.name
    shutil.copy(rig.paths.backups / made.name, elsewhere)
    rig.stop()
    shutil.rmtree(rig.paths.storage)
    shutil.rmtree(rig.paths.users_db.parent)
    for link in (rig.paths.env_enc,):
        link.unlink()
    if control_too:
        shutil.rmtree(rig.paths.control)
    rig.start()
    rig.token = ""
    rig.paths.backups.mkdir(exist_ok=True)
    shutil.copy(elsewhere, rig.paths.backups / made.name)
    reply = rig.restore(made.name, "settings", "users", "ledger", "records", "audit")
    assert reply.ok, reply
    assert current_state(rig.paths) is BotState.IDLE
    assert open_config(rig.paths).raw == before
    assert rig.log_in().ok
    assert ledger_entries(rig) == 1
    assert backup_keys(rig.paths) is not None
    found = verify(rig.paths, identity=rig.identity)
    assert found.problem is None
    assert found.level == "full"
    assert found.last > made.manifest.anchors.audit_seq
    rig.stop()
    rig.start()
    assert rig.log_in().ok
    assert rig.back_up().manifest.bot == made.manifest.bot


@pytest.mark.parametrize("category", ["login", "session"])
def test_a_lost_key_of_the_logins_has_a_way_back_without_one(rig: Any, category: str) -> None:
    made = rig.back_up()
    (rig.paths.keys / f"{category}.key").write_bytes(b"garbage")
    rig.stop()
    rig.start()
    refusal = rig.log_in()
    assert refusal.code == "failed"
    assert f"{category}.key" in refusal.message
    assert "storage/current" in refusal.message

    rig.stop()
    rig.paths.current_generation.rename(rig.paths.root / "current-of-before")
    rig.start()
    rig.token = ""
    reply = rig.restore(made.name, "settings", "users")

    assert reply.ok, reply
    assert rig.log_in().ok
    assert ledger_entries(rig) == 1
