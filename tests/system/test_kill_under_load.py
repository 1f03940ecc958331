"""Hundreds of connections that trickle, and a flood of logins: Kill still gets through, and the admin's work too."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tbot_bot.support.path_resolver import ROOT_VARIABLE
from tools.child import Process, end, start_python
from tools.foreground import free_port
from tools.page_client import Browser
from tools.patience import calmly
from tools.runner_process import RunnerProcess, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TRICKLING = 300
GUESSERS = 12
HTTP_GUESSERS = 40
KILL_SECONDS = 2


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[RunnerProcess]:
    made = RunnerProcess(tmp_path)
    made.start()
    made.provision()
    yield made
    made.end()


@pytest.fixture
def web(runner: RunnerProcess, tmp_path: Path) -> Iterator[int]:
    port = free_port()
    variables = {ROOT_VARIABLE: str(runner.paths.root), "TBOT_WEB_PORT": str(port)}
    process: Process = start_python(["-m", "tbot_web.serve"], tmp_path / "web.txt", variables)
    browser = Browser(f"http://127.0.0.1:{port}")
    wait_for("the web", lambda: calmly(lambda: browser.open("/health").status, 0) == 200)
    yield port
    end(process)


class Trickle:
    """Connections that send one byte of a request now and then and never end it; a dropped one is opened anew."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._sockets = [self._open() for _ in range(count)]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _open(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), 5)
        made.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        return made

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            for place, each in enumerate(self._sockets):
                try:
                    each.sendall(b"a")
                except OSError:
                    each.close()
                    with contextlib.suppress(OSError):
                        self._sockets[place] = self._open()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        for each in self._sockets:
            each.close()


def logged_in(port: int, runner: RunnerProcess) -> Browser:
    browser = Browser(f"http://127.0.0.1:{port}")
    browser.take_cookie("tbot_session", runner.token)
    return browser


def test_kill_gets_through_three_hundred_trickling_connections(runner: RunnerProcess, web: int) -> None:
    attackers = Trickle(web, TRICKLING)
    try:
        time.sleep(2)
        with logged_in(web, runner) as browser:
            page = browser.open("/kill")
            answer = browser.send(page, page.form("/kill"), {})
    finally:
        attackers.end()
    assert answer.status == 200
    assert runner.paths.kill_flag.exists()


def test_a_flood_of_logins_delays_neither_kill_nor_the_admins_work(runner: RunnerProcess, web: int) -> None:
    """The logins queue at the runner, four a second at the most; what the admin asks meanwhile has lines of its own."""
    stop = threading.Event()

    def guess() -> None:
        body = {"username": "nobody-here", "password": "wrong words, every time", "device": ""}
        while not stop.is_set():
            runner.courier.ask("login", body, token=None, ip="203.0.113.9", timeout=0.2)

    guessers = [threading.Thread(target=guess) for _ in range(GUESSERS)]
    for each in guessers:
        each.start()
    try:
        time.sleep(2)
        work = [runner.ask(kind, {}, timeout=10).code for kind in ("validate", "account", "audit_search", "keys")]
        with logged_in(web, runner) as browser:
            page = browser.open("/kill")
            answer = browser.send(page, page.form("/kill"), {})
    finally:
        stop.set()
        for each in guessers:
            each.join()
    assert work == ["ok"] * 4
    assert answer.status == 200
    assert runner.paths.kill_flag.exists()


def test_a_flood_of_logins_through_the_page_leaves_threads_for_kill(runner: RunnerProcess, web: int) -> None:
    """More logins at once than the web has threads, each of which the runner takes a quarter of a second to refuse."""
    stop = threading.Event()

    def guess() -> None:
        with Browser(f"http://127.0.0.1:{web}") as browser:
            page = browser.open("/login")
            while not stop.is_set():
                typed = {"username": "nobody-here", "password": "wrong words, every time"}
                browser.send(page, page.form("/login"), typed)

    guessers = [threading.Thread(target=guess) for _ in range(HTTP_GUESSERS)]
    with logged_in(web, runner) as browser:
        page = browser.open("/kill")
        for each in guessers:
            each.start()
        try:
            time.sleep(3)
            began = time.monotonic()
            answer = browser.send(page, page.form("/kill"), {})
            took = time.monotonic() - began
        finally:
            stop.set()
            for each in guessers:
                each.join()
    assert answer.status == 200
    assert runner.paths.kill_flag.exists()
    assert took < KILL_SECONDS
