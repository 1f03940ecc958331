"""A scripted HTTP server on loopback: the real client library talks to it, and the test says what it answers."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tbot_bot.broker.brokers.broker_alpaca import AlpacaBroker, AlpacaOptions
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.support.clock import ManualClock


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    delay: float = 0.0
    raw: str | None = None


@dataclass
class Asked:
    method: str
    path: str
    body: Any
    headers: dict[str, str]


class Script:
    """Answers in order, the last one repeated; `asked` holds what came."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.base = ""
        self._lock = threading.Lock()

    def then(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    def take(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _handler(script: Script, release: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(text) if text else None
            answer = script.take(Asked(self.command, self.path, body, dict(self.headers)))
            release.wait(answer.delay)
            if answer.hang_up:
                self.close_connection = True
                return
            data = (answer.raw if answer.raw is not None else json.dumps(answer.body)).encode()
            if answer.status == 204:
                data = b""
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def script() -> Iterator[Script]:
    made, release = Script(), threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made, release))
    made.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    release.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def broker(script: Script) -> Iterator[AlpacaBroker]:
    made = make_broker(script.base)
    yield made
    made.close()


def make_broker(base: str, *, retries: int = 2, timeout_s: float = 2.0, account: str = "") -> AlpacaBroker:
    credentials = BrokerCredentials(
        BrokerName.PAPER,
        broker_url=base,
        broker_api_key="KEY",
        broker_secret_key="SECRET-VALUE",
        broker_account_number=account,
    )
    clock = ManualClock(datetime(2026, 1, 5, 15, 0, tzinfo=UTC))
    return AlpacaBroker(credentials, AlpacaOptions(timeout_s, retries, 1000), clock, BrokerLinks())


@pytest.fixture
def broker_at() -> Iterator[Callable[..., AlpacaBroker]]:
    made: list[AlpacaBroker] = []

    def make(base: str, **options: Any) -> AlpacaBroker:
        made.append(make_broker(base, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def answer() -> type[Answer]:
    return Answer
