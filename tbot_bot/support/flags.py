"""Claims control flags: whoever renames a flag into its own folder acts on it, once."""

import contextlib
import json
import secrets
from pathlib import Path
from typing import Any

from tbot_bot.support.atomic_file import ensure_folder


class FlagClaimer:
    """Takes flags out of `control/requests/` into a private folder. A flag is a doorbell: its content is not read."""

    def __init__(self, private: Path) -> None:
        ensure_folder(private)
        self._private = private

    def claim(self, flag: Path) -> bool:
        """True when the flag was there and is ours now. Anything of that name counts: stopping needs no authority."""
        target = self._private / f"{flag.name}.{secrets.token_hex(4)}"
        try:
            flag.rename(target)
        except FileNotFoundError:
            return False
        with contextlib.suppress(OSError):
            target.rmdir() if target.is_dir() and not target.is_symlink() else target.unlink()
        return True

    def take_jobs(self, folder: Path) -> tuple[dict[str, Any], ...]:
        """Claim and read the runner's `*.job` files, in the order of their names; what is no JSON object is dropped."""
        jobs = []
        for path in sorted(folder.glob("*.job")) if folder.is_dir() else ():
            mine = self._private / path.name
            try:
                path.rename(mine)
                value = json.loads(mine.read_bytes())
            except (OSError, ValueError):
                continue
            mine.unlink()
            if isinstance(value, dict):
                jobs.append(value)
        return tuple(jobs)
