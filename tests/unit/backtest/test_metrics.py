import statistics
from datetime import UTC, datetime
from decimal import Decimal

from tbot_bot.backtest.metrics import max_drawdown, measure, returns, sharpe
from tbot_bot.backtest.session import EquityPoint

AT = datetime(2025, 1, 6, 15, tzinfo=UTC)


def test_drawdown_is_the_largest_fall_from_a_peak() -> None:
    assert max_drawdown(map(Decimal, (100, 120, 90, 130, 117))) == Decimal("0.25")
    assert max_drawdown(map(Decimal, (100, 110))) == 0


def test_sharpe_is_that_of_the_textbook() -> None:
    daily = returns([Decimal(equity) for equity in (100, 102, 101, 104)])
    floats = [float(one) for one in daily]
    expected = statistics.mean(floats) / statistics.stdev(floats) * 252**0.5
    found = sharpe(daily)
    assert found is not None
    assert abs(float(found) - expected) < 1e-5


def test_what_cannot_be_known_is_none() -> None:
    assert sharpe([Decimal("0.01")]) is None
    assert sharpe([Decimal("0.01"), Decimal("0.01")]) is None
    empty = measure(Decimal(100), [], [], [])
    assert (empty["hit_rate"], empty["profit_factor"], empty["exposure"], empty["return"]) == (
        None,
        None,
        None,
        "0.000000",
    )


def test_exposure_is_the_mean_share_invested() -> None:
    curve = [EquityPoint(AT, Decimal(100), Decimal(50)), EquityPoint(AT, Decimal(100), Decimal(0))]
    assert measure(Decimal(100), [Decimal(100)], curve, [])["exposure"] == "0.250000"
