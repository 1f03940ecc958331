"""kill -9 of the real runner process in the middle of provisioning: a restart finishes it or takes it back, whole."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tbot_bot.config.build_check import check
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.session import BotState
from tbot_bot.interface.published import Published
from tbot_bot.interface.requests import Courier
from tbot_bot.interface.state import current_state
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent

CHILD = """
import os, signal, sys, threading
from pathlib import Path
from tbot_bot.config.build_check import check
from tbot_bot.config.provisioning_runner import ProvisioningRunner
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.snapshot import Publisher

paths, fatal, clock = Paths(Path(sys.argv[1])), int(sys.argv[2]), SystemClock()
calls = 0

def counted(real):
    def call(*args, **kwargs):
        global calls
        if (paths.runner_private / "provisioning.json").exists():
            calls += 1
            if calls == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

os.fsync, os.rename, os.unlink, os.symlink = map(counted, (os.fsync, os.rename, os.unlink, os.symlink))
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
runner = ProvisioningRunner(
    paths, clock, create_ledger=lambda: write_bytes(paths.ledger_db, b"ledger"), audit=AuditWriter(paths, clock),
    publisher=Publisher(paths, "runner", clock), build_check=lambda: check(paths), bcrypt_cost=4,
)
runner.run(stop, SdNotify())
print(calls)
"""


@contextmanager
def _runner(root: Path, fatal: int) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(root), str(fatal)], env=environment, stdout=-1)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
        child.communicate(timeout=20)


def _until(true: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _ready(paths: Paths, child: "subprocess.Popen[bytes]") -> None:
    """The runner answers."""
    courier = Courier(paths, SystemClock())
    _until(lambda: child.poll() is not None or courier.ask("validate", {}, token=None, ip="t", timeout=0.5).ok)


def _provision(paths: Paths) -> None:
    reply = Courier(paths, SystemClock()).ask("provision", {"values": {}}, token=None, ip="t", timeout=5)
    assert reply.ok or reply.code == "runner_silent", reply


@pytest.mark.slow
@pytest.mark.parametrize("fatal", [1, 4, 17, 30, 40, 46, 50, 54, 58, 64, 70, 76, 80])
def test_a_killed_provisioning_is_finished_or_taken_back(tmp_path: Path, fatal: int) -> None:
    paths = Paths(tmp_path)
    with _runner(tmp_path, fatal) as child:
        _ready(paths, child)
        _provision(paths)
        child.wait(timeout=20)
        assert child.returncode == -signal.SIGKILL

    with _runner(tmp_path, 0) as child:
        _ready(paths, child)
        state = current_state(paths)
        assert state in {BotState.IDLE, BotState.INITIALIZE}
        snapshot = Published(paths, SystemClock()).read("provisioning")
        assert snapshot is not None
        assert snapshot.body["state"] == ("done" if state is BotState.IDLE else "failed")
        if state is BotState.INITIALIZE:
            assert not paths.current_generation.is_symlink()
            assert not paths.users_db.exists()
            assert list(paths.generations.glob("*")) == []
            _provision(paths)
            _until(lambda: current_state(paths) is BotState.IDLE)
        _until(lambda: not (paths.runner_private / "provisioning.json").exists())

    assert open_secrets(paths).bot_id
    assert check(paths) == ()
    assert verify(paths).problem is None
    events = [json.loads(line)["event"] for line in paths.audit_log.read_text().splitlines()]
    assert "provisioned" in events
