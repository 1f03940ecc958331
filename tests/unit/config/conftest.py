"""A real runner in a thread over a temporary root, and a real courier to talk to it through files."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
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
from tbot_bot.support.envelope import Request
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.snapshot import Publisher

PASSWORD = "a battery of horses"
ADDRESS = "192.0.2.7"
CHEAP = 4
"""A bcrypt cost for tests; production uses 12."""


class AheadClock(SystemClock):
    """The machine's clock, as far ahead as a test needs it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead

    def advance(self, **by: float) -> None:
        self.ahead += timedelta(**by)


class Pulse(SdNotify):
    """Counts the beats and keeps what else is said."""

    def __init__(self) -> None:
        super().__init__(environment={})
        self.beats = 0
        self.said: list[str] = []

    def beat(self) -> None:
        self.beats += 1
        super().beat()

    def _send(self, text: str) -> None:
        self.said.append(text)


class Rig:
    """One runner; `start` and `stop` may be repeated, as a restart."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root=root)
        self.clock = AheadClock()
        self.courier = Courier(self.paths, self.clock)
        self.published = Published(self.paths, self.clock)
        self.problems: tuple[str, ...] | None = None
        self.ledger_fails: Callable[[], None] | None = None
        self.more: Sequence[Callable[[Tools, Access], Kinds]] = (
            lambda tools, _: AuditDesk(AuditTrail(self.paths), tools.audit).kinds(),
        )
        self.token = ""
        self.cost = CHEAP
        self.pulse = Pulse()
        self._thread: threading.Thread | None = None
        self._crash: list[BaseException] = []

    def start(self) -> None:
        self._stop = threading.Event()
        self._audit = AuditWriter(self.paths, self.clock)
        self.runner = runner = ProvisioningRunner(
            self.paths,
            self.clock,
            create_ledger=self._create_ledger,
            audit=self._audit,
            publisher=Publisher(self.paths, "runner", self.clock),
            build_check=lambda: check(self.paths) if self.problems is None else self.problems,
            bcrypt_cost=self.cost,
            more=self.more,
        )

        def run() -> None:
            try:
                runner.run(self._stop, self.pulse)
            except BaseException as error:
                self._crash.append(error)

        self._thread = threading.Thread(target=run)
        self._thread.start()
        self.until(self.paths.runner_public_key.exists)

    def stop(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self.runner.wake()
            self._thread.join()
            self._audit.close()
            self._thread = None
        if self._crash:
            raise self._crash[0]

    def ask(self, kind: str, body: dict[str, Any] | None = None, token: str | None = None) -> Reply:
        if self.clock.ahead:
            # Files would be as old as the clock is ahead, and be swept away: brought by hand instead.
            return self._by_hand(kind, body or {}, token)
        return self.courier.ask(kind, body or {}, token=token, ip=ADDRESS, timeout=10)

    def _by_hand(self, kind: str, body: dict[str, Any], token: str | None) -> Reply:
        request = Request(kind, uuid.uuid4().hex, self.clock.now(), ADDRESS, b"", token, body)
        outcome = self.runner.desk.handle(request)
        if outcome.then is not None:
            outcome.then()
        return outcome.reply

    def provision(self, values: dict[str, str] | None = None) -> None:
        assert self.ask("provision", {"values": values or {}}).ok
        self.until(lambda: current_state(self.paths) is BotState.IDLE)
        self.until(lambda: self.progress()["state"] == "done")

    def save(self, admin: str, values: dict[str, str]) -> None:
        """Later settings, confirmed as far as they need it."""
        assert self.ask("provision", {"values": values, **step_up()}, admin).ok
        self.until(lambda: self.progress()["state"] == "done")

    def register(self, username: str = "ada") -> str:
        reply = self.ask("register", {"username": username, "password": PASSWORD, "email": "ada@example.com"})
        assert reply.ok, reply
        return str(reply.body["token"])

    def log_in(self, username: str = "ada", device: str = "", password: str = PASSWORD) -> Reply:
        return self.ask("login", {"username": username, "password": password, "device": device})

    def add_user(self, admin: str, username: str, role: str) -> str:
        """A user of that role; their login's token. The password is everyone's."""
        person = {"username": username, "email": "", "role": role, "new_password": PASSWORD}
        reply = self.ask("user_add", {**person, **step_up()}, admin)
        assert reply.ok, reply
        return str(self.log_in(username).body["token"])

    def enrol(self, token: str) -> tuple[str, list[str], str]:
        """The secret, the recovery codes, and the new token."""
        begun = self.ask("totp_begin", step_up(), token)
        assert begun.ok, begun
        secret = str(begun.body["secret"])
        reply = self.ask("totp_confirm", {"code": self.code(secret)}, token)
        assert reply.ok, reply
        return secret, reply.body["recovery_codes"], str(reply.body["token"])

    def code(self, secret: str) -> str:
        """The next code that was not used: half a minute passes first."""
        self.clock.advance(seconds=30)
        return pyotp.TOTP(secret).at(self.clock.now())

    def events(self, name: str) -> list[dict[str, Any]]:
        """Actor, time and detail of each record of this event."""
        rows = [json.loads(line) for line in self.audit_text().splitlines()]
        return [{**row["detail"], "actor": row["actor"], "at": row["at"]} for row in rows if row["event"] == name]

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

    def _create_ledger(self) -> None:
        if self.ledger_fails is not None:
            self.ledger_fails()
        write_bytes(self.paths.ledger_db, b"ledger")


def step_up(code: str = "") -> dict[str, dict[str, str]]:
    """What a person types to confirm a request."""
    return {"step_up": {"password": PASSWORD, "code": code}}


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
