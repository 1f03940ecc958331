"""What only a broker behind a gateway has: its own losses of connection, ends that are none, an id that is taken."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerUnavailable
from tbot_bot.domain.orders import OrderStatus, OrderType
from tools.counterparts.rigs import FIRST, IbkrRig


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IbkrRig]:
    rig = IbkrRig(tmp_path_factory.mktemp("gateway"))
    rig.retries = 0
    rig.start()
    rig.run_from(FIRST)
    yield rig
    rig.close()


@pytest.fixture
def linked(gateway: IbkrRig, heard: Any, wait: Any) -> Iterator[Any]:
    """An adapter whose streams are up."""
    gateway.clear()
    gateway.keep_open()
    broker = gateway.broker(gateway.new_account())
    broker.start(heard.handlers())
    wait(lambda: heard.up("data") and heard.up("trading"), what="both streams")
    yield broker
    broker.close()


@pytest.mark.parametrize(("lost", "back"), [(1100, 1101), (1100, 1102), (2103, 2104)])
def test_what_the_gateway_loses_is_told_and_nothing_is_quoted_until_it_is_back(
    gateway: IbkrRig, linked: Any, heard: Any, wait: Any, lost: int, back: int
) -> None:
    gateway.fault(announce=lost)
    wait(lambda: heard.down("data"), what="the loss")
    assert bool(heard.down("trading")) is (lost == 1100)
    with pytest.raises(BrokerUnavailable, match="lost its connection"):
        linked.quotes(["SPY"])
    gateway.fault(announce=back)
    wait(lambda: heard.up("data") >= 2, what="the return")
    assert [quote.symbol for quote in linked.quotes(["SPY"])] == ["SPY"]


def test_an_end_that_only_the_library_concluded_is_not_told(
    gateway: IbkrRig, linked: Any, heard: Any, intent: Any, wait: Any
) -> None:
    gateway.fault(phantom_cancels=1)
    order = intent("SPY", type=OrderType.LIMIT, limit_price=Decimal("5.00"))
    assert linked.submit_order(order).status is OrderStatus.ACCEPTED
    wait(lambda: heard.orders, what="a report")
    assert {report.status for report in heard.orders} == {OrderStatus.ACCEPTED}
    linked.cancel_order(order.client_id)
    wait(lambda: heard.orders[-1].status is OrderStatus.CANCELLED, what="the true end")


def test_a_taken_client_id_is_said_in_words_and_waited_for(gateway: IbkrRig, wait: Any) -> None:
    account = gateway.new_account()
    first, second = gateway.broker(account), gateway.broker(account)
    first.connect()
    with pytest.raises(BrokerUnavailable, match="in use"):
        second.connect()
    first.close()

    def connected() -> bool:
        try:
            second.connect()
        except BrokerUnavailable:
            return False
        return True

    wait(connected, 15, "the id to be free")
    second.close()


def test_a_gateway_that_is_started_again_is_found_with_every_order(
    gateway: IbkrRig, linked: Any, heard: Any, intent: Any, wait: Any
) -> None:
    order = intent("SPY", type=OrderType.LIMIT, limit_price=Decimal("5.00"))
    linked.submit_order(order)
    gateway.kill()
    wait(lambda: heard.down("trading"), what="the loss")
    gateway.start()
    wait(lambda: heard.up("trading") >= 2, 20, "the connection again")
    assert [report.client_id for report in linked.open_orders()] == [order.client_id]
    assert linked.submit_order(order).broker_id == linked.get_order(order.client_id).broker_id


def test_a_halt_is_in_the_quotes(gateway: IbkrRig, linked: Any, wait: Any) -> None:
    assert not linked.quotes(["SPY"])[0].halted
    gateway.fault(halt="SPY")
    wait(lambda: linked.quotes(["SPY"])[0].halted, what="the halt")
    gateway.fault(resume="SPY")
    wait(lambda: not linked.quotes(["SPY"])[0].halted, what="its end")
