"""A real runner in a thread over a temporary root, and a real courier to talk to it through files."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.config.access import Access
from tbot_bot.config.audit_desk import AuditDesk
from tbot_bot.config.build_check import check
from tbot_bot.config.desk_kind import Kinds
from tbot_bot.config.provisioning_helper import Tools
from tbot_bot.config.provisioning_runner import ProvisioningRunner
from tbot_bot.domain.session import BotState
from tbot_bot.interface.published import Published
from tbot_bot.interface.requests import Courier, Reply
from tbot_bot.interface.state import current_state
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_trail import AuditTrail
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher

PASSWORD = "a battery of horses"
CHEAP = 4
"""A bcrypt cost for tests; production uses 12."""


class Rig:
    """One runner; `start` and `stop` may be repeated, as a restart."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root=root)
        self.clock = SystemClock()
        self.courier = Courier(self.paths, self.clock)
        self.published = Published(self.paths, self.clock)
        self.problems: tuple[str, ...] | None = None
        self.ledger_fails: Callable[[], None] | None = None
        self.more: Sequence[Callable[[Tools, Access], Kinds]] = (
            lambda tools, _: AuditDesk(AuditTrail(self.paths), tools.audit).kinds(),
        )
        self.token = ""
        self.beats = 0
        self._thread: threading.Thread | None = None
        self._crash: list[BaseException] = []

    def start(self) -> None:
        self._stop = threading.Event()
        self._audit = AuditWriter(self.paths, self.clock)
        runner = ProvisioningRunner(
            self.paths,
            self.clock,
            create_ledger=self._create_ledger,
            audit=self._audit,
            publisher=Publisher(self.paths, "runner", self.clock),
            build_check=lambda: check(self.paths) if self.problems is None else self.problems,
            bcrypt_cost=CHEAP,
            more=self.more,
        )

        def run() -> None:
            try:
                runner.run(self._stop, self._beat)
            except BaseException as error:
                self._crash.append(error)

        self._thread = threading.Thread(target=run)
        self._thread.start()
        self.until(self.paths.runner_public_key.exists)

    def stop(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._audit.close()
            self._thread = None
        if self._crash:
            raise self._crash[0]

    def ask(self, kind: str, body: dict[str, Any] | None = None, token: str | None = None) -> Reply:
        return self.courier.ask(kind, body or {}, token=token, ip="192.0.2.7", timeout=10)

    def provision(self, values: dict[str, str] | None = None) -> None:
        assert self.ask("provision", {"values": values or {}}).ok
        self.until(lambda: current_state(self.paths) is BotState.IDLE)
        self.until(lambda: self.progress()["state"] == "done")

    def register(self, username: str = "ada") -> str:
        reply = self.ask("register", {"username": username, "password": PASSWORD, "email": "ada@example.com"})
        assert reply.ok, reply
        return str(reply.body["token"])

    def progress(self) -> dict[str, Any]:
        snapshot = self.published.read("provisioning")
        assert snapshot is not None
        return snapshot.body

    def audit_text(self) -> str:
        return self.paths.audit_log.read_text()

    @staticmethod
    def until(true: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    def _beat(self) -> None:
        self.beats += 1

    def _create_ledger(self) -> None:
        if self.ledger_fails is not None:
            self.ledger_fails()
        write_bytes(self.paths.ledger_db, b"ledger")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def ready(rig: Rig) -> Rig:
    """A runner whose first provisioning is done."""
    rig.provision()
    return rig
