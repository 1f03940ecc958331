"""kill -9 of the paper venue under load: what it acknowledged must be there afterwards, once."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import requests

from tbot_bot.paper.store import Store
from tbot_bot.support.path_resolver import ROOT_VARIABLE, Paths
from tools.child import Process, end, start_python
from tools.figures import Campaign
from tools.foreground import free_port_pair

KILLS = {"small": 3, "full": 60}
LOAD_SECONDS = 0.6
CLIENTS = 3
SPEED = 120
OPENING_CASH = Decimal(100_000)
HEADERS = {"APCA-API-KEY-ID": "CAMPAIGN", "APCA-API-SECRET-KEY": "secret-of-the-campaign"}
OPEN_TIME = "2026-01-05T14:40:00Z"


class Venue:
    """The venue's real process on a root of its own."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder / "root")
        self._terminal = folder / "venue.txt"
        self._port = free_port_pair()
        self._process: Process | None = None
        self._session = requests.Session()
        self._session.trust_env = False

    def start(self) -> None:
        """Returns once it answers. Raises TimeoutError."""
        variables = {ROOT_VARIABLE: str(self.paths.root), "TBOT_PAPER_PORT": str(self._port)}
        options = ["-m", "tbot_bot.paper", "--speed", str(SPEED), "--symbols", "60"]
        self._process = start_python(options, self._terminal, variables)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if self._session.get(f"http://127.0.0.1:{self._port + 1}/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.02)
        raise TimeoutError(f"the venue does not answer; see {self._terminal}")

    def kill(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        if self._process is not None:
            end(self._process)
        self._session.close()

    def open_market(self) -> None:
        address = f"http://127.0.0.1:{self._port + 1}/clock/skip_to"
        self._session.post(address, json={"time": OPEN_TIME}, timeout=30).raise_for_status()

    def order(self, session: requests.Session, name: str) -> int | None:
        """The status of one market order's answer; None when the venue died over it."""
        body = {"symbol": "SPY", "qty": "0.5", "side": "buy", "type": "market", "time_in_force": "day"}
        try:
            address = f"http://127.0.0.1:{self._port}/v2/orders"
            answer = session.post(address, json=body | {"client_order_id": name}, headers=HEADERS, timeout=10)
        except requests.RequestException:
            return None
        return answer.status_code


def venue_campaign(size: str, seed: int) -> Campaign:
    """A point is one order that the venue said it had accepted."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tbot-venue-"))
    venue = Venue(folder)
    accepted: list[str] = []
    unclear: list[str] = []
    try:
        for run in range(KILLS[size]):
            venue.start()
            if run == 0:
                venue.open_market()
            _load(venue, f"{seed}-{run}", accepted, unclear)
        venue.start()
    finally:
        venue.end()
    violations = _violations(venue.paths, accepted, unclear)
    shutil.rmtree(folder)
    detail = {"kills": KILLS[size], "unanswered": len(unclear)}
    return Campaign("venue", len(accepted), tuple(violations), time.monotonic() - began, detail)


def _load(venue: Venue, prefix: str, accepted: list[str], unclear: list[str]) -> None:
    """Several clients order as fast as they can until the venue is killed under them."""

    def trade(client: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            number = 0
            while True:
                name = f"{prefix}-{client}-{number}"
                status = venue.order(session, name)
                if status is None:
                    unclear.append(name)
                    return
                if status == 200:
                    accepted.append(name)
                number += 1

    clients = [threading.Thread(target=trade, args=(n,), daemon=True) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(LOAD_SECONDS)
    venue.kill()
    for client in clients:
        client.join(30)


def _violations(paths: Paths, accepted: list[str], unclear: list[str]) -> list[str]:
    """What the database says after the last kill, against what the clients were told."""
    store = Store(paths.paper)
    try:
        orders, fills, (account, *strangers) = tuple(store.orders()), tuple(store.fills()), tuple(store.accounts())
    finally:
        store.close()
    known = Counter(order.client_order_id for order in orders)
    found = [f"account {stranger.id} was never opened" for stranger in strangers]
    found += [f"accepted order {name} is gone" for name in accepted if name not in known]
    found += [f"order {name} is there {times} times" for name, times in known.items() if times > 1]
    found += [f"order {name} was never sent" for name in set(known) - set(accepted) - set(unclear)]
    executed: dict[str, Decimal] = {}
    for fill in fills:
        executed[fill.order_id] = executed.get(fill.order_id, Decimal(0)) + fill.qty
    for order in orders:
        if order.filled_qty != executed.get(order.id, Decimal(0)):
            found.append(f"order {order.client_order_id}: {order.filled_qty} filled, fills of {executed.get(order.id)}")
    cash = OPENING_CASH - sum(fill.price * fill.qty for fill in fills)
    if account.cash != cash:
        found.append(f"the account has {account.cash} in cash; the fills make {cash}")
    return found
