"""A real provisioning runner as a child process, on a root of its own that is provisioned and has one admin."""

import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tbot_bot.domain.session import BotState
from tbot_bot.interface.requests import Courier, Reply
from tbot_bot.interface.state import current_state
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import ROOT_VARIABLE, Paths
from tools.child import Process, end, start_python

T = TypeVar("T")

ADMIN = "campaign-admin"
ADDRESS = "192.0.2.7"


class RunnerProcess:
    """`start`, then `provision`; `token` is the admin's login."""

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        """`variables`: more of the runner's environment."""
        self.paths = Paths((folder / "root").resolve())
        self.terminal = folder / "runner.txt"
        self.clock = SystemClock()
        self.courier = Courier(self.paths, self.clock)
        self.token = ""
        self._variables = dict(variables or {})
        self._process: Process | None = None

    def start(self) -> None:
        variables = {**self._variables, ROOT_VARIABLE: str(self.paths.root)}
        self._process = start_python(["-m", "tbot_bot.runtime.provisioning"], self.terminal, variables)
        wait_for("the runner's public key", self.paths.runner_public_key.exists)

    def provision(self, values: Mapping[str, str] | None = None) -> None:
        """First setup with `values` over the defaults, and the first admin. Raises TimeoutError."""
        wait_for("the first setup", lambda: self.ask("provision", {"values": dict(values or {})}).ok)
        wait_for("the idle state", lambda: current_state(self.paths) is BotState.IDLE)
        person = {"username": ADMIN, "password": secrets.token_urlsafe(20), "email": "admin@example.org"}
        reply = wait_for("the registration", lambda: self._ok("register", person))
        self.token = str(reply.body["token"])

    def ask(self, kind: str, body: Mapping[str, object] | None = None, timeout: float = 20.0) -> Reply:
        return self.courier.ask(kind, body or {}, token=self.token or None, ip=ADDRESS, timeout=timeout)

    def _ok(self, kind: str, body: Mapping[str, object]) -> Reply | None:
        reply = self.ask(kind, body)
        return reply if reply.ok else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def end(self) -> None:
        if self._process is not None:
            end(self._process)


def wait_for(what: str, ask: Callable[[], T | None], seconds: float = 30.0) -> T:
    """The first truthy answer. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.02)
    raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
