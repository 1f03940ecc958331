"""The folder `storage/backups/`: what lies there, and what the backup process remembers about it."""

import grp
import json
import os
import pwd
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tbot_bot.backup.retention import KeepRule, kept_as
from tbot_bot.domain.errors import AlreadyRunning
from tbot_bot.support.atomic_file import ensure_folder, sync_folder, write_json
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.process_lock import take

_log = get_logger("backup")
_NAME = re.compile(r"tbot-(\d{8}T\d{6})Z\.age")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.age")
_STAMP = "%Y%m%dT%H%M%S"
_MEMORY = "state.json"
_BUSY = ".busy"
_LOOK_SECONDS = 0.2
_MOST_NAMES = 200


@dataclass(frozen=True, slots=True)
class Memory:
    """`made`: names of the backups made and verified here, which alone are thinned. `offsite`: name → "copied" or why
    not. Times are ISO texts, "" = never."""

    made: tuple[str, ...] = ()
    offsite: Mapping[str, str] = field(default_factory=dict)
    last_ok_at: str = ""
    error: str = ""
    offsite_ok_at: str = ""
    offsite_error: str = ""
    drill: Mapping[str, Any] = field(default_factory=dict)


def name_of(at: datetime) -> str:
    return f"tbot-{at.astimezone(UTC):{_STAMP}}Z.age"


def time_of(name: str) -> datetime | None:
    """When a backup with this name was made; None for other names."""
    found = _NAME.fullmatch(name)
    try:
        return None if found is None else datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def backup_file(paths: Paths, name: str) -> Path | None:
    """The regular file of this name on the shelf; also one that an operator copied there. None when there is none."""
    path = paths.backups / name
    return path if _FILE.fullmatch(name) and path.is_file() and not path.is_symlink() else None


def on_shelf(paths: Paths) -> tuple[Path, ...]:
    """Every backup file, the newest name first."""
    if not paths.backups.is_dir():
        return ()
    found = (path for path in paths.backups.iterdir() if _FILE.fullmatch(path.name))
    return tuple(sorted((path for path in found if path.is_file() and not path.is_symlink()), reverse=True))


def shelf_facts(paths: Paths) -> Mapping[str, Any]:
    """For whoever brings a backup from elsewhere: where it belongs, as whose file, and what lies there now."""
    try:
        names = [path.name for path in on_shelf(paths)[:_MOST_NAMES]]
    except OSError as error:
        _log.warning("the backups cannot be listed", extra={"fields": {"why": error.strerror}})
        names = []
    user, group = os.geteuid(), os.getegid()
    return {"folder": str(paths.backups), "uid": user, "owner": _user(user), "group": _group(group), "files": names}


def _user(number: int) -> str:
    """Its name, or the number where nobody gave it one, as in a container."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def newest(paths: Paths) -> Path | None:
    """The newest backup made here."""
    made = set(read_memory(paths).made)
    return next((path for path in on_shelf(paths) if path.name in made), None)


def read_memory(paths: Paths) -> Memory:
    """What is remembered; nothing when the file is missing or damaged, and then no backup is ever removed for it."""
    try:
        row = json.loads((paths.backups / _MEMORY).read_bytes())
        return Memory(**{**row, "made": tuple(str(name) for name in row["made"]), "offsite": dict(row["offsite"])})
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("the backups' memory is damaged", extra={"fields": {"why": str(error)}})
        return Memory()


def write_memory(paths: Paths, memory: Memory) -> None:
    ensure_folder(paths.backups)
    write_json(paths.backups / _MEMORY, asdict(memory))


def remember_made(paths: Paths, name: str, at: datetime) -> Memory:
    """A good backup was made."""
    memory = read_memory(paths)
    memory = replace(memory, made=(*memory.made, name), last_ok_at=at.isoformat(timespec="seconds"), error="")
    write_memory(paths, memory)
    return memory


def reasons(memory: Memory, rule: KeepRule) -> Mapping[str, tuple[str, ...]]:
    """Name → reasons to stay, of the backups made here."""
    times = {at: name for name in memory.made if (at := time_of(name)) is not None}
    return {times[at]: words for at, words in kept_as(times, rule).items()}


def thin(paths: Paths, rule: KeepRule) -> tuple[str, ...]:
    """Remove the backups made here that no rule keeps; returns their names."""
    memory = read_memory(paths)
    gone = tuple(name for name, words in reasons(memory, rule).items() if not words)
    for name in gone:
        (paths.backups / name).unlink(missing_ok=True)
    if gone:
        sync_folder(paths.backups)
        # What is remembered of their copies stays until those are removed too.
        write_memory(paths, replace(memory, made=tuple(name for name in memory.made if name not in gone)))
    return gone


@contextmanager
def undisturbed(paths: Paths, patience: float = 0.0) -> Iterator[None]:
    """While this lasts nobody else makes, drills or restores a backup on this root.

    Waits for `patience` seconds. Raises AlreadyRunning."""
    ends = time.monotonic() + patience
    while True:
        try:
            handle = take(paths.backups / _BUSY, "another backup, drill or restore")
            break
        except AlreadyRunning:
            if time.monotonic() >= ends:
                raise
            time.sleep(_LOOK_SECONDS)
    try:
        yield
    finally:
        os.close(handle)


def sweep(paths: Paths) -> None:
    """Remove half-written files that a crash left."""
    for path in paths.backups.glob(".*.tmp") if paths.backups.is_dir() else ():
        path.unlink()
