"""Each broker's adapter over its counterpart: what contract tests, campaigns and benchmarks ask the same of."""

import itertools
import json
import os
import signal
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import requests

from tbot_bot.broker.gateway import BrokerConnection
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.paper.market_synthetic import SyntheticMarket
from tbot_bot.paper.sessions import calendar_around
from tbot_bot.support.clock import FollowedClock
from tools.child import Process, end, start_python

FIRST = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
"""A Monday, half an hour after the open."""
LAST_CALL = time_of_day(19, 30)
_SECRET = "secret-of-the-test"  # noqa: S105 - of a loopback account that ends with its folder
_START_SECONDS = 60.0
_SEED = 7


_POST = {"http_method": "POST"}
_ANY_FACE: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "slow": {"latency_ms": 40},
    "halves": {"partial_fills": 6},
}
HTTP_FAULTS: Mapping[str, Mapping[str, Any]] = {
    **_ANY_FACE,
    "lost answers": {"http_status": 504, "http_count": 3, **_POST},
    "cut before": {"cut": "before", "cut_count": 3, "cut_method": "POST"},
    "cut after": {"cut": "after", "cut_count": 3, "cut_method": "POST"},
    "half answers": {"cut": "within", "cut_count": 3, "cut_method": "POST"},
    "busy": {"http_status": 503, "http_count": 3, **_POST},
    "broken": {"http_status": 500, "http_count": 3, **_POST},
    "too many": {"http_status": 429, "http_count": 3},
    "questions fail": {"http_status": 500, "http_count": 6, "http_method": "GET"},
    "late fills": {"late_fills_ms": 300},
    "missing fills": {"missing_fills": 5},
    "doubled fills": {"duplicate_fills": 5},
}
"""What to tell the admin port for each; the next three orders, the next six questions."""
IB_FAULTS: Mapping[str, Mapping[str, Any]] = {
    **_ANY_FACE,
    "lost answers": {"cut": "after", "cut_count": 1, "cut_method": "POST"},
    "cut before": {"cut": "before", "cut_count": 1, "cut_method": "POST"},
    "cut after": {"cut": "after", "cut_count": 1, "cut_method": "POST"},
    "questions cut": {"cut": "before", "cut_count": 2, "cut_method": "GET"},
    "phantom cancels": {"phantom_cancels": 3},
    "late fills": {"late_fills_ms": 300},
    "missing fills": {"missing_fills": 5},
    "doubled fills": {"duplicate_fills": 5},
}


class Rig:
    """A counterpart's process and its adapter. Each account is opened by its first use.

    `faults`: those that its protocol can have. `each_fill`: whether the broker tells fills one by one.
    `change_method`: of the request that changes an order. `retries`: of the adapters that it makes.
    `errors_in_success`: whether errors come with status 200."""

    name: str
    face: str
    faults: Mapping[str, Mapping[str, Any]] = HTTP_FAULTS
    each_fill = True
    speaks_http = True
    heartbeats = False
    retries = 3
    change_method = "PATCH"
    errors_in_success = False

    def __init__(self, folder: Path, speed: int = 60, symbols: int = 120) -> None:
        self._folder = folder
        self._options = ["--speed", str(speed), "--symbols", str(symbols), "--seed", str(_SEED)]
        self.speed = speed
        self.symbols = symbols
        self.port = self.admin_port = 0
        self._accounts = itertools.count(1)
        self._process: Process | None = None
        self._session = requests.Session()
        self._session.trust_env = False

    # the process

    def start(self) -> None:
        """Again on the same ports after a kill. Raises TimeoutError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        terminal = self._folder / "said.txt"
        terminal.unlink(missing_ok=True)
        ports = ["--port", str(self.port), "--admin-port", str(self.admin_port)]
        where = ["-m", "tools.counterparts", self.face, "--state", str(self._folder / "state")]
        self._process = start_python([*where, *ports, *self._options], terminal)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            said = _announced(terminal)
            if said is not None:
                self.port, self.admin_port = said["port"], said["admin_port"]
                return
            time.sleep(0.02)
        raise TimeoutError(f"the counterpart {self.face} does not start; see {terminal}")

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        if self._process is not None:
            end(self._process)
        self._session.close()

    # its operator

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(method, f"http://127.0.0.1:{self.admin_port}{path}", json=body, timeout=10)
        if answer.status_code != 200:
            raise ValueError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def run_from(self, moment: datetime) -> None:
        self.admin("POST", "/clock/skip_to", {"time": moment.isoformat()})
        self.admin("POST", "/clock/run")

    def keep_open(self) -> None:
        """On to the next session's morning when this one is nearly over."""
        told = self.admin("GET", "/health")
        now = datetime.fromisoformat(told["time"].replace("Z", "+00:00"))
        while not told["is_open"] or now.time() >= LAST_CALL:
            now = datetime.combine(now.date() + timedelta(days=1), FIRST.timetz())
            self.run_from(now)
            told = self.admin("GET", "/health")

    def fault(self, **what: Any) -> None:
        self.admin("POST", "/faults", what)

    def clear(self) -> None:
        self.admin("DELETE", "/faults")

    def truth(self, account: str) -> Mapping[str, Any]:
        """What the exchange itself holds of an account: orders, fills, positions, cash."""
        return dict(self.admin("GET", f"/truth?account={account}"))

    def names(self) -> tuple[Symbol, ...]:
        """Symbols of the market that trade, in fractions too, with quotes on both sides between $10 and $60."""
        market = SyntheticMarket(_SEED, self.symbols, calendar_around(FIRST.date()))
        listed = [
            Symbol(i.symbol) for i in market.instruments if i.tradable and i.fractionable and i.exchange == "NASDAQ"
        ]
        broker = self.broker(self.new_account())
        try:
            quotes = broker.quotes(listed)
        finally:
            broker.close()
        return tuple(quote.symbol for quote in quotes if quote.spread is not None and 10 < quote.bid < 60)

    # the adapter

    def new_account(self) -> str:
        """The name of an account that nobody has used yet."""
        return f"{self.name.upper()}{next(self._accounts)}"

    def clock(self) -> FollowedClock:
        """At the market's speed."""
        told = self.admin("GET", "/clock")
        clock = FollowedClock()
        clock.sample(datetime.fromisoformat(told["time"].replace("Z", "+00:00")), float(told["speed"]))
        return clock

    def broker(self, account: str, secret: str = _SECRET) -> BrokerConnection:
        """An adapter of its own for this account."""
        raise NotImplementedError


