"""The Tradier counterpart on loopback in a thread of its own; its market stands still until a test moves it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import RunningVenue, start_venue
from tools.counterparts.tradier.face import TradierFace
from tools.counterparts.tradier.shape import account_number

OPEN = "2026-01-05T15:00:00+00:00"
JSON = {"Accept": "application/json"}


@dataclass
class Client:
    """One token's view of the server."""

    venue: RunningVenue
    token: str = "TOKEN"

    @property
    def root(self) -> str:
        return f"/accounts/{account_number(self.token)}"

    def ask(
        self,
        method: str,
        path: str,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] = JSON,
        **query: Any,
    ) -> requests.Response:
        given = {"Authorization": f"Bearer {self.token}", **headers}
        url = f"{self.venue.url}/v1{path}"
        return self.venue.session.request(method, url, params=query, data=form, headers=given, timeout=30)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.ask("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def place(self, **changes: Any) -> requests.Response:
        """A market order for 10 SPY, but for `changes`; None leaves a field out."""
        form = {"class": "equity", "symbol": "SPY", "side": "buy", "quantity": 10, "type": "market", "duration": "day"}
        form |= changes
        return self.ask("POST", f"{self.root}/orders", {k: v for k, v in form.items() if v is not None})

    def placed(self, **changes: Any) -> int:
        answer = self.place(**changes)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["order"]["id"])

    def order(self, number: int) -> Any:
        return self.get(f"{self.root}/orders/{number}", includeTags="true")["order"]

    def filled(self, seconds: int, **changes: Any) -> Any:
        """An order placed and the market moved on to this second of the session's first minutes."""
        number = self.placed(**changes)
        self.venue.skip(f"2026-01-05T15:{seconds // 60:02}:{seconds % 60:02}+00:00")
        return self.order(number)

    def last(self) -> float:
        return float(self.get("/markets/quotes", symbols="SPY")["quotes"]["quote"]["last"])

    def fault(self, **what: Any) -> None:
        answer = self.venue.admin("POST", "/faults", what)
        assert answer.status_code == 200, answer.text


def started(folder: Path, symbols: int = 60, plan: str = "open") -> RunningVenue:
    settings = VenueSettings(folder / "state", port=0, admin_port=0, symbols=symbols, plan=plan, hold=True)
    running = start_venue(settings, TradierFace)
    running.skip(OPEN)
    return running


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    running = started(tmp_path)
    yield Client(running)
    running.stop()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Client]:
    running = started(tmp_path, plan="sandbox")
    yield Client(running)
    running.stop()


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[Client]:
    """A market that has cheap stocks too."""
    running = started(tmp_path, symbols=600)
    yield Client(running)
    running.stop()
