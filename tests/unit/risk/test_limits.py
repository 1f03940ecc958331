from dataclasses import replace
from decimal import Decimal

from tbot_bot.risk.limits import allowed_trades, limits_today
from tools.simulation.builders import settings


def test_limits_are_taken_from_the_opening_equity() -> None:
    limits = limits_today(settings(), Decimal(100_000))
    assert limits.session_cap == 2_000
    assert limits.max_risk_per_trade == 2_500
    assert limits.daily_loss == 5_000
    assert limits.max_trades == 4


def test_defense_takes_66_percent_of_the_trades_rounded_down() -> None:
    five = settings(MAX_TRADES="5", WEIGHTS="0.2,0.2,0.2,0.2,0.2")
    assert allowed_trades(five.risk, five.defense, active=True) == 3
    assert allowed_trades(settings().risk, settings().defense, active=True) == 2


def test_defense_only_lowers_the_allocation() -> None:
    assert limits_today(settings(), Decimal(100_000), "VIX").session_cap == 1_000
    small = replace(settings(), risk=replace(settings().risk, total_allocation=Decimal("0.005")))
    assert limits_today(small, Decimal(100_000), "VIX").session_cap == 500
