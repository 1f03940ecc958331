"""A restore that dies at any of its steps leaves old or new, and the next start finishes or drops it."""

import errno
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.backup import restore, shelf, swap
from tbot_bot.backup.recovery import parse_recovery_key
from tbot_bot.config import generations
from tbot_bot.config.build_check import check
from tbot_bot.config.progress import Progress
from tbot_bot.config.provisioning_helper import TITLES, Tools
from tbot_bot.config.security_bot import open_config
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.runtime.provisioning import open_audit
from tbot_bot.support import atomic_file
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.audit_anchors import known_anchors
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

STEP_UP = {"password": "a battery of horses", "code": ""}
PARTS = ("settings", "users", "ledger", "records", "audit")


class Died(BaseException):
    """The process is gone."""


def entries(rig: Any) -> int:
    store = LedgerStore(rig.paths.ledger_db)
    try:
        assert store.verify() == ()
        return store.head()[0]
    finally:
        store.close()


def journal(rig: Any) -> str:
    return "".join(path.read_text() for path in sorted(rig.paths.journals.glob("*.jsonl")))


class Killer:
    """Ends a thread at the n-th durable step from now on, as a power cut would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        self.count = 0
        for module, name in ((Path, "rename"), (Path, "unlink"), (Path, "symlink_to"), (Path, "chmod")):
            monkeypatch.setattr(module, name, self._watched(getattr(module, name)))
        monkeypatch.setattr(atomic_file.os, "fsync", self._watched(atomic_file.os.fsync))

    def _watched(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            if self.left == 0:
                raise Died
            self.left -= self.left > 0
            return real(*arguments, **named)

        return act


def order(rig: Any, name: str, parts: tuple[str, ...] = PARTS) -> restore.Order:

    return restore.Order(
        rig.paths.backups / name,
        shelf.time_of(name),
        parse_recovery_key(rig.identity),
        parts,
        "ada",
        "192.0.2.7",
        first_run=False,
    )


def restorer(rig: Any) -> tuple[restore.Restorer, Any]:
    """The runner's own restorer over a stopped installation, as after a start."""

    audit = open_audit(rig.paths)
    state = StateFile(rig.paths, rig.clock)
    progress = Progress(Publisher(rig.paths, "runner", rig.clock), TITLES)
    tools = Tools(rig.paths, rig.clock, state, audit, progress, lambda: create(rig.paths.ledger_db), 4)
    return restore.Restorer(tools, audit), audit


