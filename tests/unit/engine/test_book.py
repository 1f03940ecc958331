import itertools
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import FINAL_STATUSES, OrderIntent, OrderReport, OrderStatus, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.engine.book import LiveOrder, OrderBook
from tools.simulation.builders import DAY, at

AAA = Symbol("AAA")


def intent(book: OrderBook, purpose: Purpose = Purpose.ENTRY) -> OrderIntent:
    known = book.next_id(StrategyName.OPEN, AAA, purpose)
    return OrderIntent(known, DAY, StrategyName.OPEN, AAA, Side.BUY, purpose, known, at(1), "why", quantity=Decimal(10))


def fresh() -> LiveOrder:
    book = OrderBook("bot", DAY)
    return book.add(intent(book), at(1))


def word(order: LiveOrder, status: OrderStatus, filled: int) -> OrderReport:
    average = Decimal(20) if filled else None
    return OrderReport(order.client_id, "b", AAA, Side.BUY, status, Decimal(filled), average, at(2))


def test_each_attempt_has_its_own_id_and_the_same_act_the_same() -> None:
    book, twin = OrderBook("bot", DAY), OrderBook("bot", DAY)
    first = book.add(intent(book), at(1)).client_id
    assert twin.next_id(StrategyName.OPEN, AAA, Purpose.ENTRY) == first
    assert book.next_id(StrategyName.OPEN, AAA, Purpose.ENTRY) != first


def test_an_unknown_order_may_turn_out_to_live() -> None:
    order = fresh()
    order.status = OrderStatus.UNKNOWN
    assert order.merge(word(order, OrderStatus.ACCEPTED, 0))
    assert order.status is OrderStatus.ACCEPTED


def test_shares_are_believed_even_after_the_end() -> None:
    order = fresh()
    order.merge(word(order, OrderStatus.CANCELLED, 3))
    assert order.merge(word(order, OrderStatus.PARTIALLY_FILLED, 5))
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, 5)


def test_a_settled_order_stays_settled() -> None:
    order = fresh()
    assert order.settle(OrderStatus.REJECTED, "no")
    assert not order.settle(OrderStatus.CANCELLED, "again")
    assert order.dead


STATUSES = st.sampled_from([s for s in OrderStatus if s is not OrderStatus.INTENDED])


@given(st.lists(st.tuples(STATUSES, st.integers(0, 10)), max_size=12))
def test_filled_never_falls_and_final_is_final(words: list[tuple[OrderStatus, int]]) -> None:
    order = fresh()
    for status, filled in words:
        before: tuple[Any, Decimal] = (order.status, order.filled)
        news = order.merge(word(order, status, filled))
        assert order.filled >= before[1]
        assert before[0] not in FINAL_STATUSES or order.status is before[0]
        assert news == ((order.status, order.filled) != before)


def test_any_order_of_the_same_words_ends_with_the_same_shares() -> None:
    said = [(OrderStatus.ACCEPTED, 0), (OrderStatus.PARTIALLY_FILLED, 4), (OrderStatus.FILLED, 10)]
    for shuffled in itertools.permutations(said):
        order = fresh()
        for status, filled in shuffled:
            order.merge(word(order, status, filled))
        assert (order.status, order.filled) == (OrderStatus.FILLED, 10)
