"""The adapter against a scripted server: what it makes of every kind of answer."""

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.broker.brokers.broker_alpaca import AlpacaBroker, AlpacaOptions
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.errors import (
    BrokerDenied,
    BrokerUnavailable,
    ConfigInvalid,
    OrderFateUnknown,
    OrderRefused,
)
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderStatus, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.support.clock import SystemClock

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
ORDER = {
    "id": "b1",
    "client_order_id": "c1",
    "symbol": "AAPL",
    "side": "buy",
    "status": "new",
    "type": "market",
    "qty": "5",
    "filled_qty": "0",
    "updated_at": "2026-01-05T15:00:00Z",
}
ENTRY = OrderIntent(
    client_id=ClientOrderId("c1"),
    session=NOW.date(),
    strategy=StrategyName.OPEN,
    symbol=Symbol("AAPL"),
    side=Side.BUY,
    purpose=Purpose.ENTRY,
    trade_id=ClientOrderId("c1"),
    created_at=NOW,
    reason="test",
    quantity=Decimal(5),
)
ACCOUNT = {"id": "a", "account_number": "PA1", "equity": "1", "cash": "1", "buying_power": "1"}
DUPLICATE = {"code": 40010001, "message": "client_order_id must be unique"}


def posts(script: Any) -> int:
    return sum(asked.method == "POST" for asked in script.asked)


def test_an_accepted_order_is_reported(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(body=ORDER))
    assert broker.submit_order(ENTRY).status is OrderStatus.ACCEPTED
    assert script.asked[0].body["client_order_id"] == "c1"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_server_error_after_sending_is_never_sent_again(
    script: Any, broker: AlpacaBroker, answer: Any, status: int
) -> None:
    script.then(answer(status, {"message": "oops"}))
    with pytest.raises(OrderFateUnknown):
        broker.submit_order(ENTRY)
    assert posts(script) == 1


def test_a_lost_socket_leaves_the_fate_unknown(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(hang_up=True))
    with pytest.raises(OrderFateUnknown):
        broker.submit_order(ENTRY)
    assert posts(script) == 1


def test_a_late_answer_leaves_the_fate_unknown(script: Any, broker_at: Any, answer: Any) -> None:
    script.then(answer(body=ORDER, delay=3))
    began = time.monotonic()
    with pytest.raises(OrderFateUnknown):
        broker_at(script.base, timeout_s=0.3).submit_order(ENTRY)
    assert time.monotonic() - began < 2
    assert posts(script) == 1


@pytest.mark.parametrize("body", [{"raw": "<html>"}, {"body": []}, {"body": {**ORDER, "client_order_id": "other"}}])
def test_an_unreadable_acceptance_leaves_the_fate_unknown(
    script: Any, broker: AlpacaBroker, answer: Any, body: dict[str, Any]
) -> None:
    script.then(answer(**body))
    with pytest.raises(OrderFateUnknown):
        broker.submit_order(ENTRY)


@pytest.mark.parametrize(("status", "code"), [(403, 40310000), (422, 42210000), (404, 40410000), (401, 40110000)])
def test_a_clear_no_is_a_refusal_with_the_brokers_words(
    script: Any, broker: AlpacaBroker, answer: Any, status: int, code: int
) -> None:
    script.then(answer(status, {"code": code, "message": "insufficient buying power"}))
    with pytest.raises(OrderRefused) as caught:
        broker.submit_order(ENTRY)
    assert (caught.value.reason, caught.value.code) == ("insufficient buying power", str(code))
    assert posts(script) == 1


def test_a_duplicate_id_returns_the_first_order(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(422, DUPLICATE), answer(body={**ORDER, "status": "filled", "filled_qty": "5"}))
    assert broker.submit_order(ENTRY).status is OrderStatus.FILLED
    assert posts(script) == 1


def test_a_duplicate_whose_first_cannot_be_found_stays_unknown(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(422, DUPLICATE), answer(404, {"code": 40410000, "message": "order not found"}))
    with pytest.raises(OrderFateUnknown):
        broker.submit_order(ENTRY)


def test_a_429_is_waited_out_and_sent_again_with_the_same_id(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(429, {"message": "slow"}, {"Retry-After": "1"}), answer(body=ORDER))
    began = time.monotonic()
    assert broker.submit_order(ENTRY).client_id == "c1"
    assert time.monotonic() - began >= 1
    assert [asked.body["client_order_id"] for asked in script.asked] == ["c1", "c1"]


def test_an_endless_429_is_a_refusal(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(429, {"message": "slow"}))
    with pytest.raises(OrderRefused) as caught:
        broker.submit_order(ENTRY)
    assert caught.value.code == "429"
    assert posts(script) == 3


def test_questions_are_repeated_after_server_errors(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(503, {}), answer(hang_up=True), answer(body=ACCOUNT))
    assert broker.get_account_info().account_id == "PA1"
    assert len(script.asked) == 3


def test_questions_give_up_after_the_retries(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(500, {"message": "down"}))
    with pytest.raises(BrokerUnavailable, match="down"):
        broker.get_positions()
    assert len(script.asked) == 3


