"""A real runner over a temporary root with a real ledger, and what makes backups of it."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.backup.maker import Made, make_backup
from tbot_bot.backup.recovery import backup_keys
from tbot_bot.domain.session import BotState
from tbot_bot.interface.published import Published
from tbot_bot.interface.requests import Courier, Reply
from tbot_bot.interface.state import current_state
from tbot_bot.runtime.provisioning import build_runner, open_audit
from tbot_bot.support.atomic_file import LineLog, ensure_folder, write_bytes
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sd_notify import SdNotify

PASSWORD = "a battery of horses"
STEP_UP = {"password": PASSWORD, "code": ""}
DAY = date(2026, 11, 24)
CHEAP = 4


class Rig:
    """One installation; `start` and `stop` may be repeated, as a restart."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root=root)
        self.clock = SystemClock()
        self.token = ""
        self.identity = ""
        self._thread: threading.Thread | None = None
        self._crash: list[BaseException] = []

    def start(self) -> "Rig":
        self._stop = threading.Event()
        self.paths.runner_public_key.unlink(missing_ok=True)
        self._audit = open_audit(self.paths)
        self._runner = runner = build_runner(self.paths, CHEAP, self._audit)

        def run() -> None:
            try:
                runner.run(self._stop, SdNotify())
            except BaseException as error:
                self._crash.append(error)

        self._thread = threading.Thread(target=run)
        self._thread.start()
        self.until(self.paths.runner_public_key.exists)
        return self

    def stop(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._runner.wake()
            self._thread.join()
            self._audit.close()
            self._thread = None
        if self._crash:
            raise self._crash[0]

    def ask(self, kind: str, token: str | None = None, **body: Any) -> Reply:
        courier = Courier(self.paths, self.clock)
        return courier.ask(kind, body, token=token or self.token or None, ip="192.0.2.7", timeout=20)

    def set_up(self) -> None:
        """Provisioned, with one user, a ledger with an opening balance, and some records."""
        assert self.ask("provision", values={"BROKER_SECRET_KEY": "canary-of-the-broker"}).ok
        self.until(lambda: current_state(self.paths) is BotState.IDLE)
        self.until(lambda: self.published("provisioning")["state"] == "done")
        reply = self.ask("register", username="ada", password=PASSWORD, email="ada@example.com")
        assert reply.ok, reply
        self.token = str(reply.body["token"])
        self.book("PA1")
        self.note({"kind": "day"})
        ensure_folder(self.paths.session_folder(DAY))
        write_bytes(self.paths.session_folder(DAY) / "summary.json", b'{"pnl":"1.00"}\n')

    def book(self, account: str) -> None:
        store = LedgerStore(self.paths.ledger_db)
        try:
            assert store.book_opening(account, Decimal(1000), datetime(2026, 11, 24, tzinfo=UTC))
        finally:
            store.close()

    def note(self, row: dict[str, Any]) -> None:
        log = LineLog(self.paths.journal(DAY))
        log.append(row)
        log.close()

    def make_key(self) -> str:
        """A confirmed recovery key; returns the identity."""
        begun = self.ask("recovery_begin", step_up=STEP_UP)
        assert begun.ok, begun
        self.identity = str(begun.body["identity"])
        confirmed = self.ask("recovery_confirm", last_group=self.identity[-4:])
        assert confirmed.ok, confirmed
        return self.identity

    def back_up(self) -> Made:
        keys = backup_keys(self.paths)
        assert keys is not None
        return make_backup(self.paths, self.clock, keys)

    def restore(self, name: str, *parts: str, identity: str = "") -> Reply:
        seen = self.ask("restore_preview", backup=name, identity=identity or self.identity, step_up=STEP_UP)
        assert seen.ok, seen
        return self.ask("restore", preview=seen.body["preview"], parts=list(parts), step_up=STEP_UP)

    def log_in(self, password: str = PASSWORD) -> Reply:
        reply = self.ask("login", username="ada", password=password, device="")
        if reply.ok:
            self.token = str(reply.body["token"])
        return reply

    def published(self, name: str) -> dict[str, Any]:
        snapshot = Published(self.paths, self.clock).read(name)
        return {} if snapshot is None else dict(snapshot.body)

    @staticmethod
    def until(true: Callable[[], object], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "root").start()
    yield rig
    rig.stop()


@pytest.fixture
def rig(bare: Rig) -> Rig:
    """A bot that is set up, with a recovery key."""
    bare.set_up()
    bare.make_key()
    return bare
