from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.accounting.units import divide, from_micros, from_nanos, to_micros, to_nanos, value_micros


@pytest.mark.parametrize(("top", "bottom", "result"), [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (10, 3, 3)])
def test_halves_go_to_the_even_neighbour(top: int, bottom: int, result: int) -> None:
    assert divide(top, bottom) == result


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_division_is_off_by_at_most_a_half(top: int, bottom: int) -> None:
    assert abs(Fraction(top, bottom) - divide(top, bottom)) <= Fraction(1, 2)


def test_a_large_fractional_fill_is_valued_without_losing_digits() -> None:
    quantity, price = Decimal("1234567.123456789"), Decimal("98765.4321")
    assert value_micros(to_nanos(quantity), to_nanos(price)) == 121_932_555_404_663_811


@given(st.decimals("-1000000000", "1000000000", places=6))
def test_dollars_survive_the_trip_through_the_ledger(amount: Decimal) -> None:
    assert from_micros(to_micros(amount)) == amount


def test_amounts_are_never_written_with_an_exponent() -> None:
    assert (str(from_nanos(100 * 10**9)), str(from_micros(-2_500_000)), str(from_micros(0))) == ("100", "-2.5", "0")