def test_an_unreachable_broker_is_unavailable(broker_at: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = broker_at(f"http://127.0.0.1:{taken.getsockname()[1]}", retries=1)
        with pytest.raises(BrokerUnavailable):
            closed.get_clock()


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_denied_without_repeating(
    script: Any, broker: AlpacaBroker, answer: Any, status: int
) -> None:
    script.then(answer(status, {"message": "unauthorized."}))
    with pytest.raises(BrokerDenied) as caught:
        broker.connect()
    assert len(script.asked) == 1
    assert "SECRET" not in str(caught.value)
    assert broker.self_check() == (str(caught.value),)


def test_a_redirect_is_refused_and_the_keys_stay_here(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(302, {}, {"Location": script.base + "/elsewhere"}))
    with pytest.raises(BrokerUnavailable, match="redirect"):
        broker.get_clock()
    assert all(asked.path == "/v2/clock" for asked in script.asked)


def test_half_a_list_of_positions_is_no_answer(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    good = {"symbol": "A", "qty": "1", "avg_entry_price": "1"}
    script.then(answer(body=[good, {"symbol": "B"}]))
    with pytest.raises(BrokerUnavailable):
        broker.get_positions()


def test_another_account_than_named_is_denied(script: Any, broker_at: Any, answer: Any) -> None:
    script.then(answer(body=ACCOUNT))
    with pytest.raises(BrokerDenied, match="another account"):
        broker_at(script.base, account="PA2").connect()
    broker_at(script.base, account="PA1").connect()


def test_an_order_that_the_broker_does_not_know_is_none(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(404, {"code": 40410000, "message": "order not found"}))
    assert broker.get_order(ClientOrderId("c9")) is None


def test_a_cancel_goes_to_the_brokers_id(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(body=ORDER), answer(204))
    broker.submit_order(ENTRY)
    broker.cancel_order(ENTRY.client_id)
    assert (script.asked[1].method, script.asked[1].path) == ("DELETE", "/v2/orders/b1")


@pytest.mark.parametrize("status", [404, 422])
def test_cancelling_a_final_order_is_no_error(script: Any, broker: AlpacaBroker, answer: Any, status: int) -> None:
    script.then(answer(body=ORDER), answer(status, {"message": "order is not cancelable"}))
    broker.submit_order(ENTRY)
    broker.cancel_order(ENTRY.client_id)
    assert len(script.asked) == 2


def test_cancelling_an_order_that_is_not_there_yet_asks_to_try_again(
    script: Any, broker: AlpacaBroker, answer: Any
) -> None:
    script.then(answer(404, {"message": "order not found"}))
    with pytest.raises(BrokerUnavailable, match="c1"):
        broker.cancel_order(ENTRY.client_id)


def fill(number: int) -> dict[str, Any]:
    at = NOW + timedelta(milliseconds=number)
    return {
        "id": f"2026::e{number}",
        "activity_type": "FILL",
        "order_id": "b1",
        "symbol": "AAPL",
        "side": "buy",
        "qty": "1",
        "price": "10.5",
        "transaction_time": at.isoformat(),
    }


def test_fills_are_paged_to_the_end_and_carry_our_id(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    pages = [[fill(n) for n in range(100)], [fill(n) for n in range(100, 130)]]
    script.then(answer(body=pages[0]), answer(body=pages[1]), answer(body=[ORDER]))
    found = broker.executions_since(NOW + timedelta(milliseconds=10))
    assert [each.execution_id for each in found] == [f"e{n}" for n in range(10, 130)]
    assert {each.client_id for each in found} == {"c1"}
    assert "page_token=2026%3A%3Ae99" in script.asked[1].path


def test_bars_leave_out_the_minute_that_still_runs(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    def bar(minute: int) -> dict[str, Any]:
        at = NOW - timedelta(minutes=3 - minute)
        return {"t": at.isoformat(), "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}

    page = {"bars": {"A": [bar(0), bar(1)]}, "next_page_token": "more"}
    script.then(answer(body=page), answer(body={"bars": {"A": [bar(2), bar(3)]}, "next_page_token": None}))
    found = broker.bars([Symbol("A")], NOW - timedelta(minutes=3), NOW + timedelta(minutes=5))
    assert [each.start for each in found] == [NOW - timedelta(minutes=m) for m in (3, 2, 1)]
    assert "page_token=more" in script.asked[1].path


def test_many_symbols_are_asked_in_few_calls(script: Any, broker: AlpacaBroker, answer: Any) -> None:
    script.then(answer(body={}))
    assert broker.quotes([Symbol(f"S{n}") for n in range(1200)]) == ()
    assert len(script.asked) == 3


def test_an_entry_is_refused_and_an_exit_sent_when_the_budget_is_spent(
    script: Any, broker_at: Any, answer: Any
) -> None:
    made = broker_at(script.base, timeout_s=0.2)
    script.then(answer(body=ACCOUNT, headers={"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "10"}))
    made.get_account_info()
    script.answers[:] = [answer(body=ORDER)]
    with pytest.raises(OrderRefused, match="not sent"):
        made.submit_order(ENTRY)
    made.submit_order(replace(ENTRY, purpose=Purpose.EXIT))
    assert posts(script) == 1


def test_keys_are_needed() -> None:
    clock = SystemClock()
    credentials = BrokerCredentials(BrokerName.PAPER, broker_url="http://127.0.0.1:1")
    with pytest.raises(ConfigInvalid, match="BROKER_API_KEY"):
        AlpacaBroker(credentials, AlpacaOptions(1, 1, 1), clock, BrokerLinks())


def test_what_is_open_and_held_can_be_asked_when_the_budget_is_spent(script: Any, broker_at: Any, answer: Any) -> None:
    made = broker_at(script.base, timeout_s=0.2, retries=0)
    script.then(answer(body=ACCOUNT, headers={"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "10"}))
    made.get_account_info()
    script.answers[:] = [answer(body=[])]
    assert made.open_orders() == made.get_positions() == ()
    with pytest.raises(BrokerUnavailable, match="budget"):
        made.get_account_info()
