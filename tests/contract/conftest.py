"""Counterparts: a running venue for each broker, that the one suite of contract tests asks the same of.

Each test trades in an account of its own. The venue is a process, so that a test can kill it."""

import itertools
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tbot_bot.broker.brokers.broker_alpaca import AlpacaBroker, AlpacaOptions
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.market import Bar, Quote, Symbol
from tbot_bot.domain.orders import OrderReport
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.ports.broker import StreamHandlers
from tbot_bot.support.clock import FollowedClock

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SPEED = 60
_RUN = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from tbot_bot.paper.server import serve
from tbot_bot.paper.settings import VenueSettings
state, port, admin, speed = sys.argv[1:]
settings = VenueSettings(
    state_dir=Path(state), port=int(port), admin_port=int(admin), symbols=120, speed=Decimal(speed), hold=True
)
asyncio.run(serve(settings))
"""


def eventually(ask: Callable[[], Any], within: float = 10.0, what: str = "it") -> Any:
    """The first truthy answer of `ask`."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    pytest.fail(f"{what} did not happen within {within} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PaperVenue:
    """The paper venue as Alpaca's counterpart. `names` are liquid symbols that trade."""

    def __init__(self, state: Path, speed: int) -> None:
        self._state = state
        self._speed = speed
        self._ports = _free_port(), _free_port()
        self._accounts = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._open: list[AlpacaBroker] = []
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    def start(self) -> None:
        arguments = [str(self._state), *map(str, self._ports), str(self._speed)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _RUN, *arguments], cwd=REPOSITORY, stdout=subprocess.DEVNULL
        )
        eventually(self._healthy, 30, "the venue's start")

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(5)

    def close(self) -> None:
        for broker in self._open:
            broker.close()
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        base = f"http://127.0.0.1:{self._ports[1]}"
        with requests.Session() as session:
            answer = session.request(method, base + path, json=body, timeout=5)
            assert answer.status_code == 200, answer.text
            return answer.json()

    def run_from(self, moment: datetime) -> None:
        self.admin("POST", "/clock/skip_to", {"time": moment.isoformat()})
        self.admin("POST", "/clock/run")

    def fault(self, **what: Any) -> None:
        self.admin("POST", "/faults", what)

    def broker(self, key: str = "", secret: str = "secret-of-the-test") -> AlpacaBroker:
        """An adapter for a new account, or for the account of `key`."""
        credentials = BrokerCredentials(
            BrokerName.PAPER,
            broker_url=self.url,
            broker_api_key=key or f"TEST{next(self._accounts)}",
            broker_secret_key=secret,
        )
        clock = FollowedClock()
        clock.sample(datetime(2026, 1, 5, tzinfo=UTC), float(self._speed))
        made = AlpacaBroker(credentials, AlpacaOptions(5.0, 3, 1000), clock, BrokerLinks())
        now = made.get_clock() if not key else None
        if now is not None:
            clock.sample(now.now, float(now.speed))
        self._open.append(made)
        return made

    def _healthy(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the venue ended"
        try:
            return bool(self.admin("GET", "/health"))
        except requests.ConnectionError:
            return False


class Heard:
    """Stream handlers that keep what they hear."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.bars: list[Bar] = []
        self.quotes: list[Quote] = []
        self.orders: list[OrderReport] = []
        self.states: list[tuple[str, bool, str]] = []

    def handlers(self) -> StreamHandlers:
        return StreamHandlers(self.bars.append, self.quotes.append, self.orders.append, self._state)

    def up(self, name: str) -> int:
        with self._lock:
            return sum(each[0] == name and each[1] for each in self.states)

    def down(self, name: str) -> int:
        with self._lock:
            return sum(each[0] == name and not each[1] for each in self.states)

    def _state(self, name: str, connected: bool, words: str) -> None:
        with self._lock:
            self.states.append((name, connected, words))


@pytest.fixture(scope="session", params=["alpaca"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaperVenue]:
    assert request.param == "alpaca"
    venue = PaperVenue(tmp_path_factory.mktemp("venue"), SPEED)
    venue.run_from(datetime(2026, 1, 5, 15, 0, tzinfo=UTC))
    yield venue
    venue.close()


@pytest.fixture
def venue(running: PaperVenue) -> Iterator[PaperVenue]:
    yield running
    running.admin("DELETE", "/faults")


@pytest.fixture
def own_venue(tmp_path: Path) -> Iterator[PaperVenue]:
    """A venue that the test may kill."""
    made = PaperVenue(tmp_path / "venue", SPEED)
    made.run_from(datetime(2026, 1, 5, 15, 0, tzinfo=UTC))
    yield made
    made.close()


@pytest.fixture
def broker(venue: PaperVenue) -> Iterator[AlpacaBroker]:
    made = venue.broker()
    yield made
    made.close()


@pytest.fixture(scope="session")
def names(running: PaperVenue) -> tuple[Symbol, ...]:
    """Symbols that trade, in fractions too, and have a two-sided quote between $10 and $60."""
    broker = running.broker()
    eligible = [a.symbol for a in broker.get_assets() if a.tradable and a.fractionable and a.exchange == "NASDAQ"]
    quotes = [q for q in broker.quotes(eligible) if q.spread is not None and 10 < q.bid < 60]
    assert len(quotes) >= 5
    return tuple(q.symbol for q in quotes)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def wait() -> Callable[..., Any]:
    return eventually
