"""A venue on free loopback ports in a thread of its own, and the real Alpaca clients against it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.trading.client import TradingClient

from tbot_bot.paper.face import AlpacaFace, FaceMaker
from tbot_bot.paper.server import PaperServer, serve
from tbot_bot.paper.settings import VenueSettings

KEY, SECRET = "PKTEST", "secret-of-the-test"
HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}


def wait_for(truth: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The first true answer; fails the test when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = truth()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


@dataclass
class RunningVenue:
    server: PaperServer
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}"

    def trading(self, key: str = KEY, secret: str = SECRET) -> TradingClient:
        client = TradingClient(key, secret, url_override=self.url)
        client._retry = 0
        return client

    def data(self) -> StockHistoricalDataClient:
        return StockHistoricalDataClient(KEY, SECRET, url_override=self.url)

    def get(self, path: str, **params: str) -> requests.Response:
        return self.session.get(self.url + path, params=params, headers=HEADERS, timeout=30)

    def admin(self, method: str, path: str, body: object = None) -> requests.Response:
        return self.session.request(method, f"http://127.0.0.1:{self.server.admin_port}{path}", json=body, timeout=30)

    def skip(self, moment: str) -> None:
        """To a UTC moment; a settled venue needs one more step for orders that are then due."""
        answer = self.admin("POST", "/clock/skip_to", {"time": moment})
        assert answer.status_code == 200, answer.text

    def stop(self) -> None:
        self.session.close()
        self.loop.call_soon_threadsafe(self.server.ended.set)
        self.thread.join(15)
        assert not self.thread.is_alive()


def start_venue(settings: VenueSettings, face: FaceMaker = AlpacaFace) -> RunningVenue:
    ready = threading.Event()
    found: list[tuple[PaperServer, asyncio.AbstractEventLoop]] = []
    failure: list[BaseException] = []

    def announce(server: PaperServer) -> None:
        found.append((server, asyncio.get_running_loop()))
        ready.set()

    def run() -> None:
        try:
            asyncio.run(serve(settings, announce, face))
        except Exception as e:
            failure.append(e)
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    if failure:
        raise failure[0]
    return RunningVenue(found[0][0], thread, found[0][1])


@pytest.fixture
def settings(tmp_path: Path) -> VenueSettings:
    """The clock stands still until a test moves it."""
    return VenueSettings(state_dir=tmp_path / "paper", port=0, admin_port=0, symbols=120, hold=True)


@pytest.fixture
def venue(settings: VenueSettings) -> Iterator[RunningVenue]:
    running = start_venue(settings)
    yield running
    running.stop()


@pytest.fixture
def moving_venue(settings: VenueSettings) -> Iterator[RunningVenue]:
    """Sixty market seconds a second."""
    running = start_venue(replace(settings, hold=False, speed=Decimal(60)))
    yield running
    running.stop()
