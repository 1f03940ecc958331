import pytest

from tests.unit.paper.conftest import RunningVenue


@pytest.mark.parametrize(
    ("moment", "phase", "until"),
    [
        ("2026-01-05T08:59:59Z", "closed", "2026-01-05T04:00:00-05:00"),
        ("2026-01-05T09:00:00Z", "pre", "2026-01-05T09:30:00-05:00"),
        ("2026-01-05T14:30:00Z", "core", "2026-01-05T16:00:00-05:00"),
        ("2026-01-05T21:00:00Z", "post", "2026-01-05T20:00:00-05:00"),
        ("2026-01-06T01:00:00Z", "closed", "2026-01-06T04:00:00-05:00"),
        ("2026-01-03T15:00:00Z", "closed", "2026-01-05T04:00:00-05:00"),
        ("2026-11-27T18:00:00Z", "post", "2026-11-27T20:00:00-05:00"),
    ],
)
def test_a_markets_clock_tells_its_phase(venue: RunningVenue, moment: str, phase: str, until: str) -> None:
    clock = venue.get("/v3/clock", markets="NYSE", time=moment).json()["clocks"][0]
    assert (clock["phase"], clock["phase_until"]) == (phase, until)
    assert clock["is_market_day"] == (moment[:10] != "2026-01-03")


def test_a_markets_calendar_knows_half_days_and_settlement(venue: RunningVenue) -> None:
    days = venue.get("/v3/calendar/NYSE", start="2026-11-26", end="2026-11-30", timezone="UTC").json()["calendar"]
    assert [(day["date"], day["core_end"], day["settlement_date"]) for day in days] == [
        ("2026-11-27", "2026-11-27T18:00:00+00:00", "2026-11-30"),
        ("2026-11-30", "2026-11-30T21:00:00+00:00", "2026-12-01"),
    ]
