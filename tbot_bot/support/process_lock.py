"""One process of a kind per root: a lock that the kernel frees when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path

from tbot_bot.domain.errors import AlreadyRunning
from tbot_bot.support.atomic_file import ensure_folder


def take(path: Path, what: str) -> int:
    """Hold `path` locked until the process ends or the returned descriptor is closed. Raises AlreadyRunning."""
    ensure_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise AlreadyRunning(f"{what} already runs on this root; stop it there first") from error
    return handle
