from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.paper.book import Order
from tbot_bot.paper.matching import Stretch, find_touch


def order(side: str, kind: str, **more: Any) -> Order:
    return Order(
        "id",
        1,
        "account",
        "client",
        "SPY",
        side,
        kind,
        "day",
        "2026-01-05",
        0,
        qty=Decimal(1),
        **more,  # type: ignore[arg-type]
    )


def at(first: float, last: float, half: float = 0) -> Stretch:
    return Stretch(round(first * 10_000), round(last * 10_000), round(half * 10_000))


@pytest.mark.parametrize(
    ("side", "stop", "stretch", "mid"),
    [
        ("sell", "50", at(51, 49), 50.0),
        ("sell", "50", at(51, 50), 50.0),
        ("sell", "50", at(51, 50.01), None),
        ("sell", "50", at(48, 49), 48.0),
        ("buy", "50", at(49, 51), 50.0),
        ("buy", "50", at(52, 51), 52.0),
        ("buy", "50", at(49, 49.99), None),
    ],
)
def test_a_stop_fills_at_its_level_or_where_a_gap_has_put_the_price(
    side: str, stop: str, stretch: Stretch, mid: float | None
) -> None:
    resting = order(side, "stop", stop_price=Decimal(stop))
    touch = find_touch(resting, stretch)
    assert (touch and touch.mid / 10_000) == mid
    assert resting.triggered == (mid is not None)


@pytest.mark.parametrize(
    ("side", "limit", "stretch", "mid"),
    [
        ("buy", "50", at(51, 49, 0.05), 49.95),
        ("buy", "50", at(51, 49.96, 0.05), None),
        ("buy", "50", at(49, 52, 0.05), 49.0),
        ("sell", "50", at(49, 51, 0.05), 50.05),
        ("sell", "50", at(51, 49, 0.05), 51.0),
        ("sell", "50", at(49, 50.04, 0.05), None),
    ],
)
def test_a_limit_fills_when_the_far_side_of_the_spread_reaches_it(
    side: str, limit: str, stretch: Stretch, mid: float | None
) -> None:
    touch = find_touch(order(side, "limit", limit_price=Decimal(limit)), stretch)
    assert (touch and touch.mid / 10_000) == mid


def test_a_stop_limit_is_elected_first_and_then_waits_for_its_limit() -> None:
    resting = order("sell", "stop_limit", stop_price=Decimal(50), limit_price=Decimal("50.50"))
    assert find_touch(resting, at(51, 49)) is None
    assert resting.triggered
    touch = find_touch(resting, at(49, 51))
    assert touch is not None
    assert touch.mid == 505_000


@given(prices=st.lists(st.integers(10_000, 2_000_000), min_size=2, max_size=30), percent=st.integers(1, 50))
def test_a_trailing_stop_only_tightens_and_keeps_its_distance(prices: list[int], percent: int) -> None:
    resting = order("sell", "trailing_stop", trail_percent=Decimal(percent))
    stop = Decimal(0)
    for first, last in pairwise(prices):
        if find_touch(resting, Stretch(first, last, 0)):
            assert min(first, last) <= float(resting.stop_price or 0) * 10_000 + 1
            return
        assert resting.stop_price is not None
        assert resting.stop_price >= stop
        stop = resting.stop_price
        assert last > stop * 10_000


def test_a_trailing_buy_stop_mirrors_it() -> None:
    resting = order("buy", "trailing_stop", trail_price=Decimal(1))
    assert find_touch(resting, at(50, 48)) is None
    assert resting.stop_price == Decimal(49)
    touch = find_touch(resting, at(48, 50))
    assert touch is not None
    assert touch.mid == 490_000
