"""What must be in order before an admin presses Start, beyond what a session needs to go on: see build_check for that.

The bot does not ask this again: a backup that grows old must not keep it from its open positions."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from tbot_bot.config.checkpoint import read_checkpoint
from tbot_bot.config.generations import current_number, read_facts
from tbot_bot.config.key_manager import private_faults
from tbot_bot.config.security_bot import open_config
from tbot_bot.config.startup import is_development, plaintext_faults
from tbot_bot.domain.errors import TbotError
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.recovery_record import read_recovery

OLDEST_BACKUP = timedelta(days=7)
OLD_LEFTOVER = timedelta(days=30)


def readiness(paths: Paths, now: datetime, check_audit: Callable[[], str]) -> tuple[str, ...]:
    """Everything that must be put right before a session is begun, in sentences that say how. Never raises.

    `check_audit`: what is wrong with the audit log, "" for nothing."""
    try:
        number = current_number(paths)
        if number is None:
            return ()
        problems = [] if is_development(paths) else list(plaintext_faults(paths))
        problems += [*_unfinished(paths, number), *_private(paths)]
        problem = check_audit()
        problems += [f"the audit log: {problem}"] if problem else []
        problems += _safety_net(paths, now)
    except (TbotError, OSError) as error:
        return (str(error),)
    return tuple(problems)


def notes(paths: Paths, now: datetime) -> tuple[str, ...]:
    """What forbids nothing, and had better not lie about."""
    words = "keys exported for another machine; move the file there and delete it here"
    found = [f"{path}: {words}" for path in _entries(paths.exports) if path.suffix == ".age"]
    if paths.keys_outside is not None:
        found.append(f"the keys come from outside ({paths.keys_outside}); settings and keys cannot be changed here")
    for path in _entries(paths.before_restore):
        age = now.timestamp() - path.stat().st_mtime
        if age > OLD_LEFTOVER.total_seconds():
            found.append(
                f"{path} holds what a restore replaced {int(age // 86400)} days ago: delete it when done with it"
            )
    return tuple(found)


def _unfinished(paths: Paths, number: int) -> Iterator[str]:
    """What an interrupted change left behind."""
    if read_facts(paths, number).dual:
        yield f"generation {number} still holds old keys beside the new ones: restart the runner, it ends the rotation"
    if read_checkpoint(paths) is not None:
        yield "a change of settings or keys is unfinished: restart the runner, it ends it or takes it back"
    for path in _entries(paths.generations):
        if path.name.startswith("."):
            yield f"{path} is left from an interrupted change: restart the runner; if it stays, delete it"
    if any(_entries(paths.restore_work)):
        yield f"a restore is unfinished ({paths.restore_work}): restart the runner, it ends it or takes it back"


def _private(paths: Paths) -> Iterator[str]:
    """Files that are the runner's alone."""
    database = paths.users_db
    for path in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
        if path.exists():
            yield from private_faults(path)
    folder = paths.audit_log.parent
    if folder.is_dir() and stat.S_IMODE(folder.stat().st_mode) & stat.S_IRWXO:
        yield f"{folder} can be used by everyone: take that away with chmod o="
    for path in (*_files(folder), *_files(paths.recovery), *_files(paths.runner_private)):
        yield from private_faults(path)


def _safety_net(paths: Paths, now: datetime) -> Iterator[str]:
    """With real money, a way back must exist: a recovery key kept offline, and a backup made for it lately."""
    if not open_config(paths).broker.live:
        return
    if read_recovery(paths) is None:
        yield "there is no recovery key, so there are no backups: make one on the page Backups, then trade real money"
        return
    last = _last_backup(paths)
    if last is None:
        yield "no backup was made yet: press Back up now on the page Backups"
    elif now - last > OLDEST_BACKUP:
        days = (now - last).days
        yield f"the last good backup is {days} days old: see on the page Backups why, and press Back up now"


def _last_backup(paths: Paths) -> datetime | None:
    """When the backup process last said that it made one; None when it never did, or says nothing that can be read."""
    try:
        text = json.loads(paths.snapshot("backups").read_bytes())["body"]["last_ok_at"]
        moment = datetime.fromisoformat(text)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return moment if moment.tzinfo is not None else None


def _entries(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder / name for name in os.listdir(folder))) if folder.is_dir() else ()


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in _entries(folder) if path.is_file() and not path.is_symlink())
