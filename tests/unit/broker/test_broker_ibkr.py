"""What the adapter says before there is a gateway, and where a gateway's lists lag behind its fills."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tbot_bot.broker.brokers import ibkr_library
from tbot_bot.broker.brokers.broker_ibkr import IbkrBroker, IbkrOptions
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.errors import BrokerUnavailable, ConfigInvalid, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.support.clock import SystemClock

AT = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
OURS = ClientOrderId("tb-1")
ENTRY = OrderIntent(
    client_id=OURS,
    session=date(2026, 6, 1),
    strategy=StrategyName.OPEN,
    symbol=Symbol("SPY"),
    side=Side.BUY,
    purpose=Purpose.ENTRY,
    trade_id=OURS,
    created_at=AT,
    reason="test",
    quantity=Decimal(4),
)


def _broker(host: str) -> IbkrBroker:
    credentials = BrokerCredentials(BrokerName.IBKR, broker_host=host, broker_account_number="DU1")
    return IbkrBroker(credentials, IbkrOptions(1.0, 0), SystemClock(), BrokerLinks())


class _LateLists:
    """A session whose gateway has told an order's fill, and lists the order nowhere yet."""

    def __init__(self, reference: str) -> None:
        library = ibkr_library.load()
        told = library.Execution(execId="a.1.01.01", time=AT, side="BOT", shares=4, price=100, orderRef=reference)
        fill = library.Fill(library.Stock("SPY", "SMART", "USD"), told, library.CommissionReport(), AT)
        self.placed: list[Any] = []
        self.errors: dict[int, tuple[int, str]] = {}
        self.account = "DU1"
        self.ib = SimpleNamespace(
            reqAllOpenOrdersAsync=_nothing,
            reqCompletedOrdersAsync=_nothing,
            reqExecutionsAsync=_nothing,
            trades=list,
            fills=lambda: [fill],
            client=SimpleNamespace(getReqId=lambda: 5),
            placeOrder=lambda contract, order: self.placed.append(order),
        )

    def call(self, work: Callable[[], Coroutine[Any, Any, Any]], timeout_s: float | None = None) -> Any:
        return asyncio.run(asyncio.wait_for(work(), timeout_s))

    def close(self) -> None:
        return


async def _nothing(*_: Any) -> list[Any]:
    return []


def _late(reference: str) -> tuple[IbkrBroker, _LateLists]:
    broker, session = _broker("127.0.0.1:4002"), _LateLists(reference)
    broker._session.close()
    broker._session = session  # type: ignore[assignment]  # a gateway's lag cannot be made to order through a socket
    broker._market = SimpleNamespace(contract=_nothing)  # type: ignore[assignment]  # [] is a contract like any other
    return broker, session


def test_an_order_with_a_fill_is_not_unknown_while_the_lists_lag() -> None:
    broker, _ = _late(OURS)
    with pytest.raises(BrokerUnavailable, match="executions"):
        broker.get_order(OURS)


def test_an_order_that_nothing_tells_of_is_unknown() -> None:
    broker, _ = _late("another")
    assert broker.get_order(OURS) is None


def test_an_order_with_a_fill_is_not_sent_again_while_the_lists_lag() -> None:
    broker, session = _late(OURS)
    with pytest.raises(OrderFateUnknown):
        broker.submit_order(ENTRY)
    assert session.placed == []


@pytest.mark.parametrize(
    "host", ["192.0.2.1:4002", "gateway.example:4002", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:70000"]
)
def test_a_gateway_elsewhere_or_at_no_port_is_refused_in_words(host: str) -> None:
    with pytest.raises(ConfigInvalid, match="BROKER_HOST"):
        _broker(host)


def test_no_gateway_at_the_port_is_said_in_words_and_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        broker = _broker(f"127.0.0.1:{taken.getsockname()[1]}")
        try:
            with pytest.raises(BrokerUnavailable, match="start it, log in and allow its API"):
                broker.connect()
            with pytest.raises(OrderRefused, match="not sent"):
                broker.submit_order(ENTRY)
        finally:
            broker.close()
