"""Stop and kill: the presence of a file is the order. They need no authority and no other process alive."""

import json
import os
from pathlib import Path

from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.path_resolver import Paths

_MODE = 0o644


def request_stop(paths: Paths, by: str) -> None:
    """Ask the bot to stop gracefully; a flag that is there already is success."""
    _raise_flag(paths.stop_flag, {"by": by})


def request_kill(paths: Paths, by: str, why: str) -> None:
    """Ask the bot to flatten everything now; a flag that is there already is success."""
    _raise_flag(paths.kill_flag, {"by": by, "why": why})


def _raise_flag(path: Path, content: dict[str, str]) -> None:
    if path.exists():
        return
    ensure_folder(path.parent, 0o770)
    try:
        write_bytes(path, json.dumps(content).encode() + b"\n", _MODE)
    except OSError:
        # A full disk has no block for the words, but mostly has room for a name, and the name is the order.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE))
