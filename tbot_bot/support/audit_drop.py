"""Audit events of processes that may not write the audit log: dropped as files, picked up by the runner."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.logs import redact_tree
from tbot_bot.support.path_resolver import Paths

DROP_SUFFIX = ".event"


class AuditDrop:
    """An AuditLog whose records reach the log through `storage/audit/inbox/`, in order of time."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        self._inbox = paths.audit_inbox
        self._clock = clock

    def record(self, event: str, actor: str, detail: Mapping[str, Any]) -> None:
        """Durable when it returns. Raises AuditUnavailable when it cannot be written."""
        now = self._clock.now()
        row = {"event": event, "actor": actor, "at": now.isoformat(), "detail": dict(detail)}
        name = f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(6)}{DROP_SUFFIX}"
        try:
            ensure_folder(self._inbox, 0o770)
            write_bytes(self._inbox / name, json.dumps(redact_tree(row)).encode(), 0o640)
        except OSError as error:
            raise AuditUnavailable(f"the event {event} could not be recorded: {error.strerror}") from error
