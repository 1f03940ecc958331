"""The user database of a backup, made ready for this installation: no live logins, wrapped with the keys here."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tbot_bot.backup.contents import copy_database
from tbot_bot.config.security_users import UserStore
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, sync_folder

_SIDES = ("-wal", "-shm")


def make_ready(database: Path, keys: Sequence[bytes], clock: Clock) -> None:
    """End every login in it and wrap everything under the first of `keys`. Raises SecretUnavailable."""
    store = UserStore(database, keys, clock)
    store.rewrap()
    store.database.end_logins()
    with closing(_connect(database)) as db:
        # Everything in the one file again, and durable.
        db.execute("PRAGMA journal_mode=DELETE")


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


def _keep_copy(live: Path, kept: Path) -> None:
    if kept.exists():
        return
    ensure_folder(kept.parent)
    temp = kept.with_name(f".{kept.name}.tmp")
    temp.unlink(missing_ok=True)
    try:
        copy_database(live, temp)
        temp.rename(kept)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
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