class AlpacaRig(Rig):
    name = face = "alpaca"

    def broker(self, account: str, secret: str = _SECRET) -> BrokerConnection:
        from tbot_bot.broker.brokers.broker_alpaca import AlpacaBroker, AlpacaOptions

        credentials = BrokerCredentials(
            BrokerName.PAPER,
            broker_url=f"http://127.0.0.1:{self.port}",
            broker_api_key=account,
            broker_secret_key=secret,
        )
        clock = self.clock()
        return AlpacaBroker(credentials, AlpacaOptions(5.0, self.retries, 1000), clock, BrokerLinks())


class TradierRig(Rig):
    name = face = "tradier"
    each_fill = False
    change_method = "PUT"
    errors_in_success = True

    def broker(self, account: str, secret: str = "") -> BrokerConnection:
        """The account's name is its token; another `secret` is another's."""
        from tbot_bot.broker.brokers.broker_tradier import TradierBroker, TradierOptions
        from tools.counterparts.tradier.shape import account_number

        credentials = BrokerCredentials(
            BrokerName.TRADIER,
            broker_url=f"http://127.0.0.1:{self.port}",
            broker_api_key=secret or account,
            broker_account_number=account_number(account),
        )
        return TradierBroker(credentials, TradierOptions(5.0, self.retries), self.clock(), BrokerLinks())


class IbkrRig(Rig):
    """Ten client ids share an account; the first of them trades."""

    name, face = "ibkr", "ib_gateway"
    faults = IB_FAULTS
    speaks_http = False
    heartbeats = True
    change_method = "POST"

    def new_account(self) -> str:
        return f"DU{1_000_000 + next(self._accounts)}"

    def broker(self, account: str, secret: str = "") -> BrokerConnection:
        """`secret`: another account's number, which this client id's gateway does not serve."""
        from tbot_bot.broker.brokers.broker_ibkr import IbkrBroker, IbkrOptions

        number = int(account[2:]) - 1_000_000 if account.startswith("DU") else 900_000
        credentials = BrokerCredentials(
            BrokerName.IBKR,
            broker_host=f"127.0.0.1:{self.port}",
            broker_account_number=secret or (account if account.startswith("DU") else ""),
        )
        return IbkrBroker(credentials, IbkrOptions(3.0, self.retries, number * 10), self.clock(), BrokerLinks())


RIGS: Mapping[str, type[Rig]] = {"alpaca": AlpacaRig, "ibkr": IbkrRig, "tradier": TradierRig}


def _announced(terminal: Path) -> dict[str, int] | None:
    for line in terminal.read_text().splitlines():
        if line.startswith("{"):
            return dict(json.loads(line))
    return None
