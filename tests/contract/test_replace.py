"""Changing a working order: once, with its new terms, under either name."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerError, OrderFateUnknown, OrderRefused
from tbot_bot.domain.orders import ClientOrderId, OrderChange, OrderStatus, OrderType, Purpose, Side


@pytest.fixture
def resting(broker: Any, names: Any, intent: Any, price: Any) -> Any:
    order = intent(names[0], type=OrderType.LIMIT, limit_price=price(names[0], "0.5"))
    broker.submit_order(order)
    return order


def change(order: Any, **what: Any) -> OrderChange:
    return OrderChange(ClientOrderId(f"{order.client_id}-b"), **what)


def test_a_changed_limit_stands_under_the_name_that_the_report_says(broker: Any, resting: Any, wait: Any) -> None:
    new = resting.limit_price - Decimal(1)
    report = broker.replace_order(resting.client_id, change(resting, limit_price=new))
    kept = report.client_id == resting.client_id
    assert kept is broker.capabilities.replaces_in_place
    wait(lambda: [each.limit_price for each in broker.open_orders()] == [new], what="the one changed order")
    broker.cancel_order(report.client_id)
    wait(lambda: not broker.open_orders(), what="nothing left")


def test_a_limit_changed_to_the_market_fills_once(
    broker: Any, resting: Any, price: Any, filled: Any, venue: Any, account: str
) -> None:
    report = broker.replace_order(resting.client_id, change(resting, limit_price=price(resting.symbol, "1.03")))
    filled(broker, replace(resting, client_id=report.client_id))
    (position,) = broker.get_positions()
    assert position.quantity == 5
    assert sum(Decimal(fill["qty"]) for fill in venue.truth(account)["fills"]) == 5


def test_a_stop_is_moved(broker: Any, names: Any, intent: Any, price: Any, filled: Any, wait: Any) -> None:
    bought = intent(names[0])
    broker.submit_order(bought)
    filled(broker, bought)
    stop = intent(
        names[0],
        side=Side.SELL,
        purpose=Purpose.PROTECT,
        type=OrderType.STOP,
        stop_price=price(names[0], "0.5"),
    )
    broker.submit_order(stop)
    higher = stop.stop_price + Decimal(1)
    broker.replace_order(stop.client_id, change(stop, stop_price=higher))
    wait(lambda: [each.stop_price for each in broker.open_orders()] == [higher], what="the moved stop")


def test_a_quantity_is_changed_or_refused_in_words(broker: Any, resting: Any, wait: Any) -> None:
    words, expected = "cancel", 5
    try:
        broker.replace_order(resting.client_id, change(resting, quantity=Decimal(8)))
        expected = 8
    except OrderRefused as refused:
        words = refused.reason
    assert "cancel" in words
    wait(lambda: [each.quantity for each in broker.open_orders()] == [expected], what="an order of that size")


def test_what_is_final_cannot_be_changed(broker: Any, resting: Any, wait: Any) -> None:
    broker.cancel_order(resting.client_id)
    wait(lambda: broker.get_order(resting.client_id).status is OrderStatus.CANCELLED)
    with pytest.raises(OrderRefused):
        broker.replace_order(resting.client_id, change(resting, limit_price=resting.limit_price - 1))
    assert broker.open_orders() == ()


def test_what_is_not_known_cannot_be_changed(broker: Any, resting: Any) -> None:
    with pytest.raises(BrokerError):
        broker.replace_order(ClientOrderId("tb-nobody"), change(resting, limit_price=Decimal(1)))


@pytest.mark.parametrize("fault", ["lost answers", "cut after", "cut before"])
def test_a_change_of_unknown_fate_leaves_one_order(
    venue: Any, account: str, broker: Any, resting: Any, wait: Any, fault: str
) -> None:
    method = venue.change_method
    told = {key: method if key.endswith("method") else value for key, value in venue.faults[fault].items()}
    venue.fault(**told)
    new = resting.limit_price - Decimal(1)
    with pytest.raises(OrderFateUnknown):
        broker.replace_order(resting.client_id, change(resting, limit_price=new))
    venue.clear()
    expected = resting.limit_price if fault == "cut before" else new
    wait(lambda: [each.limit_price for each in broker.open_orders()] == [expected], what="one order")
    reports = [broker.get_order(name) for name in (resting.client_id, change(resting, limit_price=new).client_id)]
    living = [each for each in reports if each is not None and each.status is OrderStatus.ACCEPTED]
    assert len(living) == 1
    assert sum(order["status"] in ("new", "accepted", "pending_new") for order in venue.truth(account)["orders"]) == 1
