"""A few cases of the failover campaign: venues cut, silenced and killed, traders killed at any time."""

import pytest

from tools.campaign_orders_failover import DEATHS, FAULTS, failover_cases


@pytest.mark.slow
def test_whatever_dies_no_order_is_doubled_or_forgotten() -> None:
    count = len(FAULTS) * len(DEATHS)
    wrong, counts = failover_cases(5, count)
    assert wrong == []
    assert counts["cases"] == count
    assert counts["deaths"] >= 3
    assert counts["at the secondary"] >= 3
