"""What only a broker behind a gateway has: its own losses of connection, ends that are none, an id that is taken."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerUnavailable, OrderFateUnknown, OrderRefused
from tbot_bot.domain.orders import ClientOrderId, OrderChange, OrderStatus, OrderType
from tools.counterparts.rigs import FIRST, IbkrRig


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IbkrRig]:
    rig = IbkrRig(tmp_path_factory.mktemp("gateway"))
    rig.retries = 0
    rig.start()
    rig.run_from(FIRST)
    yield rig
    rig.close()


@pytest.fixture(scope="module")
def names(gateway: IbkrRig) -> Any:
    return gateway.names()


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


def test_an_order_with_a_fill_is_neither_absent_nor_sent_again_while_the_lists_lag(
    gateway: IbkrRig, linked: Any, intent: Any, filled: Any
) -> None:
    order = intent("SPY")
    linked.submit_order(order)
    filled(linked, order)
    gateway.fault(hide_orders=True)
    with pytest.raises(BrokerUnavailable, match="executions"):
        linked.get_order(order.client_id)
    with pytest.raises(OrderFateUnknown):
        linked.submit_order(order)
    assert linked.get_order(ClientOrderId("tb-nobody")) is None
    gateway.clear()
    assert linked.submit_order(order).filled_quantity == 5


@pytest.mark.parametrize("latency_ms", [150, 300, 420, 550, 700, 900])
def test_what_is_said_not_to_be_sent_never_arrives(gateway: IbkrRig, intent: Any, latency_ms: int) -> None:
    """Around the moment at which the caller gives up waiting, which falls before, while or after it is sent."""
    account = gateway.new_account()
    gateway.clear()
    gateway.keep_open()
    gateway.timeout_s = 1
    broker = gateway.broker(account)
    gateway.timeout_s = 3
    broker.connect()
    gateway.fault(latency_ms=latency_ms)
    order, said = intent("SPY", quantity=Decimal(1)), "sent"
    try:
        broker.submit_order(order)
    except OrderRefused:
        said = "not sent"
    except OrderFateUnknown:
        said = "unknown"
    time.sleep(3 * latency_ms / 1000)
    arrived = len(gateway.truth(account)["orders"])
    broker.close()
    gateway.clear()
    assert arrived == {"sent": 1, "not sent": 0}.get(said, arrived)


def test_a_change_that_the_gateway_refuses_is_a_clear_no(linked: Any, intent: Any, wait: Any) -> None:
    order = intent("SPY", type=OrderType.LIMIT, limit_price=Decimal("5.00"))
    linked.submit_order(order)
    for change in (
        OrderChange(order.client_id, limit_price=Decimal("5.001")),
        OrderChange(order.client_id, quantity=Decimal(50_000_000)),
    ):
        with pytest.raises(OrderRefused):
            linked.replace_order(order.client_id, change)
    (left,) = linked.open_orders()
    assert (left.limit_price, left.quantity) == (order.limit_price, order.quantity)


def test_questions_of_one_kind_at_once_are_all_answered(linked: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8) for ask in (linked.get_clock, linked.get_positions)]
        asked += [pool.submit(linked.quotes, ["SPY"]) for _ in range(8)]
        answers = [each.result(20) for each in asked]
    assert len(answers) == 24


def test_many_running_bars_do_not_hold_up_a_reconnect(
    gateway: IbkrRig, linked: Any, names: Any, heard: Any, wait: Any
) -> None:
    """More than the pacing allows twice in ten minutes; orders and quotes are back at once all the same."""
    linked.watch_bars(names[:50])
    wait(lambda: len({bar.symbol for bar in heard.bars}) >= min(len(names), 10), 30, "bars")
    gateway.fault(drop_streams=True)
    wait(lambda: heard.up("trading") >= 2, 10, "the connection again")
    assert linked.open_orders() == ()
