from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderReport, OrderStatus, Side
from tbot_bot.domain.portfolio import Position
from tbot_bot.runtime.desk import BooksPulled
from tbot_bot.runtime.journal import JournalledOrder
from tbot_bot.runtime.reconciler import Reconciler
from tests.unit.runtime.fakes import AT, intent, report

TEN = (Position(Symbol("XYZ"), Decimal(10), Decimal(20)),)


def orders(*known: JournalledOrder) -> dict[ClientOrderId, JournalledOrder]:
    return {order.intent.client_id: order for order in known}


def filled(name: str, side: Side = Side.BUY, status: OrderStatus = OrderStatus.FILLED) -> JournalledOrder:
    return JournalledOrder(intent(name, side), report(name, status, 10, side))


def open_report(name: str) -> tuple[OrderReport, ...]:
    return (report(name, OrderStatus.ACCEPTED),)


def test_equal_books_are_clean() -> None:
    verdict = Reconciler().compare(BooksPulled((), TEN), orders(filled("a")), AT)
    assert verdict.event.clean
    assert verdict.inquire == ()


def test_a_difference_counts_when_it_stands_twice() -> None:
    reconciler = Reconciler()
    assert reconciler.compare(BooksPulled((), ()), orders(filled("a")), AT).event.clean
    second = reconciler.compare(BooksPulled((), ()), orders(filled("a")), AT)
    assert not second.event.clean
    assert "XYZ" in second.event.why


def test_a_difference_that_went_away_is_forgotten() -> None:
    reconciler = Reconciler()
    reconciler.compare(BooksPulled((), ()), orders(filled("a")), AT)
    assert reconciler.compare(BooksPulled((), TEN), orders(filled("a")), AT).event.clean
    assert reconciler.compare(BooksPulled((), ()), orders(filled("a")), AT).event.clean


def test_a_foreign_position_is_a_difference() -> None:
    reconciler = Reconciler()
    for _ in range(2):
        verdict = reconciler.compare(BooksPulled((), TEN), {}, AT)
    assert not verdict.event.clean


def test_a_symbol_with_a_working_market_order_is_not_compared() -> None:
    working = JournalledOrder(intent("b", Side.SELL), report("b", OrderStatus.PARTIALLY_FILLED, 4, Side.SELL))
    reconciler = Reconciler()
    for _ in range(3):
        verdict = reconciler.compare(BooksPulled(open_report("b"), TEN), orders(filled("a"), working), AT)
    assert verdict.event.clean


def test_a_resting_stop_is_no_excuse() -> None:
    stop = JournalledOrder(intent("s", Side.SELL, stop=Decimal(19)), report("s", OrderStatus.ACCEPTED, side=Side.SELL))
    reconciler = Reconciler()
    for _ in range(2):
        verdict = reconciler.compare(BooksPulled(open_report("s"), ()), orders(filled("a"), stop), AT)
    assert not verdict.event.clean


def test_an_order_that_the_broker_does_not_show_is_asked_for() -> None:
    waiting = JournalledOrder(intent("a"), report("a", OrderStatus.ACCEPTED))
    assert Reconciler().compare(BooksPulled((), ()), orders(waiting), AT).inquire == ("a",)
