import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tbot_bot.domain.errors import BrokerUnavailable, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderReport, OrderStatus, Side
from tbot_bot.domain.portfolio import Position
from tbot_bot.engine import events as e
from tbot_bot.runtime.desk import BarsPulled, BooksPulled, Desk, Inbox, Message, wait_for
from tbot_bot.support.clock import ManualClock
from tests.unit.runtime.fakes import AT, FakeBroker, intent, report

QUICK = (0.001, 0.001, 0.001)


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def desk(broker: FakeBroker, inbox: Inbox) -> Iterator[Desk]:
    made = Desk(broker, broker, ManualClock(AT), inbox, QUICK)
    yield made
    made.close()


def answer(inbox: Inbox) -> Message:
    message = wait_for(inbox, 5)
    assert message is not None
    return message


def test_an_accepted_order_is_reported(desk: Desk, inbox: Inbox) -> None:
    desk.submit(intent("a"))
    message = answer(inbox)
    assert isinstance(message, e.OrderReported)
    assert message.report.status is OrderStatus.ACCEPTED


def test_a_clear_no_is_not_sent(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.submit_error = OrderRefused("a", "insufficient buying power", "40310000")
    desk.submit(intent("a"))
    assert answer(inbox) == e.OrderNotSent(AT, ClientOrderId("a"), "insufficient buying power", "40310000")


@pytest.mark.parametrize("error", [OrderFateUnknown("a"), BrokerUnavailable("lost socket")])
def test_without_a_clear_answer_the_order_is_lost_and_not_sent_again(
    desk: Desk, broker: FakeBroker, inbox: Inbox, error: Exception
) -> None:
    error.__cause__ = TimeoutError("504: too slow")
    broker.submit_error = error
    desk.submit(intent("a"))
    assert answer(inbox) == e.OrderLost(AT, ClientOrderId("a"), "504: too slow")
    assert len(broker.sent) == 1


def test_an_order_is_absent_only_when_every_answer_says_so(desk: Desk, inbox: Inbox) -> None:
    desk.inquire(ClientOrderId("a"))
    assert answer(inbox) == e.OrderAbsent(AT, ClientOrderId("a"))


def test_one_failed_question_leaves_the_fate_unknown(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.answers = [None, BrokerUnavailable("503"), None]
    desk.inquire(ClientOrderId("a"))
    assert answer(inbox) == e.OrderLost(AT, ClientOrderId("a"))


def test_an_order_that_shows_up_late_is_found(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.answers = [None, None, report("a", OrderStatus.FILLED, 10)]
    desk.inquire(ClientOrderId("a"))
    message = answer(inbox)
    assert isinstance(message, e.OrderReported)
    assert message.report.filled_quantity == Decimal(10)


def test_a_cancel_brings_the_orders_present_state(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.answers = [report("a", OrderStatus.CANCELLED)]
    desk.cancel(ClientOrderId("a"))
    message = answer(inbox)
    assert broker.cancelled == ["a"]
    assert isinstance(message, e.OrderReported)
    assert message.report.status is OrderStatus.CANCELLED


def test_cancel_everything_cancels_what_the_broker_shows(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.open = (report("a", OrderStatus.ACCEPTED), report("foreign", OrderStatus.ACCEPTED))
    broker.answers = [report("a", OrderStatus.CANCELLED)]
    desk.cancel_everything()
    answer(inbox)
    answer(inbox)
    assert broker.cancelled == ["a", "foreign"]


def test_a_failed_account_question_is_unknown_not_flat(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.down = True
    desk.ask_account()
    assert answer(inbox) == e.AccountSeen(AT, None, None)


def test_failed_bars_are_told_as_failed(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.down = True
    desk.pull_bars([Symbol("XYZ")], AT, AT)
    assert answer(inbox) == BarsPulled(AT, None)


def test_quotes_that_fail_are_an_empty_answer(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.down = True
    desk.ask_quotes([Symbol("XYZ")])
    assert answer(inbox) == e.QuotesSeen(AT, ())


def test_books_are_pulled_together(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.held = (Position(Symbol("XYZ"), Decimal(10), Decimal(20)),)
    desk.pull_books()
    assert answer(inbox) == BooksPulled((), broker.held)


def test_a_question_under_way_is_not_asked_twice(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    broker.gate.clear()
    for _ in range(5):
        desk.inquire(ClientOrderId("a"))
    broker.gate.set()
    answer(inbox)
    time.sleep(0.05)
    assert wait_for(inbox, 0) is None


def test_an_order_on_its_way_is_never_taken_for_absent(desk: Desk, broker: FakeBroker, inbox: Inbox) -> None:
    on_its_way = threading.Event()

    def slow(order: OrderIntent) -> OrderReport:
        on_its_way.wait(5)
        return report(order.client_id, OrderStatus.ACCEPTED)

    broker.submit_order = slow  # type: ignore[method-assign]
    desk.submit(intent("a"))
    desk.inquire(ClientOrderId("a"))

    assert answer(inbox) == e.OrderLost(AT, ClientOrderId("a"))
    on_its_way.set()
    assert isinstance(answer(inbox), e.OrderReported)


def test_cancel_everything_asks_until_the_broker_answers(desk: Desk, broker: FakeBroker) -> None:
    broker.open = (report("by-hand", OrderStatus.ACCEPTED),)
    broker.down = True
    desk.cancel_everything()
    time.sleep(0.1)
    assert broker.cancelled == []
    broker.down = False

    wait_until(lambda: broker.cancelled == [ClientOrderId("by-hand")])


def test_exits_sent_after_cancel_everything_are_spared(desk: Desk, broker: FakeBroker) -> None:
    broker.open = (report("entry", OrderStatus.ACCEPTED), report("exit", OrderStatus.ACCEPTED))
    broker.down = True
    desk.submit(intent("entry"))
    desk.cancel_everything()
    desk.submit(intent("exit", Side.SELL))
    broker.down = False

    wait_until(lambda: len(broker.cancelled) > 0)
    time.sleep(0.05)
    assert broker.cancelled == [ClientOrderId("entry")]


def test_a_sale_does_not_wait_behind_inquiries(desk: Desk, broker: FakeBroker) -> None:
    broker.gate.clear()
    for number in range(6):
        desk.inquire(ClientOrderId(f"unknown-{number}"))

    desk.submit(intent("exit", Side.SELL))

    wait_until(lambda: len(broker.sent) == 1, 2)
    broker.gate.set()


def wait_until(done: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
