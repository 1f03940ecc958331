"""What goes into a backup, and taking it so that every part is of one moment while everything keeps running.

Not in it: the runner's own key pair, live logins' files, the paper venue, market data and logs. Databases are copied by
SQLite into a 0600 file beside the backups that is removed in any case: they hold passwords only as wrapped hashes, and
may be larger than memory. Keys and secrets are held in memory and never written anywhere but encrypted. Keys that come
from outside (TBOT_KEYS_DIR) are not ours to keep: such a backup holds none."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.backup.archive import Member, member_of_bytes, member_of_file
from tbot_bot.backup.manifest import Anchors, name_is_plain
from tbot_bot.config.generations import current_number, faults_of, folder_of
from tbot_bot.domain.errors import BackupRefused, NotProvisioned, SecretUnavailable
from tbot_bot.reporting.audit_chain import GENESIS, Head, head_line, read_head
from tbot_bot.reporting.audit_key import sealed_key_file
from tbot_bot.support.atomic_file import ensure_folder
from tbot_bot.support.encrypt_secrets import MANIFEST
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.recovery_record import RECORD

USERS, LEDGER = "users/SYSTEM_USERS.db", "ledger/LEDGER.db"
AUDIT_LOG, AUDIT_HEAD, AUDIT_KEY = "audit/audit.jsonl", "audit/head.json", "audit/first.key.age"
_WORK = ".work"
_TRIES = 5
_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Contents:
    """What was taken; `generation` is the one that the users' database belongs to."""

    generation: int
    anchors: Anchors
    members: tuple[Member, ...]


@contextmanager
def taken(paths: Paths) -> Iterator[Contents]:
    """The installation as of now; the copies of the databases last as long as the context.

    Raises NotProvisioned, SecretUnavailable, or BackupRefused when it would not hold still."""
    work = paths.backups / _WORK
    drop_work(paths)
    ensure_folder(work.parent)
    work.mkdir(mode=0o700)
    try:
        yield _take(paths, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def drop_work(paths: Paths) -> None:
    """Remove database copies that a crash left."""
    work = paths.backups / _WORK
    if work.exists():
        shutil.rmtree(work)


def record_files(paths: Paths) -> dict[str, Path]:
    """Name in a backup → path, of the records that exist; those of one installation have the same names in another."""
    single = {
        "records/unresolved_orders.log": paths.unresolved_orders,
        "records/alerts.jsonl": paths.alerts_log,
        "records/blocklist.txt": paths.blocklist,
        "records/symbol_universe.json": paths.universe,
        "records/state_log.jsonl": paths.state_log,
        "records/bot_state.txt": paths.bot_state,
    }
    found = {name: path for name, path in single.items() if _is_file(path)}
    for folder, top in ((paths.journals, "records/journal"), (paths.session_folders, "records/sessions")):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = f"{top}/{path.relative_to(folder).as_posix()}"
            if _is_file(path) and not path.name.startswith(".") and name_is_plain(name):
                found[name] = path
    return found


def record_path(paths: Paths, name: str) -> Path | None:
    """Where a record of this name belongs; None for what is never put back."""
    single = {
        "records/unresolved_orders.log": paths.unresolved_orders,
        "records/alerts.jsonl": paths.alerts_log,
        "records/blocklist.txt": paths.blocklist,
        "records/symbol_universe.json": paths.universe,
        "records/state_log.jsonl": paths.state_log,
    }
    for top, folder in (("records/journal/", paths.journals), ("records/sessions/", paths.session_folders)):
        if name.startswith(top):
            return folder / name.removeprefix(top)
    return single.get(name)


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy under load, 0600, durable, without side files. Raises OSError or sqlite3.Error."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    uri = f"{source.absolute().as_uri()}?mode=rw"
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        copy.execute("PRAGMA synchronous=FULL")
        live.backup(copy)
        # Everything in the one file: a copy that is moved about must not depend on a -wal beside it.
        copy.execute("PRAGMA journal_mode=DELETE")


def _take(paths: Paths, work: Path) -> Contents:
    for attempt in range(_TRIES):
        generation = current_number(paths)
        if generation is None:
            raise NotProvisioned("there is nothing to back up yet: save a configuration first")
        settings = _generation_members(paths, generation)
        users = work / f"users-{attempt}.db"
        copy_database(paths.users_db, users)
        if settings is not None and current_number(paths) == generation:
            return _complete(paths, work, generation, (*settings, member_of_file(USERS, users)))
    raise BackupRefused("The keys were changed again and again while the backup was made; it is tried again later.")


def _complete(paths: Paths, work: Path, generation: int, first: tuple[Member, ...]) -> Contents:
    ledger = work / "ledger.db"
    copy_database(paths.ledger_db, ledger)
    store = LedgerStore(ledger)
    try:
        entries, digest = store.head()
    finally:
        store.close()
    head = read_head(paths)
    anchors = Anchors(0 if head is None else head.seq, GENESIS if head is None else head.line_hash, entries, digest)
    records = tuple(member_of_file(name, path) for name, path in record_files(paths).items())
    members = (
        *first,
        member_of_file(LEDGER, ledger),
        *records,
        *_audit_members(paths, head),
        *_recovery_members(paths),
    )
    return Contents(generation, anchors, members)


def _generation_members(paths: Paths, number: int) -> tuple[Member, ...] | None:
    """Keys, secrets and manifest of one generation; None when it was replaced and removed meanwhile."""
    folder = folder_of(paths, number)
    try:
        files = [path for sub in ("keys", "secrets") for path in sorted((folder / sub).iterdir())]
        found = tuple(
            member_of_bytes(f"settings/{path.relative_to(folder).as_posix()}", path.read_bytes())
            for path in (*files, folder / MANIFEST)
            if not path.is_symlink()
        )
    except FileNotFoundError:
        return None
    faults = faults_of(folder, paths.keys_outside)
    if faults and folder.is_dir():
        raise SecretUnavailable(f"a backup of damaged keys and secrets is none: {'; '.join(faults)}")
    return None if faults else found


def _audit_members(paths: Paths, head: Head | None) -> Iterator[Member]:
    """The log up to the head that was read before it: what came later is left for the next backup."""
    if head is None:
        return
    size = head.size
    if size < 0:
        with paths.audit_log.open("rb") as log:
            size = sum(len(log.readline()) for _ in range(head.seq))
    if paths.audit_log.exists():
        yield member_of_file(AUDIT_LOG, paths.audit_log, size)
    yield member_of_bytes(AUDIT_HEAD, head_line(head))
    if sealed_key_file(paths).exists():
        yield member_of_bytes(AUDIT_KEY, sealed_key_file(paths).read_bytes())


def _recovery_members(paths: Paths) -> Iterator[Member]:
    path = paths.recovery / RECORD
    if path.exists():
        yield member_of_bytes(f"recovery/{RECORD}", path.read_bytes())


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
