"""What containers run besides tbot's own processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from tbot_bot.support.clock import ManualClock, SystemClock
from tbot_bot.support.path_resolver import ROOT_VARIABLE, Paths
from tbot_bot.support.snapshot import Publisher
from tools.containers import folders, health, web
from tools.installer.tmpfiles import Entry


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Paths(tmp_path)


def test_a_process_that_publishes_is_healthy_until_its_word_is_old(paths):
    assert not health.healthy("bot")
    Publisher(paths, "bot", SystemClock()).publish("status", {})
    assert health.healthy("bot")
    Publisher(paths, "bot", ManualClock(datetime.now(UTC) - timedelta(minutes=1))).publish("status", {})
    assert not health.healthy("bot")


def test_a_server_that_answers_with_a_refusal_is_healthy_and_a_silent_port_is_not(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setitem(health.ADDRESSES, "paper", f"http://127.0.0.1:{listener.getsockname()[1]}/v2/clock")
        answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        child = os.fork()
        if child == 0:
            talk, _ = listener.accept()
            talk.recv(4096)
            talk.sendall(answer)
            talk.close()
            os._exit(0)
        assert health.healthy("paper")
        os.waitpid(child, 0)
    assert not health.healthy("paper")


@pytest.mark.root
def test_a_folder_gets_its_owner_and_mode_and_a_link_in_its_place_is_not_followed(tmp_path):
    folders.make(Entry(tmp_path / "a", 0o2770, "root", "daemon"))
    folders.make(Entry(tmp_path / "a", 0o2750, "root", "daemon"))
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o2750
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(NotADirectoryError):
        folders.make(Entry(tmp_path / "b", 0o777, "root", "root"))
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o2750


def test_a_user_that_the_image_lacks_is_named(tmp_path):
    with pytest.raises(LookupError, match="no user tbot-nobody"):
        folders.make(Entry(tmp_path / "a", 0o700, "tbot-nobody", "root"))


def test_the_container_that_waits_ends_when_it_is_stopped():
    process = subprocess.Popen([sys.executable, "-m", "tools.containers.wait"])
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_the_web_process_is_handed_a_listening_socket_under_its_own_number(monkeypatch):
    seen: dict[str, str] = {}

    def stand_in(program: str, words: list[str]) -> None:
        handed = socket.socket(fileno=os.dup(web.FIRST_HANDED))
        seen.update(port=str(handed.getsockname()[1]), program=program, module=words[2])
        seen.update(fds=os.environ["LISTEN_FDS"], pid=os.environ["LISTEN_PID"])
        handed.close()

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setattr(web, "PORT", port)
    monkeypatch.setattr(web, "FIRST_HANDED", 200)
    monkeypatch.setenv("LISTEN_FDS", "")
    monkeypatch.setenv("LISTEN_PID", "")
    monkeypatch.setattr(os, "execv", stand_in)
    web.main()
    os.close(200)
    assert seen == {
        "port": str(port),
        "program": sys.executable,
        "module": "tbot_web.serve",
        "fds": "1",
        "pid": str(os.getpid()),
    }
