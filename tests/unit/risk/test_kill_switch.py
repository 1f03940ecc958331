from decimal import Decimal

from tbot_bot.domain.verdict import ALLOWED, Denied
from tbot_bot.risk.kill_switch import KillSwitch, day_pnl

SWITCH = KillSwitch(Decimal(5_000))


def test_the_limit_itself_trips_and_a_cent_less_does_not() -> None:
    assert SWITCH.see(Decimal("-4999.99")).tripped == ""
    assert SWITCH.judge(Decimal("-4999.99")) == ALLOWED
    assert "loss limit" in SWITCH.see(Decimal("-5000.00")).tripped
    assert isinstance(SWITCH.judge(Decimal("-5000.00")), Denied)


def test_once_tripped_it_stays() -> None:
    fallen = SWITCH.see(Decimal(-6_000))
    assert fallen.see(Decimal(1_000)) is fallen
    assert fallen.pull("operator") is fallen
    assert isinstance(fallen.judge(Decimal(1_000)), Denied)


def test_unknown_pnl_stops_new_entries_but_does_not_trip() -> None:
    assert SWITCH.see(None) is SWITCH
    assert SWITCH.judge(None) == Denied("kill_switch", "today's P&L is unknown", "DAILY_LOSS_LIMIT")


def test_pnl_is_equity_against_the_opening() -> None:
    assert day_pnl(Decimal(95_000), Decimal(100_000)) == -5_000
    assert day_pnl(None, Decimal(100_000)) is None
