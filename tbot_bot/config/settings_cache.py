"""The configuration for those who look at it every few seconds: decrypted anew only when a file of it changed, and now
and then, for each time is a use of every key, and on record."""

import os
import time
from pathlib import Path

from tbot_bot.config.generations import current_number
from tbot_bot.config.parse import ParsedConfig
from tbot_bot.config.security_bot import open_config
from tbot_bot.support.path_resolver import Paths

REOPEN_AFTER = 600.0


class SettingsCache:
    """Not for threads."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._opened: tuple[object, float, ParsedConfig] | None = None

    def open(self) -> ParsedConfig:
        """As open_config; raises what that raises, and then keeps nothing."""
        stamp = _stamp(self._paths)
        if self._opened is not None and self._opened[0] == stamp and time.monotonic() < self._opened[1]:
            return self._opened[2]
        self._opened = None
        config = open_config(self._paths)
        self._opened = (stamp, time.monotonic() + REOPEN_AFTER, config)
        return config


def _stamp(paths: Paths) -> object:
    """Changes whenever a file of the present keys and secrets does, and with the generation."""
    return current_number(paths), tuple(facts for folder in (paths.keys, paths.secrets) for facts in _facts_of(folder))


def _facts_of(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    except OSError:
        return ()
    return tuple(sorted((name, facts.st_ino, facts.st_mtime_ns, facts.st_size) for name, facts in stats))
