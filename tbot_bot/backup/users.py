"""The user database of a backup, made ready for this installation: no live logins, wrapped with the keys here."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tbot_bot.backup.contents import copy_database
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.atomic_file import ensure_folder, sync_folder

_FERNET = b"gAAAAA"
"""How every Fernet token begins: its version and the high bytes of a date before 2106."""
_SIDES = ("-wal", "-shm")


def make_ready(database: Path, old_keys: Sequence[bytes], new_key: bytes) -> None:
    """End every login in it and wrap every token anew, in one transaction. Raises SecretUnavailable."""
    wrap = MultiFernet([Fernet(key) for key in (new_key, *old_keys)])
    with closing(_connect(database)) as db:
        db.execute("PRAGMA secure_delete=ON")
        db.execute("BEGIN IMMEDIATE")
        tables = [str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if "sessions" in tables:
            db.execute("DELETE FROM sessions")
        for table in tables:
            if not table.startswith("sqlite_"):
                _rewrap(db, table, wrap)
        db.execute("COMMIT")
    _sync(database)


def put(staged: Path, live: Path, kept: Path) -> None:
    """Replace the live database by `staged`, keeping a copy of the old one; done twice is done once.

    A sound database is overwritten in place by SQLite, as one transaction: others may have it open. One that cannot be
    read, or is not there, is replaced as a file."""
    if not staged.exists():
        return
    try:
        if live.is_file():
            _keep_copy(live, kept)
            with closing(_connect(staged)) as source, closing(_connect(live)) as target:
                source.backup(target)
            return
    except sqlite3.Error:
        _move_away(live, kept)
    ensure_folder(live.parent)
    staged.rename(live)
    sync_folder(live.parent)


def _rewrap(db: sqlite3.Connection, table: str, wrap: MultiFernet) -> None:
    name = '"' + table.replace('"', '""') + '"'
    columns = [str(row[1]).replace('"', '""') for row in db.execute(f"PRAGMA table_info({name})")]
    for column in columns:
        query = f'SELECT rowid, "{column}" FROM {name}'  # noqa: S608 (names from the schema, quoted)
        for rowid, value in db.execute(query).fetchall():
            token = value.encode() if isinstance(value, str) else value
            if not isinstance(token, bytes) or not token.startswith(_FERNET):
                continue
            try:
                anew: bytes | str = wrap.rotate(token)
            except InvalidToken as error:
                raise SecretUnavailable("login.key in the backup does not open its own user database") from error
            stored = anew.decode() if isinstance(value, str) and isinstance(anew, bytes) else anew
            db.execute(f'UPDATE {name} SET "{column}" = ? WHERE rowid = ?', (stored, rowid))  # noqa: S608


def _keep_copy(live: Path, kept: Path) -> None:
    if kept.exists():
        return
    ensure_folder(kept.parent)
    temp = kept.with_name(f".{kept.name}.tmp")
    temp.unlink(missing_ok=True)
    copy_database(live, temp)
    _sync(temp)
    temp.rename(kept)
    sync_folder(kept.parent)


def _move_away(live: Path, kept: Path) -> None:
    ensure_folder(kept.parent)
    for side in ("", *_SIDES):
        old = live.with_name(live.name + side)
        if old.exists():
            old.rename(kept.with_name(kept.name + ".damaged" + side))
    sync_folder(live.parent)
    sync_folder(kept.parent)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10.0, isolation_level=None)
    db.execute("PRAGMA synchronous=FULL")
    return db


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
