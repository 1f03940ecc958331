"""Folders that an installation gives to a group of ours, tried as the users that share them."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.config.generations import activate, faults_of, folder_of, open_staging, seal_generation
from tbot_bot.config.key_manager import create_keys, key_faults
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.domain.session import BotState
from tbot_bot.interface.flags import request_kill
from tbot_bot.support.atomic_file import LineLog, ensure_folder, share, shared_mode, write_bytes
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.decrypt_secrets import with_generation
from tbot_bot.support.flags import FlagClaimer
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sealing import new_private_key, public_bytes, read_public_key, write_public_key
from tbot_bot.support.state_file import StateFile
from tests.service_users import BOT, KEYS, NUMBERS, WEB, as_user, install

STATE = NUMBERS["tbot-state"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o2770)
    return folder


def test_in_a_folder_of_ones_own_the_mode_is_the_one_asked_for(tmp_path: Path) -> None:
    assert shared_mode(tmp_path, 0o600) == 0o600
    assert shared_mode(tmp_path, 0o640) == 0o640


def test_what_is_born_in_a_shared_folder_is_the_groups_as_the_folder_is(shared: Path) -> None:
    write_bytes(shared / "a", b"")
    ensure_folder(shared / "b" / "c")
    write_bytes(shared / "b" / "c" / "d", b"")
    LineLog(shared / "e").close()
    assert [mode(shared / name) for name in ("a", "b/c", "b/c/d", "e")] == [0o660, 0o2770, 0o660, 0o660]


def test_where_the_group_may_only_read_it_may_not_write_what_is_born(shared: Path) -> None:
    shared.chmod(0o2750)
    write_bytes(shared / "a", b"")
    ensure_folder(shared / "b")
    assert (mode(shared / "a"), mode(shared / "b")) == (0o640, 0o2750)


def test_a_file_that_is_moved_in_is_shared_like_one_born_there(shared: Path, tmp_path: Path) -> None:
    write_bytes(tmp_path / "staged", b"")
    share(tmp_path / "staged", shared)
    assert mode(tmp_path / "staged") == 0o660


@pytest.mark.root
def test_a_file_that_is_moved_to_another_group_is_that_groups_without_chown(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(tmp_path / "staged", b"books")
    os.chown(shared, -1, STATE)
    shared.chmod(0o2770)
    (shared / ".staged.moving.tmp").symlink_to("/nowhere")
    monkeypatch.delattr(os, "chown")

    share(tmp_path / "staged", shared)

    facts = (tmp_path / "staged").stat()
    assert ((tmp_path / "staged").read_bytes(), facts.st_gid, mode(tmp_path / "staged")) == (b"books", STATE, 0o660)
    assert list(shared.iterdir()) == []


@pytest.fixture
def paths() -> Iterator[Paths]:
    """Under a folder that every user may pass through, as pytest's own are not."""
    root = Path(tempfile.mkdtemp(prefix="tbot-shared-"))
    root.chmod(0o755)
    yield install(root / "state")
    shutil.rmtree(root)


def provision(paths: Paths) -> None:
    staging = open_staging(paths, 1)
    create_keys(staging / "keys")
    seal_generation(paths, 1, SystemClock())
    activate(paths, 1)


def refused(act: Callable[[], object], error: type[BaseException] = PermissionError) -> None:
    with pytest.raises(error):
        act()


def keys_of(paths: Paths, category: str) -> None:
    with_generation(paths, lambda folder: folder.keys(category))


@pytest.mark.root
def test_the_bot_reads_the_keys_it_needs_and_not_those_of_logins(paths: Paths) -> None:
    as_user(KEYS, lambda: provision(paths))
    as_user(BOT, lambda: keys_of(paths, "broker"))
    as_user(BOT, lambda: refused(lambda: keys_of(paths, "login"), SecretUnavailable))
    as_user(BOT, lambda: refused(lambda: keys_of(paths, "session"), SecretUnavailable))
    as_user(WEB, lambda: refused(lambda: keys_of(paths, "broker"), SecretUnavailable))


@pytest.mark.root
def test_both_find_nothing_wrong_with_a_sound_generation_and_the_bot_finds_a_changed_key(paths: Paths) -> None:
    as_user(KEYS, lambda: provision(paths))
    folder = folder_of(paths, 1)

    def sound() -> None:
        assert (faults_of(folder), key_faults(folder / "keys"), key_faults(paths.keys)) == ((), (), ())

    def broken() -> None:
        assert "broker.key" in faults_of(folder)[0]

    as_user(KEYS, sound)
    as_user(BOT, sound)
    (folder / "keys" / "broker.key").write_bytes(b"another")
    as_user(BOT, broken)


