"""The web process: its settings, and a clean end."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tbot_bot.interface import SdNotify
from tbot_web.serve import Pulse, listen_from, passed_socket


def test_it_listens_on_8080_for_loopback_names_alone_by_default():
    listen = listen_from({})
    assert (listen.port, listen.hosts) == (8080, ())


def test_a_proxys_names_are_taken_from_the_environment():
    assert listen_from({"TBOT_WEB_HOSTS": "Bot.example, b.example"}).hosts == ("bot.example", "b.example")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "eighty", "٨٠", ""])
def test_a_bad_port_is_refused_with_what_to_do(port):
    with pytest.raises(ValueError, match="give a port from 1 to 65535"):
        listen_from({"TBOT_WEB_PORT": port})


def test_without_systemd_no_socket_is_passed():
    assert passed_socket({}, 7) is None
    assert passed_socket({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, 7) is None


def test_two_passed_sockets_are_refused():
    with pytest.raises(ValueError, match="one ListenStream"):
        passed_socket({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, 7)


def test_each_turn_of_the_servers_loop_feeds_the_watchdog(tmp_path, monkeypatch):
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        pulse = Pulse(SdNotify())

        assert not pulse.readable()
        assert not pulse.writable()
        assert systemd.recv(100) == b"WATCHDOG=1"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url, process):
    for _ in range(200):
        assert process.poll() is None
        try:
            return urllib.request.urlopen(url, timeout=1).read()
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the web process did not answer")


@pytest.mark.slow
def test_it_answers_on_loopback_and_ends_cleanly_on_sigterm(tmp_path):
    port = free_port()
    environment = {**os.environ, "TBOT_ROOT": str(tmp_path), "TBOT_WEB_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "tbot_web.serve"], env=environment, stderr=subprocess.PIPE)
    try:
        assert wait_for(f"http://127.0.0.1:{port}/health", process) == b"ok\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
