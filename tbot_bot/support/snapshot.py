"""Published snapshots: facts for the web, each file owned by one process and dated, so that a reader sees its age."""

import json
from collections.abc import Mapping
from typing import Any

from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.logs import hide_known
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
        # A broker's error text may repeat what we sent it; the web and its users are to see none of that.
        text = _dump(snapshot)
        if hide_known(text) != text:
            text = _dump(_hidden(snapshot))
        write_bytes(self._paths.snapshot(name), text.encode() + b"\n", 0o644, durable=durable)


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _hidden(value: Any) -> Any:
    """`value` with known secrets replaced in its texts alone: an account number may look like any other number."""
    if isinstance(value, Mapping):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item) for item in value]
    return hide_known(value) if isinstance(value, str) else value
