from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.domain.verdict import Denied
from tbot_bot.risk.limits import limits_today
from tbot_bot.risk.sizing import Size, Vehicle, size
from tools.simulation.builders import PAPER, settings

LIMITS = limits_today(settings(), Decimal(100_000))
PLENTY = Decimal(1_000_000)
SHARE = Vehicle(Decimal("37.00"), fractionable=True)


def notional(index: int, vehicle: Vehicle = SHARE, power: Decimal = PLENTY) -> Decimal | None:
    sized = size(LIMITS, index, power, vehicle, PAPER, fractional=True)
    assert isinstance(sized, Size)
    return sized.notional


def test_weights_share_the_cap_of_the_session() -> None:
    assert [notional(k) for k in (1, 2, 3, 4)] == [800, 400, 400, 400]


def test_whole_shares_are_rounded_down() -> None:
    sized = size(LIMITS, 1, PLENTY, SHARE, PAPER, fractional=False)
    assert sized == Size(Decimal(777), quantity=Decimal(21))


def test_risk_per_trade_and_buying_power_bind() -> None:
    tight = replace(LIMITS, max_risk_per_trade=Decimal(500))
    sized = size(tight, 1, PLENTY, SHARE, PAPER, fractional=True)
    assert isinstance(sized, Size)
    assert sized.notional == 500
    assert notional(1, power=Decimal("123.456")) == Decimal("123.45")


def test_leverage_divides_the_notional() -> None:
    assert notional(1, Vehicle(Decimal(20), fractionable=True, leverage=Decimal(2))) == 400


def test_without_orders_by_amount_shares_follow_the_brokers_step() -> None:
    able = replace(PAPER, notional=False, share_step=Decimal("0.01"))
    assert size(LIMITS, 1, PLENTY, SHARE, able, fractional=True) == Size(Decimal("799.94"), quantity=Decimal("21.62"))


@pytest.mark.parametrize(
    ("vehicle", "power"),
    [
        (Vehicle(Decimal(900), fractionable=False), PLENTY),
        (SHARE, Decimal("0.50")),
        (SHARE, Decimal(0)),
        (Vehicle(Decimal(0), fractionable=True), PLENTY),
    ],
)
def test_less_than_the_minimum_is_denied(vehicle: Vehicle, power: Decimal) -> None:
    assert isinstance(size(LIMITS, 1, power, vehicle, PAPER, fractional=True), Denied)


def test_a_short_is_sized_in_whole_shares() -> None:
    sized = size(LIMITS, 1, PLENTY, replace(SHARE, short=True), PAPER, fractional=True)
    assert isinstance(sized, Size)
    assert sized.quantity == 21


@given(
    st.decimals("0.01", "5000", places=2),
    st.decimals("0", "3000", places=2),
    st.integers(1, 4),
    st.sampled_from(("1", "2", "3")),
    st.booleans(),
)
def test_a_size_never_costs_more_than_its_budget(
    price: Decimal, power: Decimal, index: int, leverage: str, fractional: bool
) -> None:
    vehicle = Vehicle(price, fractionable=True, leverage=Decimal(leverage))
    sized = size(LIMITS, index, power, vehicle, PAPER, fractional)
    if isinstance(sized, Size):
        cap = min(LIMITS.session_cap * LIMITS.weights[index - 1], power) / Decimal(leverage)
        assert PAPER.minimum_notional <= sized.value <= cap
        assert (sized.notional is None) != (sized.quantity is None)
