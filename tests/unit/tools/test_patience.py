"""The demo's driver presses again where a person would, and gives up where a person would."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tools.page_client import Browser
from tools.patience import DemoFailed, calmly, press, until

FORM = b'<form action="/start" method="post"><input name="token" value="t"></form>'


class Pages(BaseHTTPRequestHandler):
    """One form; POST answers with the next status of `answers`."""

    answers: list[int] = []
    posts: list[bytes] = []

    def do_GET(self) -> None:
        self._send(200, FORM)

    def do_POST(self) -> None:
        type(self).posts.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(type(self).answers.pop(0), b"some words")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def browser() -> Iterator[Browser]:
    Pages.posts = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with Browser(f"http://127.0.0.1:{server.server_address[1]}") as made:
        yield made
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_silent_runner_is_asked_again(browser: Browser) -> None:
    Pages.answers = [503, 409, 200]

    page = press(browser, "/", "/start", {"name": "ada"}, lambda: False)

    assert page is not None
    assert page.status == 200
    assert Pages.posts == [b"token=t&name=ada"] * 3


def test_what_is_done_already_is_not_pressed_again(browser: Browser) -> None:
    Pages.answers = [503, 200]

    assert press(browser, "/", "/start", {}, lambda: len(Pages.posts) == 1) is None
    assert len(Pages.posts) == 1


def test_a_refusal_for_good_ends_it_with_the_pages_words(browser: Browser) -> None:
    Pages.answers = [422]

    with pytest.raises(DemoFailed, match="some words"):
        press(browser, "/", "/start", {}, lambda: False)


def test_waiting_ends(browser: Browser) -> None:
    with pytest.raises(DemoFailed, match=r"the moon did not happen within 0 s"):
        until("the moon", 0.05, lambda: None)


def test_a_dead_web_is_no_answer_but_no_failure_either() -> None:
    def dead() -> int:
        raise requests.ConnectionError

    assert calmly(dead, 7) == 7
