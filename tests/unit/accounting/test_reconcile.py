from datetime import UTC, datetime
from decimal import Decimal

from tbot_bot.accounting.reconcile import DifferenceKind, Ours, compare_cash, reconcile
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderReport, OrderStatus, Side
from tbot_bot.domain.portfolio import Position

AT = datetime(2025, 3, 10, 14, tzinfo=UTC)


def held(symbol: str, quantity: str) -> Position:
    return Position(Symbol(symbol), Decimal(quantity), Decimal(10))


def order(client_id: str) -> OrderReport:
    return OrderReport(
        ClientOrderId(client_id), "b", Symbol("SPY"), Side.BUY, OrderStatus.ACCEPTED, Decimal(0), None, AT, Decimal(5)
    )


def test_equal_books_have_no_difference_whatever_the_order_and_zeros() -> None:
    ours = Ours([held("A", "1"), held("B", "2.50")], {ClientOrderId("x"): OrderStatus.ACCEPTED})
    assert reconcile(ours, [held("B", "2.5"), held("A", "1.0"), held("C", "0")], [order("x")]) == ()


def test_each_way_that_positions_differ_is_told_apart() -> None:
    ours = Ours([held("A", "1"), held("B", "2"), held("C", "-3")], {})
    found = reconcile(ours, [held("B", "3"), held("C", "-3"), held("D", "4")], [])
    assert [(d.kind, d.subject, d.ours, d.theirs) for d in found] == [
        (DifferenceKind.POSITION_MISSING_AT_BROKER, "A", Decimal(1), None),
        (DifferenceKind.QUANTITY, "B", Decimal(2), Decimal(3)),
        (DifferenceKind.POSITION_MISSING_HERE, "D", None, Decimal(4)),
    ]
    assert found[1].words == "our books hold 2 B, the broker 3"


def test_an_answer_that_did_not_come_is_never_flat() -> None:
    found = reconcile(Ours([], {}), None, None)
    assert [d.kind for d in found] == [DifferenceKind.UNANSWERED] * 2


def test_a_symbol_with_an_order_in_flight_waits_for_it() -> None:
    ours = Ours([], {}, in_flight=[Symbol("A")])
    assert [d.subject for d in reconcile(ours, [held("A", "1"), held("B", "1")], [])] == ["B"]


def test_orders_are_compared_by_our_id() -> None:
    ours = Ours(
        [],
        {
            ClientOrderId("done"): OrderStatus.FILLED,
            ClientOrderId("gone"): OrderStatus.ACCEPTED,
            ClientOrderId("asked"): OrderStatus.UNKNOWN,
            ClientOrderId("fresh"): OrderStatus.INTENDED,
        },
    )
    found = reconcile(ours, [], [order("done"), order("stranger")])
    assert [(d.kind, d.subject) for d in found] == [
        (DifferenceKind.ORDER_STILL_OPEN, "done"),
        (DifferenceKind.UNKNOWN_ORDER, "stranger"),
        (DifferenceKind.ORDER_MISSING_AT_BROKER, "gone"),
    ]


def test_cash_may_differ_by_less_than_a_cent() -> None:
    assert compare_cash(Decimal("100.004"), Decimal("100.00")) == ()
    (difference,) = compare_cash(Decimal("100.01"), Decimal("100.00"))
    assert difference.words == "our books hold 100.01 USD in cash, the broker 100.00"
