from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.paper.settings import VenueSettings


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "localhost.example.com", ""])
def test_a_host_that_is_not_loopback_is_refused(host: str) -> None:
    with pytest.raises(ConfigInvalid, match="loopback"):
        VenueSettings(state_dir=Path("x"), host=host)


@pytest.mark.parametrize(
    "change",
    [
        {"speed": Decimal(0)},
        {"speed": Decimal("Infinity")},
        {"market": "replay"},
        {"symbols": 3},
        {"opening_cash": Decimal(0)},
        {"match_latency_ms": -1},
        {"report_latency_ms": 60_001},
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid):
        VenueSettings(state_dir=Path("x"), **change)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ConfigInvalid, match=r"speed.*start_minutes"):
        VenueSettings(state_dir=Path("x"), speed=Decimal(-1), start_minutes=-1)
