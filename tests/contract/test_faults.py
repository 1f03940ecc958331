"""Answers that fail, are late, or are not as they were: a right answer or a clear error, never a wrong one."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerDenied, BrokerUnavailable, OrderFateUnknown, OrderRefused
from tbot_bot.domain.orders import OrderStatus, OrderType, Purpose, Side

DAWN = datetime(2026, 1, 5, tzinfo=UTC)
OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "account": lambda broker, names: broker.get_account_info(),
    "positions": lambda broker, names: broker.get_positions(),
    "open orders": lambda broker, names: broker.open_orders(),
    "one order": lambda broker, names: broker.get_order("tb-nobody"),
    "executions": lambda broker, names: broker.executions_since(DAWN),
    "clock": lambda broker, names: broker.get_clock(),
    "calendar": lambda broker, names: broker.get_calendar(date(2026, 1, 5), date(2026, 1, 9)),
    "assets": lambda broker, names: broker.get_assets(names[:2]),
    "quotes": lambda broker, names: broker.quotes(names[:2]),
    "bars": lambda broker, names: broker.bars(names[:2], OPEN, OPEN + timedelta(minutes=5)),
    "daily bars": lambda broker, names: broker.daily_bars(names[:2], date(2025, 12, 22), date(2025, 12, 31)),
}
HELD_QUESTIONS = ("account", "positions", "open orders", "executions")


def same(name: str, one: Any, other: Any) -> bool:
    """Whether two answers agree; prices and times of a moving market may differ."""
    if name in ("clock", "quotes", "assets"):
        return type(one) is type(other) and (name == "clock" or {q.symbol for q in one} == {q.symbol for q in other})
    return bool(one == other)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.http
def test_a_question_is_asked_again(venue: Any, broker: Any, names: Any, name: str, status: int) -> None:
    ask = QUESTIONS[name]
    right = ask(venue.broker(venue.new_account()), names) if name not in HELD_QUESTIONS else None
    venue.fault(http_status=status, http_count=2)
    answer = ask(broker, names)
    assert right is None or same(name, answer, right)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("when", ["before", "after", "within"])
def test_a_cut_question_is_asked_again(venue: Any, broker: Any, names: Any, name: str, when: str) -> None:
    venue.fault(cut=when, cut_count=2, cut_method="" if venue.speaks_http else "GET")
    QUESTIONS[name](broker, names)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.http
def test_a_broker_that_keeps_failing_is_unavailable_never_empty(venue: Any, broker: Any, names: Any, name: str) -> None:
    venue.fault(http_status=503, http_count=100)
    with pytest.raises(BrokerUnavailable):
        QUESTIONS[name](broker, names)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.http
def test_a_question_that_is_refused_is_an_error_never_empty(
    venue: Any, broker: Any, names: Any, name: str, status: int
) -> None:
    """Also with the words of an error under a status of success, where a broker has that."""
    if status == 200 and not venue.errors_in_success:
        return
    venue.fault(http_status=status, http_count=100)
    with pytest.raises((BrokerUnavailable, BrokerDenied)):
        QUESTIONS[name](broker, names)


@pytest.fixture
def holding(broker: Any, names: Any, intent: Any, price: Any, filled: Any) -> Any:
    """An account with a position, a fill and a resting order."""
    bought = intent(names[0])
    broker.submit_order(bought)
    filled(broker, bought)
    broker.submit_order(
        intent(
            names[0], side=Side.SELL, purpose=Purpose.PROTECT, type=OrderType.STOP, stop_price=price(names[0], "0.5")
        )
    )
    return broker


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("mangle", ["text", "extra"])
@pytest.mark.http
def test_numbers_as_text_and_unknown_fields_change_nothing(
    venue: Any, account: str, holding: Any, names: Any, name: str, mangle: str
) -> None:
    right = QUESTIONS[name](holding, names)
    venue.fault(mangle=mangle)
    answer = QUESTIONS[name](venue.broker(account), names)
    if name == "account":
        assert answer.cash == right.cash
    elif name == "positions":
        assert [(p.symbol, p.quantity) for p in answer] == [(p.symbol, p.quantity) for p in right]
    elif name == "bars":
        assert answer[: len(right)] == right
    else:
        assert same(name, answer, right)


VITAL = {
    "positions": "qty,quantity,symbol",
    "open orders": "status,symbol,side,id",
    "account": "equity,cash,total_equity,total_cash,buying_power,stock_buying_power",
    "executions": "qty,price,avg_fill_price,transaction_time,transaction_date,create_date",
}


@pytest.mark.parametrize("mangle", ["drop", "null"])
@pytest.mark.parametrize(("name", "field"), [(n, f) for n, fields in VITAL.items() for f in fields.split(",")])
@pytest.mark.http
def test_without_a_vital_field_the_answer_is_right_or_refused(
    venue: Any, holding: Any, names: Any, name: str, field: str, mangle: str
) -> None:
    """Where this broker has no such field, or can do without it, the answer must be the right one."""
    right = QUESTIONS[name](holding, names)
    venue.fault(mangle=mangle, mangle_fields=field)
    try:
        answer = QUESTIONS[name](holding, names)
    except (BrokerUnavailable, BrokerDenied):
        return
    if name == "account":
        assert answer.cash == right.cash
        assert abs(answer.equity - right.equity) < 50
    elif name == "positions":
        assert [(p.symbol, p.quantity) for p in answer] == [(p.symbol, p.quantity) for p in right]
    elif name == "open orders":
        assert [(o.client_id, o.symbol, o.side, o.status) for o in answer] == [
            (o.client_id, o.symbol, o.side, o.status) for o in right
        ]
    else:
        assert [(e.quantity, e.price) for e in answer] == [(e.quantity, e.price) for e in right]


KINDS = ("market", "limit", "bracket")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fault",
    [
        *("lost answers", "cut before", "cut after", "half answers", "busy", "broken", "too many", "slow"),
        *("questions cut", "phantom cancels", "late fills", "missing fills", "doubled fills", "halves"),
    ],
)
def test_an_order_under_fault_exists_at_most_once_and_its_fate_is_found(
    venue: Any, account: str, broker: Any, names: Any, intent: Any, price: Any, wait: Any, kind: str, fault: str
) -> None:
    low, high = price(names[0], "0.5"), price(names[0], "2")
    more: dict[str, Any] = {
        "market": {},
        "limit": {"type": OrderType.LIMIT, "limit_price": low},
        "bracket": {"take_profit_price": high, "stop_loss_price": low},
    }[kind]
    order = intent(names[0], **more)
    venue.fault(**venue.faults[fault])
    try:
        broker.submit_order(order)
        sent = "yes"
    except OrderFateUnknown:
        sent = "unknown"
    except OrderRefused:
        sent = "no"
    venue.clear()
    mine = [o for o in venue.truth(account)["orders"] if o["client_order_id"].rpartition("|")[2] == order.client_id]
    assert len(mine) <= 1
    report = broker.get_order(order.client_id)
    assert report is not None or not mine or mine[0]["status"] == "rejected"
    if sent == "yes":
        assert report is not None
        assert report.status is not OrderStatus.UNKNOWN
    if sent == "no":
        assert report is None
    again = broker.submit_order(order)
    assert again.client_id == order.client_id
    mine = [o for o in venue.truth(account)["orders"] if o["client_order_id"].rpartition("|")[2] == order.client_id]
    assert len(mine) == 1
    assert Decimal(mine[0]["qty"]) == 5
    assert broker.get_order(order.client_id).status not in (OrderStatus.CANCELLED, OrderStatus.REJECTED)


def test_a_slow_broker_is_waited_for_as_long_as_api_timeout_says(venue: Any, broker: Any) -> None:
    venue.fault(latency_ms=400)
    assert broker.get_account_info().cash == 100000


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_late_answer_is_the_same_answer(venue: Any, broker: Any, names: Any, name: str) -> None:
    right = QUESTIONS[name](broker, names)
    venue.fault(latency_ms=60)
    assert same(name, QUESTIONS[name](broker, names), right)
