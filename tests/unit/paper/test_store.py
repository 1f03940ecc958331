"""What a kill leaves behind: whole processes, killed without warning."""

import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from alpaca.trading.client import TradingClient

from tests.unit.paper.conftest import HEADERS, KEY, SECRET, wait_for

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from tbot_bot.paper.server import serve
from tbot_bot.paper.settings import VenueSettings
settings = VenueSettings(state_dir=Path(sys.argv[1]), port=0, admin_port=0, symbols=60, speed=Decimal(sys.argv[2]))
asyncio.run(serve(settings, lambda server: print(server.port, server.admin_port, flush=True)))
"""


class Process:
    def __init__(self, state: Path, speed: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(state), str(speed)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.process.stdout is not None
        self.port, self.admin_port = map(int, self.process.stdout.readline().split())
        self.client = TradingClient(KEY, SECRET, url_override=f"http://127.0.0.1:{self.port}")

    def end(self, number: int) -> int:
        os.kill(self.process.pid, number)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def post(self, path: str, body: object) -> None:
        requests.post(f"http://127.0.0.1:{self.admin_port}{path}", json=body, timeout=10).raise_for_status()

    def order(self, name: str) -> Any:
        body = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        return requests.post(
            f"http://127.0.0.1:{self.port}/v2/orders",
            json=body | {"client_order_id": name},
            headers=HEADERS,
            timeout=10,
        )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "paper"


def test_kills_lose_no_accepted_order_and_double_no_fill_and_time_never_goes_back(state: Path) -> None:
    accepted: list[str] = []
    latest = None
    for run in range(4):
        venue = Process(state, 300)
        now = venue.client.get_clock().timestamp
        assert latest is None or now >= latest
        if run == 0:
            venue.post("/clock/skip_to", {"time": "2026-01-05T14:40:00Z"})
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            name = f"order-{len(accepted)}"
            if venue.order(name).status_code == 200:
                accepted.append(name)
            latest = venue.client.get_clock().timestamp
        venue.end(signal.SIGKILL)
    venue = Process(state, 300)
    try:
        wait_for(lambda: venue.client.get_orders() == [])
        orders = [venue.client.get_order_by_client_id(name) for name in accepted]
        fills: list[Any] = []
        while page := venue.client.get(
            "/account/activities", {"direction": "asc", **({"page_token": fills[-1]["id"]} if fills else {})}
        ):
            fills += page
        account = venue.client.get_account()
        assert len(accepted) > 20
        assert {order.status.value for order in orders} == {"filled"}
        assert sorted(fill["order_id"] for fill in fills) == sorted(str(order.id) for order in orders)
        assert Decimal(venue.client.get_open_position("SPY").qty) == len(accepted)
        assert Decimal(account.cash) == 100_000 - sum(Decimal(fill["price"]) for fill in fills)
    finally:
        venue.end(signal.SIGKILL)


def test_sigterm_ends_it_cleanly(state: Path) -> None:
    venue = Process(state, 60)
    venue.client.get_account()
    assert venue.end(signal.SIGTERM) == 0


def test_an_order_that_waits_is_filled_after_the_restart(state: Path) -> None:
    venue = Process(state, 1)
    assert venue.order("waiting").json()["status"] == "accepted"
    venue.end(signal.SIGKILL)
    venue = Process(state, 1)
    try:
        venue.post("/clock/skip_to", {"time": "2026-01-05T14:30:05Z"})
        assert venue.client.get_order_by_client_id("waiting").status == "filled"
    finally:
        venue.end(signal.SIGKILL)
