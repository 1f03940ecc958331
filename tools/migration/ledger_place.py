"""Layout 1: LEDGER.db in `core/databases/ledger/`, so that the bot may write the books and not remove the users."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.support.atomic_file import ensure_folder, share, sync_folder
from tbot_bot.support.path_resolver import Paths

_NAME = "LEDGER.db"
_BUSY_SECONDS = 2.0


def do(paths: Paths) -> None:
    folder = _own_folder(paths)
    if (folder.parent / _NAME).exists():
        ensure_folder(folder, 0o770)
    _move(folder.parent / _NAME, folder / _NAME)


def undo(paths: Paths) -> None:
    folder = _own_folder(paths)
    _move(folder / _NAME, folder.parent / _NAME)


def _own_folder(paths: Paths) -> Path:
    return paths.users_db.parent / "ledger"


def _move(source: Path, target: Path) -> None:
    """Nobody has it open. What waits in the write-ahead log is written back first, so that one rename moves it all."""
    if not source.exists():
        return
    if target.exists():
        raise LedgerRefused(
            f"There are two ledgers, {source} and {target}. Find out which is newer, and move the other away."
        )
    try:
        with closing(sqlite3.connect(source, timeout=_BUSY_SECONDS)) as database:
            busy = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error as error:
        raise LedgerRefused(f"{source} cannot be moved ({error}): stop tbot-bot first.") from error
    if busy:
        raise LedgerRefused(f"{source} is in use: stop tbot-bot first.")
    share(source, target.parent)
    source.rename(target)
    for folder in (target.parent, source.parent):
        sync_folder(folder)
