from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.paper.book import Order
from tbot_bot.paper.matching import Stretch, find_touch
from tbot_bot.paper.view import Quote

LAST = 20_000


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


def line(first: int, last: int, half: int = 0) -> Stretch:
    """Ticks at both ends; whole cents on the way."""

    def price(ms: int) -> int:
        return round((first + (last - first) * ms / LAST) / 100) * 100

    def quote(ms: int) -> Quote:
        return Quote((price(ms) - half) // 100 * 100, -(-(price(ms) + half) // 100) * 100)

    return Stretch(0, LAST, min(first, last), max(first, last), price, quote)


def at(first: float, last: float, half: float = 0) -> Stretch:
    return line(round(first * 10_000), round(last * 10_000), round(half * 10_000))


@pytest.mark.parametrize(
    ("side", "stop", "stretch", "price"),
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
    side: str, stop: str, stretch: Stretch, price: float | None
) -> None:
    resting = order(side, "stop", stop_price=Decimal(stop))
    touch = find_touch(resting, stretch)
    assert (None if touch is None else stretch.price(touch) / 10_000) == price
    assert resting.triggered == (price is not None)


@pytest.mark.parametrize(
    ("side", "limit", "stretch", "counterpart"),
    [
        ("buy", "50", at(51, 49, 0.05), 50.0),
        ("buy", "50", at(51, 49.96, 0.05), None),
        ("buy", "50", at(49, 52, 0.05), 49.05),
        ("sell", "50", at(49, 51, 0.05), 50.0),
        ("sell", "50", at(51, 49, 0.05), 50.95),
        ("sell", "50", at(49, 50.04, 0.05), None),
        ("buy", "0.9955", at(1.02, 0.99), 0.99),
        ("sell", "0.9955", at(0.98, 1.01), 1.0),
    ],
)
def test_a_limit_fills_when_the_far_side_of_the_spread_reaches_it(
    side: str, limit: str, stretch: Stretch, counterpart: float | None
) -> None:
    touch = find_touch(order(side, "limit", limit_price=Decimal(limit)), stretch)
    if touch is None:
        assert counterpart is None
    else:
        quote = stretch.quote(touch)
        assert (quote.ask if side == "buy" else quote.bid) / 10_000 == counterpart


@given(
    ends=st.tuples(st.integers(100, 20_000), st.integers(100, 20_000)),
    half=st.integers(0, 500),
    limit=st.integers(1, 20_000),
    side=st.sampled_from(("buy", "sell")),
)
def test_a_limit_executes_at_the_first_instant_at_which_the_quote_meets_it_and_at_no_other(
    ends: tuple[int, int], half: int, limit: int, side: str
) -> None:
    stretch = line(ends[0] * 100, ends[1] * 100, half)
    touch = find_touch(order(side, "limit", limit_price=Decimal(limit) / 100), stretch)

    def met(ms: int) -> bool:
        return stretch.quote(ms).ask <= limit * 100 if side == "buy" else stretch.quote(ms).bid >= limit * 100

    if touch is None:
        assert not met(0)
        assert not met(LAST)
    else:
        assert met(touch)
        assert touch == 0 or not met(touch - 1)


def test_a_stop_limit_is_elected_first_and_then_waits_for_its_limit() -> None:
    resting = order("sell", "stop_limit", stop_price=Decimal(50), limit_price=Decimal("50.50"))
    assert find_touch(resting, at(51, 49)) is None
    assert resting.triggered
    stretch = at(49, 51)
    touch = find_touch(resting, stretch)
    assert touch is not None
    assert stretch.price(touch) == 505_000


@given(prices=st.lists(st.integers(100, 20_000), min_size=2, max_size=30), percent=st.integers(1, 50))
def test_a_trailing_stop_only_tightens_and_keeps_its_distance(prices: list[int], percent: int) -> None:
    resting = order("sell", "trailing_stop", trail_percent=Decimal(percent))
    stop = Decimal(0)
    for first, last in pairwise(prices):
        if find_touch(resting, line(first * 100, last * 100)) is not None:
            assert min(first, last) * 100 <= float(resting.stop_price or 0) * 10_000 + 1
            return
        assert resting.stop_price is not None
        assert resting.stop_price >= stop
        stop = resting.stop_price
        assert last * 100 > stop * 10_000


def test_a_trailing_buy_stop_mirrors_it() -> None:
    resting = order("buy", "trailing_stop", trail_price=Decimal(1))
    assert find_touch(resting, at(50, 48)) is None
    assert resting.stop_price == Decimal(49)
    stretch = at(48, 50)
    touch = find_touch(resting, stretch)
    assert touch is not None
    assert stretch.price(touch) == 490_000