@pytest.mark.root
def test_the_bot_can_change_no_key(paths: Paths) -> None:
    as_user(KEYS, lambda: provision(paths))
    keys = folder_of(paths, 1) / "keys"
    as_user(BOT, lambda: refused(lambda: (keys / "broker.key").write_bytes(b"")))
    as_user(BOT, lambda: refused((keys / "broker.key").unlink))
    as_user(BOT, lambda: refused(paths.current_generation.unlink))


@pytest.mark.root
def test_runner_and_bot_move_the_state_in_turn_and_the_web_cannot(paths: Paths) -> None:
    state = StateFile(paths, SystemClock())

    def move(frm: BotState, to: BotState) -> None:
        state.move(frm, to, "test", "in turn")

    def seen() -> None:
        assert state.read() is BotState.IDLE

    as_user(KEYS, lambda: state.initialize("runner"))
    as_user(KEYS, lambda: move(BotState.INITIALIZE, BotState.PROVISIONING))
    as_user(BOT, lambda: move(BotState.PROVISIONING, BotState.BOOTSTRAPPING))
    as_user(KEYS, lambda: move(BotState.BOOTSTRAPPING, BotState.IDLE))
    as_user(WEB, lambda: refused(lambda: move(BotState.IDLE, BotState.ANALYZING)))
    as_user(WEB, lambda: refused(lambda: write_bytes(paths.bot_state, b"trading\n")))
    as_user(WEB, seen)


@pytest.mark.root
def test_the_bot_writes_the_ledger_that_the_runner_made_and_cannot_remove_the_users(paths: Paths) -> None:
    as_user(KEYS, lambda: create(paths.ledger_db))
    as_user(KEYS, lambda: write_bytes(paths.users_db, b"users"))

    def book() -> None:
        LedgerStore(paths.ledger_db)
        with closing(sqlite3.connect(paths.ledger_db)) as database:
            database.execute("CREATE TABLE mine (a)")

    as_user(BOT, book)
    as_user(KEYS, lambda: LedgerStore(paths.ledger_db))
    as_user(BOT, lambda: refused(paths.users_db.unlink))
    as_user(BOT, lambda: refused(paths.users_db.read_bytes))
    as_user(WEB, lambda: refused(paths.ledger_db.read_bytes))


@pytest.mark.root
def test_the_web_raises_a_flag_that_the_bot_claims_and_lists_no_requests(paths: Paths) -> None:
    def claimed() -> None:
        assert FlagClaimer(paths.private / "claims").claim(paths.kill_flag)

    as_user(WEB, lambda: request_kill(paths, "ada", "now"))
    as_user(WEB, lambda: refused(lambda: os.listdir(paths.requests)))
    as_user(BOT, claimed)
    assert not paths.kill_flag.exists()


@pytest.mark.root
def test_the_web_takes_no_key_for_the_runners_that_the_bot_put_there(paths: Paths) -> None:
    """It is what passwords are sealed to."""
    runners, bots = new_private_key(), new_private_key()
    path = paths.runner_public_key

    def swap() -> None:
        path.parent.rename(paths.control / "aside")
        path.parent.mkdir()
        path.parent.chmod(0o755)
        write_public_key(path, bots)
        path.chmod(0o644)

    def seen(key: bytes | None) -> None:
        assert read_public_key(path) == key

    as_user(KEYS, lambda: write_public_key(path, runners))
    as_user(BOT, lambda: refused(lambda: write_public_key(path, bots)))
    as_user(WEB, lambda: seen(public_bytes(runners)))
    as_user(BOT, swap)
    as_user(WEB, lambda: seen(None))


@pytest.mark.root
def test_the_bot_drops_events_and_neither_it_nor_the_web_reads_the_audit_log(paths: Paths) -> None:
    as_user(KEYS, lambda: write_bytes(paths.audit_log, b"{}\n"))
    as_user(BOT, lambda: AuditDrop(paths, SystemClock()).record("order", "bot", {}))
    assert [mode(path) for path in paths.audit_inbox.iterdir()] == [0o660]
    for user in (BOT, WEB):
        as_user(user, lambda: refused(paths.audit_log.read_bytes))
    as_user(WEB, lambda: refused(lambda: os.listdir(paths.storage)))
