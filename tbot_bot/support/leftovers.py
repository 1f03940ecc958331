"""Temporary files that a kill left between their birth and their renaming: no one else would ever remove them."""

import re
import stat
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths

_NAME = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
"""As support/atomic_file and the links of the generations name them."""
_OLD = timedelta(hours=1)
"""In folders where other processes write too; none of them takes that long to rename a file."""

_log = get_logger("leftovers")


def sweep_leftovers(paths: Paths, now: datetime) -> int:
    """Remove the runner's own, for it writes nothing yet, and old ones of others in the folders it keeps; how many.

    What cannot be removed stays: a start does not fail for it."""
    audit = paths.audit_log.parent
    own = (paths.storage, audit, paths.runner_private, paths.recovery, paths.sessions)
    common = (paths.root, paths.control, paths.published, paths.replies)
    limit = (now - _OLD).timestamp()
    removed = _sweep(own, None) + _sweep(common, limit)
    if removed:
        _log.info("temporary files of an interrupted run are removed", extra={"fields": {"number": removed}})
    return removed


def _sweep(folders: Iterable[Path], limit: float | None) -> int:
    removed = 0
    for folder in folders:
        try:
            found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
        except OSError:
            continue
        removed += sum(_remove(path, limit) for path in found)
    return removed


def _remove(path: Path, limit: float | None) -> bool:
    try:
        facts = path.lstat()
        if stat.S_ISDIR(facts.st_mode) or (limit is not None and facts.st_mtime > limit):
            return False
        path.unlink()
    except OSError as error:
        _log.warning("a temporary file stays", extra={"fields": {"file": path.name, "why": error.strerror}})
        return False
    return True
