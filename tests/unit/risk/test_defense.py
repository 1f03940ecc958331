from decimal import Decimal

import pytest

from tbot_bot.risk.defense import NO_FACTS, DefenseFacts, causes, why_active
from tools.simulation.builders import settings

DEFENSE = settings().defense


def test_a_calm_account_has_no_cause() -> None:
    calm = DefenseFacts(drawdown=Decimal("0.0499"), losing_days=2, vix=Decimal("39.99"))
    assert causes(calm, DEFENSE) == ()
    assert why_active(NO_FACTS, DEFENSE) == ""


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (DefenseFacts(drawdown=Decimal("0.05")), "drawdown"),
        (DefenseFacts(losing_days=3), "losing days"),
        (DefenseFacts(vix=Decimal(40)), "VIX"),
        (DefenseFacts(repeated_faults=True), "faults"),
    ],
)
def test_each_cause_switches_it_on(facts: DefenseFacts, word: str) -> None:
    assert word in why_active(facts, DEFENSE)


def test_the_setting_switches_it_on() -> None:
    assert "DEFENSE_MODE_ACTIVE" in why_active(NO_FACTS, settings(DEFENSE_MODE_ACTIVE="true").defense)


def test_it_lingers_for_five_clean_sessions_unless_an_admin_ends_it() -> None:
    assert "4 of 5" in why_active(DefenseFacts(active_before=True, clean_sessions=4), DEFENSE)
    assert why_active(DefenseFacts(active_before=True, clean_sessions=5), DEFENSE) == ""
    assert why_active(DefenseFacts(active_before=True, clean_sessions=1, ended_by_admin=True), DEFENSE) == ""
