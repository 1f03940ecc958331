"""The courier without a runner, and with one that answers nonsense."""

import threading
import time
from pathlib import Path

import pytest

from tbot_bot.interface.requests import Courier
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.envelope import Reply, decode_request, encode_reply
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sealing import new_private_key, write_public_key

KEY = new_private_key()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    write_public_key(made.runner_public_key, KEY)
    made.replies.mkdir()
    return made


def _ask(paths: Paths, kind: str = "login", timeout: float = 0.05, **body: str) -> Reply:
    return Courier(paths, SystemClock()).ask(kind, body, token=None, ip="::1", timeout=timeout)


def test_without_a_runner_it_says_that_nothing_happened_and_what_is_safe(tmp_path: Path) -> None:
    reply = _ask(Paths(tmp_path))

    assert (reply.ok, reply.code) == (False, "runner_silent")
    assert "nothing was changed" in reply.message
    assert "Kill" in reply.message


def test_a_request_nobody_took_is_withdrawn(paths: Paths) -> None:
    reply = _ask(paths)

    assert reply.code == "runner_silent"
    assert "nothing was changed" in reply.message
    assert list(paths.requests.iterdir()) == []


def test_a_request_that_was_taken_may_still_be_carried_out(paths: Paths) -> None:
    paths.requests.mkdir()
    taken = threading.Event()

    def take() -> None:
        while not taken.is_set():
            for path in paths.requests.glob("*.req"):
                path.unlink()
                taken.set()
            time.sleep(0.001)

    thread = threading.Thread(target=take)
    thread.start()
    reply = _ask(paths, timeout=0.5)
    taken.set()
    thread.join()

    assert reply.code == "runner_silent"
    assert "may still be carried out" in reply.message


def test_the_password_is_nowhere_on_disk_and_the_reply_is_read(paths: Paths) -> None:
    paths.requests.mkdir()
    seen: list[bytes] = []

    def answer() -> None:
        while not seen:
            for path in paths.requests.glob("[0-9a-f]*.req"):
                seen.append(path.read_bytes())
                request = decode_request(seen[0], KEY)
                assert request.body == {"password": "planted-password"}
                data = encode_reply(Reply(ok=True, code="ok", message="", body={"token": "planted-token"}), request)
                (paths.replies / "t").write_bytes(data)
                (paths.replies / "t").rename(paths.replies / f"{request.id}.rep")
            time.sleep(0.001)

    thread = threading.Thread(target=answer)
    thread.start()
    reply = _ask(paths, timeout=5, password="planted-password")
    thread.join()

    assert reply.body == {"token": "planted-token"}
    on_disk = b"".join(path.read_bytes() for path in paths.root.rglob("*") if path.is_file()) + seen[0]
    assert b"planted" not in on_disk


def test_provisioning_also_rings_the_doorbell(paths: Paths) -> None:
    _ask(paths, "provision")

    assert paths.provision_flag.exists()


def test_too_much_for_a_request_is_said_at_once(paths: Paths) -> None:
    assert _ask(paths, x="y" * 70_000).code == "invalid"


def test_an_unwritable_folder_is_said(paths: Paths) -> None:
    paths.requests.write_bytes(b"in the way")

    assert _ask(paths).code == "failed"


def test_a_damaged_reply_is_no_success(paths: Paths) -> None:
    paths.requests.mkdir()
    stop = threading.Event()

    def spoil() -> None:
        while not stop.is_set():
            for path in paths.requests.glob("[0-9a-f]*.req"):
                (paths.replies / f"{path.stem}.rep").write_bytes(b"x" * 100)
            time.sleep(0.001)

    thread = threading.Thread(target=spoil)
    thread.start()
    reply = _ask(paths, timeout=5)
    stop.set()
    thread.join()

    assert (reply.ok, reply.code) == (False, "failed")
