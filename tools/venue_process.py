"""The paper venue's real process on a root and ports of its own."""

import os
import signal
import time
from pathlib import Path

import requests

from tbot_bot.support.path_resolver import ROOT_VARIABLE, Paths
from tools.child import Process, end, start_python
from tools.foreground import free_port_pair

KEY, SECRET = "CAMPAIGN", "secret-of-the-campaign"
HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
OPEN_TIME = "2026-01-05T14:40:00Z"


class VenueProcess:
    """The venue's real process on a root of its own."""

    def __init__(self, folder: Path, speed: int, symbols: int) -> None:
        self.paths = Paths(folder / "root")
        self._terminal = folder / "venue.txt"
        self._port = free_port_pair()
        self._options = ["--speed", str(speed), "--symbols", str(symbols)]
        self._process: Process | None = None
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Returns once it answers. Raises TimeoutError."""
        variables = {ROOT_VARIABLE: str(self.paths.root), "TBOT_PAPER_PORT": str(self._port)}
        self._process = start_python(["-m", "tbot_bot.paper", *self._options], self._terminal, variables)
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
            address = f"{self.url}/v2/orders"
            answer = session.post(address, json=body | {"client_order_id": name}, headers=HEADERS, timeout=10)
        except requests.RequestException:
            return None
        return answer.status_code