@pytest.mark.slow
def test_every_interruption_leaves_old_or_new_and_the_next_start_ends_it(
    rig: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rig.back_up()
    rig.book("PA2")
    rig.note({"kind": "later"})
    rig.stop()
    template = tmp_path / "template"
    shutil.copytree(rig.paths.root, template, symlinks=True)

    def fresh() -> None:
        shutil.rmtree(rig.paths.root)
        shutil.copytree(template, rig.paths.root, symlinks=True)

    killer = Killer(monkeypatch)
    one, audit = restorer(rig)
    killer.count = 0
    one.restore(order(rig, made.name))
    steps = killer.count
    audit.close()
    assert steps > 60
    outcomes = set()
    for step in range(0, steps, 3):
        fresh()
        one, audit = restorer(rig)
        killer.left = step
        with pytest.raises(Died):
            one.restore(order(rig, made.name))
        killer.left = -1
        audit.close()
        one, audit = restorer(rig)
        one.recover()
        one.recover()
        found = entries(rig)
        outcomes.add(found)
        assert open_config(rig.paths).identity.bot_id == made.manifest.bot
        assert not swap.plan_file(rig.paths).exists()
        assert not rig.paths.restore_work.exists()
        audit.close()
        assert verify(rig.paths, identity=rig.identity, anchors=known_anchors(rig.paths)).problem is None
        rig.start()
        assert rig.log_in().ok
        rig.stop()
    assert outcomes == {1, 2}


def test_a_failed_restore_changes_nothing_and_says_so(rig: Any) -> None:
    made = rig.back_up()
    rig.book("PA2")
    path = rig.paths.backups / made.name
    seen = rig.ask(
        "restore_preview",
        backup=made.name,
        identity=rig.identity,
        step_up=STEP_UP,
    )
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    reply = rig.ask(
        "restore",
        preview=seen.body["preview"],
        parts=["ledger"],
        step_up=STEP_UP,
    )
    assert not reply.ok
    assert "Nothing was changed" in reply.message
    assert entries(rig) == 2
    assert not rig.paths.restore_work.exists()
    assert rig.log_in().ok


def test_a_damaged_user_database_is_replaced_as_a_file(rig: Any) -> None:
    made = rig.back_up()
    rig.stop()
    rig.paths.users_db.write_bytes(b"\0" * 8192)
    one, audit = restorer(rig)
    one.restore(order(rig, made.name, ("users",)))
    audit.close()
    rig.start()
    assert rig.log_in().ok


def test_a_lost_key_comes_back_from_the_backup_that_still_has_it(rig: Any) -> None:
    made = rig.back_up()
    rig.stop()
    (rig.paths.keys / "login.key").unlink()
    one, audit = restorer(rig)
    one.restore(order(rig, made.name, ("settings",)))
    audit.close()
    rig.start()
    assert rig.log_in().ok


@pytest.mark.parametrize("category", ["login", "session"])
def test_the_way_back_that_a_damaged_login_key_names_works(rig: Any, category: str) -> None:
    made = rig.back_up()
    rig.stop()
    write_bytes(rig.paths.keys / f"{category}.key", b"no key at all")
    rig.start()
    told = rig.log_in().message
    assert "move the link tbot_bot/storage/current away" in told
    assert "page Keys" not in told
    assert "page Keys" not in "".join(check(rig.paths))

    rig.stop()
    rig.paths.current_generation.rename(rig.paths.storage / "moved-away")
    rig.token = ""
    rig.start()
    assert rig.published("system")["users"] == 0, "so the first page is shown, and asks for no login"
    reply = rig.restore(made.name, *PARTS)

    assert reply.ok, reply
    assert rig.log_in().ok
    assert check(rig.paths) == ()


def test_a_lost_audit_log_is_restored_goes_on_and_says_so(rig: Any) -> None:
    made = rig.back_up()
    rig.stop()
    shutil.rmtree(rig.paths.audit_log.parent)
    time.sleep(1.1)
    rig.start()
    reply = rig.restore(made.name, "audit")
    assert reply.ok, reply
    assert "goes on" in reply.message
    found = verify(rig.paths, identity=rig.identity, anchors=known_anchors(rig.paths))
    assert (found.problem, found.level) == (None, "full")
    assert found.last > made.manifest.anchors.audit_seq
    assert '"audit":"adopted"' in rig.paths.audit_log.read_text().splitlines()[made.manifest.anchors.audit_seq]
    kept = rig.paths.root / "tbot_bot" / reply.body["kept"]
    assert list(kept.rglob("audit.jsonl"))
    rig.stop()
    rig.start()
    assert rig.log_in().ok


def test_an_intact_audit_log_stays_and_the_older_one_is_put_beside(rig: Any) -> None:
    made = rig.back_up()
    before = rig.paths.audit_log.read_text()
    reply = rig.restore(made.name, "audit")
    assert reply.ok, reply
    assert rig.paths.audit_log.read_text().startswith(before)
    beside = rig.paths.root / "tbot_bot" / reply.body["kept"] / "audit-of-the-backup" / "audit.jsonl"
    assert before.startswith(beside.read_text())


def test_only_what_was_looked_at_is_restored_and_only_by_who_looked(rig: Any) -> None:
    first = rig.back_up()
    seen = rig.ask("restore_preview", backup=first.name, identity=rig.identity, step_up=STEP_UP)
    preview = seen.body["preview"]
    assert rig.ask("restore", preview="f" * 32, parts=["ledger"], step_up=STEP_UP).code == "expired"
    assert rig.ask("restore", preview=preview, parts=[], step_up=STEP_UP).code == "invalid"
    assert rig.ask("restore", preview=preview, parts=["ledger", "world"], step_up=STEP_UP).code == "invalid"
    assert rig.ask("restore", preview=preview, parts=["ledger"]).code == "step_up"
    second = rig.back_up()
    shutil.copy(rig.paths.backups / second.name, rig.paths.backups / first.name)
    swapped = rig.ask("restore", preview=preview, parts=["ledger"], step_up=STEP_UP)
    assert not swapped.ok
    assert "another backup" in swapped.message


@pytest.mark.parametrize("name", ["", "..", "../runner/runner.key", "state.json", "nothing.age", "/etc/passwd"])
def test_only_files_on_the_shelf_are_opened(rig: Any, name: str) -> None:
    refusal = rig.ask("restore_preview", backup=name, identity=rig.identity, step_up=STEP_UP)
    assert (refusal.code, refusal.faults[0]["key"]) == ("invalid", "backup")


def _commit_fails(monkeypatch: pytest.MonkeyPatch, rig: Any, *, lasting: bool) -> None:
    """The plan gets its name, and the disk cannot make that durable."""
    write, sync = restore.write_plan, restore.sync_folder

    def write_plan(paths: Any, plan: swap.Plan) -> None:
        write(paths, plan)
        if plan.committed:
            raise OSError(errno.ENOSPC, "No space left on device")

    def sync_folder(folder: Path) -> None:
        if lasting and folder == rig.paths.runner_private:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(folder)

    monkeypatch.setattr(restore, "write_plan", write_plan)
    monkeypatch.setattr(restore, "sync_folder", sync_folder)


def test_a_disk_that_stays_full_at_the_commit_takes_nothing_that_the_next_start_needs(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rig.back_up()
    rig.book("PA2")
    rig.stop()
    one, audit = restorer(rig)
    with monkeypatch.context() as full:
        _commit_fails(full, rig, lasting=True)
        with pytest.raises(OSError, match="No space"):
            one.restore(order(rig, made.name))
    audit.close()

    rig.start()
    assert rig.log_in().ok
    assert entries(rig) == 1
    assert not swap.plan_file(rig.paths).exists()


def test_an_error_at_the_commit_that_passes_stops_no_restore(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = rig.back_up()
    rig.book("PA2")
    rig.stop()
    one, audit = restorer(rig)
    with monkeypatch.context() as once:
        _commit_fails(once, rig, lasting=False)
        one.restore(order(rig, made.name))
    audit.close()
    assert entries(rig) == 1


def test_a_plan_that_cannot_be_removed_takes_back_nothing_that_is_saved_later(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rig.back_up()
    rig.stop()
    one, audit = restorer(rig)
    with monkeypatch.context() as broken:
        unlink = Path.unlink

        def refuse(path: Path, **named: Any) -> None:
            if path == swap.plan_file(rig.paths):
                raise OSError(errno.EIO, "Input/output error")
            unlink(path, **named)

        broken.setattr(Path, "unlink", refuse)
        one.restore(order(rig, made.name))
    audit.close()
    assert swap.plan_file(rig.paths).exists()

    later = generations.next_number(rig.paths)
    shutil.copytree(generations.folder_of(rig.paths, later - 1), generations.folder_of(rig.paths, later), symlinks=True)
    generations.activate(rig.paths, later)
    one, audit = restorer(rig)
    one.recover()
    audit.close()
    assert generations.current_number(rig.paths) == later
    assert not swap.plan_file(rig.paths).exists()
