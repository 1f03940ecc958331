"""Each broker's adapter over its counterpart: what contract tests, campaigns and benchmarks ask the same of."""

import itertools
import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import requests

from tbot_bot.broker.gateway import BrokerConnection, open_broker
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.config.env_bot import default_config
from tbot_bot.config.version import version_tag
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.settings import BotSettings, BrokerCredentials, BrokerName
from tbot_bot.paper.market_synthetic import SyntheticMarket
from tbot_bot.paper.sessions import calendar_around
from tbot_bot.support.clock import FollowedClock
from tools.child import Process, end, start_python
from tools.counterparts.ib_gateway.accounts import CLIENTS_OF_AN_ACCOUNT, FIRST_ACCOUNT
from tools.counterparts.ib_gateway.accounts import account_number as gateway_account
from tools.counterparts.tradier.shape import account_number as tradier_account

FIRST = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
"""A Monday, half an hour after the open."""
LAST_CALL = time_of_day(19, 30)
_START_SECONDS = 60.0
_SEED = 7
CLIENT_ID = 70
"""The adapter's own; its module is not imported here, since the library behind it takes a second."""
_NAMED = 900_000

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


class Rig(ABC):
    """A counterpart's process and its adapter. Each account is opened by its first use.

    `faults`: those that its protocol can have. `each_fill`: whether the broker tells fills one by one.
    `change_method`: of the request that changes an order. `timeout_s`, `retries`: of the adapters that it
    makes.
    `errors_in_success`: whether errors come with status 200."""

    name: str
    face: str
    faults: Mapping[str, Mapping[str, Any]] = HTTP_FAULTS
    each_fill = True
    speaks_http = True
    heartbeats = False
    timeout_s = 5
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

    def broker(self, account: str, secret: str = "") -> BrokerConnection:
        """An adapter of its own for this account, or with what another `secret` opens."""
        return open_broker(self._credentials(account, secret), self._settings(), self.clock(), self._links(account))

    @abstractmethod
    def _credentials(self, account: str, secret: str) -> BrokerCredentials: ...

    def _links(self, account: str) -> BrokerLinks:
        return BrokerLinks()

    def _settings(self) -> BotSettings:
        bot = default_config(version_tag()).bot
        execution = replace(bot.execution, api_timeout_s=self.timeout_s, api_retry_limit=self.retries)
        return replace(bot, execution=execution)


class AlpacaRig(Rig):
    name = face = "alpaca"

    def _credentials(self, account: str, secret: str) -> BrokerCredentials:
        return BrokerCredentials(
            BrokerName.PAPER,
            broker_url=f"http://127.0.0.1:{self.port}",
            broker_api_key=account,
            broker_secret_key=secret or "secret-of-the-test",
        )


class TradierRig(Rig):
    """An account's name is its token."""

    name = face = "tradier"
    each_fill = False
    change_method = "PUT"
    errors_in_success = True

    def _credentials(self, account: str, secret: str) -> BrokerCredentials:
        return BrokerCredentials(
            BrokerName.TRADIER,
            broker_url=f"http://127.0.0.1:{self.port}",
            broker_api_key=secret or account,
            broker_account_number=tradier_account(account),
        )


class IbkrRig(Rig):
    """The gateway's client ids, ten of them for each account, are roles from the adapter's own one on."""

    name, face = "ibkr", "ib_gateway"
    faults = IB_FAULTS
    speaks_http = False
    heartbeats = True
    change_method = "POST"
    timeout_s = 3

    def new_account(self) -> str:
        return gateway_account(next(self._accounts) * CLIENTS_OF_AN_ACCOUNT)

    def _credentials(self, account: str, secret: str) -> BrokerCredentials:
        """`secret`: another account's number, which this client id's gateway does not serve."""
        number = secret or gateway_account(_first_client(account))
        return BrokerCredentials(BrokerName.IBKR, broker_host=f"127.0.0.1:{self.port}", broker_account_number=number)

    def _links(self, account: str) -> BrokerLinks:
        return BrokerLinks(role=_first_client(account) - CLIENT_ID)


def _first_client(account: str) -> int:
    """Of an account by its number; a name that is none has one of its own."""
    numbered = account.startswith("DU") and account[2:].isdigit()
    return (int(account[2:]) - FIRST_ACCOUNT if numbered else _NAMED) * CLIENTS_OF_AN_ACCOUNT


RIGS: Mapping[str, type[Rig]] = {"alpaca": AlpacaRig, "ibkr": IbkrRig, "tradier": TradierRig}


def _announced(terminal: Path) -> dict[str, int] | None:
    for line in terminal.read_text().splitlines():
        if line.startswith("{"):
            return dict(json.loads(line))
    return None
