"""A flood of logins delays neither those who are logged in nor those who are known."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tbot_bot.interface.requests import Reply
from tests.unit.config.conftest import PASSWORD, Rig, step_up

FLOOD = 200
COST = 10
"""High enough that the flood takes seconds: some 50 ms a login."""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.cost = COST
    rig.start()
    rig.provision()
    yield rig
    rig.stop()


class Flood:
    """Logins of strangers, so many at once that their line stays full."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pour)
        self.sent = 0

    def __enter__(self) -> "Flood":
        self._thread.start()
        self._rig.until(lambda: self.sent >= FLOOD)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _pour(self) -> None:
        while not self._stop.is_set():
            body = {"username": f"stranger-{self.sent}", "password": "wrong", "device": ""}
            self._rig.courier.tell("login", body, token=None, ip="198.51.100.9")
            self.sent += 1
            if self.sent > FLOOD:
                time.sleep(0.01)


def timed(rig: Rig, kind: str, body: dict[str, object], token: str | None) -> tuple[Reply, float]:
    began = time.monotonic()
    reply = rig.ask(kind, body, token)
    return reply, time.monotonic() - began


def test_while_strangers_flood_the_login_all_others_are_served(slow: Rig) -> None:
    first = slow.ask("register", {"username": "ada", "password": PASSWORD, "email": ""}).body
    token, device = str(first["token"]), str(first["device"])
    slow.problems = ()
    slow.paths.kill_flag.parent.mkdir(exist_ok=True)

    with Flood(slow):
        slow.paths.kill_flag.write_bytes(b"")
        validated, inline = timed(slow, "validate", {"values": {}}, token)
        started, start = timed(slow, "start", {}, token)
        proved, work = timed(slow, "totp_begin", dict(step_up()), token)
        known, login = timed(slow, "login", {"username": "ada", "password": PASSWORD, "device": device}, None)
        stranger, _ = timed(slow, "login", {"username": "ada", "password": PASSWORD, "device": ""}, None)

    assert validated.ok, validated
    assert started.ok, started
    assert max(inline, start) < 1.0
    assert proved.ok, proved
    assert known.ok, known
    assert max(work, login) < 3.0
    assert stranger.code in {"ok", "busy"}
    assert slow.paths.kill_flag.exists(), "the runner leaves the flags to the bot"
    assert any(row["actor"] == "unknown" for row in slow.events("login_refused")), "the flood was being worked on"


def test_computing_passwords_gives_way_to_everything_else(slow: Rig) -> None:
    slow.register()
    lanes = [thread for thread in threading.enumerate() if thread.name.startswith(("login-requests", "work-requests"))]

    assert lanes
    niceness = {thread.name: os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) for thread in lanes}
    assert set(niceness.values()) == {10}, niceness
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == 0
