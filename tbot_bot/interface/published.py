"""Reading the facts that runner, bot and universe worker publish, each with its age."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tbot_bot.ports.clock import Clock
from tbot_bot.support.path_resolver import Paths

_NAME = re.compile(r"[a-z_]{1,40}")
_FUTURE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published fact. `age` in seconds; `stale`: older than its writer promised, or dated in the future."""

    name: str
    seq: int
    written_at: datetime
    writer: str
    expires_after: float
    body: dict[str, Any]
    age: float
    stale: bool


class Published:
    """Reads `control/published/*.json`."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        self._paths = paths
        self._clock = clock

    def read(self, name: str) -> Snapshot | None:
        """Snapshot `name`; None when it was never written or cannot be read."""
        if not _NAME.fullmatch(name):
            return None
        try:
            row = json.loads(self._paths.snapshot(name).read_bytes())
            written_at = datetime.fromisoformat(row["written_at"])
            age = (self._clock.now() - written_at).total_seconds()
            expires_after = float(row["expires_after"])
            body = row["body"]
            if not isinstance(body, dict):
                return None
            return Snapshot(
                name=name,
                seq=int(row["seq"]),
                written_at=written_at,
                writer=str(row["writer"]),
                expires_after=expires_after,
                body=body,
                age=age,
                stale=not -_FUTURE_SECONDS <= age <= expires_after,
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
