"""Published snapshots: facts for the web, each file owned by one process and dated, so that a reader sees its age."""

from collections.abc import Mapping
from typing import Any

from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.path_resolver import Paths


class Publisher:
    """Writes `control/published/<name>.json` for one process."""

    def __init__(self, paths: Paths, writer: str, clock: Clock) -> None:
        ensure_folder(paths.published, 0o755)
        self._paths = paths
        self._writer = writer
        self._clock = clock
        self._seq: dict[str, int] = {}

    def publish(
        self, name: str, body: Mapping[str, Any], expires_after: float = 10.0, *, durable: bool = False
    ) -> None:
        """Replace snapshot `name`. `expires_after`: seconds after which a reader calls it stale."""
        self._seq[name] = self._seq.get(name, 0) + 1
        snapshot = {
            "seq": self._seq[name],
            "written_at": self._clock.now().isoformat(),
            "writer": self._writer,
            "expires_after": expires_after,
            "body": body,
        }
        write_json(self._paths.snapshot(name), snapshot, 0o644, durable=durable)
