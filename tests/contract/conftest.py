"""Counterparts: a running venue for each broker, that the one suite of contract tests asks the same of.

Each test trades in an account of its own. The venue is a process, so that a test can kill it."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.domain.market import Bar, Quote, Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderReport, OrderStatus, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.ports.broker import StreamHandlers
from tools.counterparts.rigs import FIRST, RIGS, Rig

_ids = itertools.count(1)


def eventually(ask: Callable[[], Any], within: float = 10.0, what: str = "it") -> Any:
    """The first truthy answer of `ask`."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    pytest.fail(f"{what} did not happen within {within} s")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """HTTP's own faults are no cases of a broker that does not speak it, nor are faults that its protocol cannot have;
    nothing is skipped for want of them."""

    def is_case(item: pytest.Item) -> bool:
        params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        rig = RIGS.get(params.get("running", ""))
        if rig is None:
            return True
        speaks = rig.speaks_http or item.get_closest_marker("http") is None
        return speaks and params.get("fault", "none") in rig.faults

    config.hook.pytest_deselected(items=[item for item in items if not is_case(item)])
    items[:] = [item for item in items if is_case(item)]


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


@pytest.fixture(scope="session", params=sorted(RIGS))
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = RIGS[request.param](tmp_path_factory.mktemp(request.param))
    rig.start()
    rig.run_from(FIRST)
    yield rig
    rig.close()


@pytest.fixture
def venue(running: Rig) -> Iterator[Rig]:
    running.keep_open()
    yield running
    running.clear()


@pytest.fixture(params=sorted(RIGS))
def own_venue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A venue that the test may kill."""
    rig = RIGS[request.param](tmp_path / "venue")
    rig.start()
    rig.run_from(FIRST)
    yield rig
    rig.close()


@pytest.fixture
def account(venue: Rig) -> str:
    return venue.new_account()


@pytest.fixture
def broker(venue: Rig, account: str) -> Iterator[Any]:
    made = venue.broker(account)
    yield made
    made.close()


@pytest.fixture(scope="session")
def names(running: Rig) -> tuple[Symbol, ...]:
    """Symbols that trade, in fractions too, and have a two-sided quote between $10 and $60."""
    found = running.names()
    assert len(found) >= 5
    return found


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def wait() -> Callable[..., Any]:
    return eventually


@pytest.fixture
def intent() -> Callable[..., OrderIntent]:
    return make_intent


def make_intent(symbol: Symbol, **changes: Any) -> OrderIntent:
    """A market order for 5 shares, but for `changes`."""
    client_id = ClientOrderId(f"tb-contract-{next(_ids)}")
    fields: dict[str, Any] = {
        "client_id": client_id,
        "session": date(2026, 1, 5),
        "strategy": StrategyName.OPEN,
        "symbol": symbol,
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "trade_id": client_id,
        "created_at": datetime(2026, 1, 5, 15, tzinfo=UTC),
        "reason": "contract",
        **changes,
    }
    if "notional" not in fields:
        fields.setdefault("quantity", Decimal(5))
    return OrderIntent(**fields)


@pytest.fixture
def price(broker: Any) -> Callable[[Symbol, str], Decimal]:
    """The market's price of a symbol times a factor, in cents."""

    def ask(symbol: Symbol, factor: str = "1") -> Decimal:
        return (Decimal(broker.quotes([symbol])[0].price) * Decimal(factor)).quantize(Decimal("0.01"))

    return ask


@pytest.fixture
def filled() -> Callable[[Any, OrderIntent], OrderReport]:
    """Waits until an order is filled."""

    def until(broker: Any, order: OrderIntent) -> OrderReport:
        def ask() -> OrderReport | None:
            report = broker.get_order(order.client_id)
            return report if report is not None and report.status is OrderStatus.FILLED else None

        found = eventually(ask, 15, f"the fill of {order.symbol}")
        assert isinstance(found, OrderReport)
        return found

    return until
