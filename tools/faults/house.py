"""A runner of tbot over one root, in this very process and asked by hand: what the faults are done to.

The start is the runner's own, with all its recovery. Requests go to its desk directly, on this thread, so that the
same system calls come in the same order each time."""

import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tbot_bot.config.provisioning_runner import ProvisioningRunner
from tbot_bot.interface.published import Published
from tbot_bot.runtime.provisioning import build_runner
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.envelope import Reply, Request
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.sealing import new_private_key, public_bytes

ADDRESS = "192.0.2.7"
CHEAP_BCRYPT = 4


class House:
    """`start`, then `ask`. `done` tells whoever watches that an act was answered, with what.

    `notes`: what an admin knows and keeps: the login's token, the recovery key."""

    def __init__(self, root: Path, say: Callable[[Any], None] = lambda _: None) -> None:
        self.paths = Paths(root)
        self.clock = SystemClock()
        self.notes: dict[str, str] = {}
        self.say = say
        self._runner: ProvisioningRunner | None = None
        self._reply_to = public_bytes(new_private_key())

    def start(self) -> None:
        """What the runner does between its start and its first request."""
        self._runner = build_runner(self.paths, CHEAP_BCRYPT)
        stop = threading.Event()
        stop.set()
        self._runner.run(stop, SdNotify())

    def ask(self, kind: str, body: Mapping[str, Any] | None = None, token: str | None = None) -> Reply:
        """The desk's answer, and all that is done after it."""
        assert self._runner is not None
        who = self.notes.get("token", "") if token is None else token
        now = self.clock.now()
        request = Request(kind, secrets.token_hex(16), now, ADDRESS, self._reply_to, who or None, dict(body or {}))
        outcome = self._runner.desk.handle(request)
        if outcome.then is not None:
            outcome.then()
        return outcome.reply

    def published(self, name: str, since: datetime | None = None) -> dict[str, Any]:
        """The body of a snapshot, as the web reads it; empty when there is none, or none written `since` then."""
        snapshot = Published(self.paths, self.clock).read(name)
        stale = snapshot is None or (since is not None and snapshot.written_at < since)
        return {} if snapshot is None or stale else dict(snapshot.body)

    def done(self, *, ok: bool | None, **facts: Any) -> None:
        """One act is over. `ok` None: the asker cannot see whether it was done. `facts`: `token` of a login begun,
        `secret` that must be found nowhere."""
        self.say({"ok": ok, **facts})
