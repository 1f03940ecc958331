from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tbot_bot.paper.plans import Budget
from tbot_bot.paper.settings import VenueSettings
from tbot_bot.support.clock import ManualClock
from tests.unit.paper.conftest import HEADERS, RunningVenue, start_venue

START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def limited(settings: VenueSettings) -> Iterator[RunningVenue]:
    running = start_venue(replace(settings, plan="basic"))
    yield running
    running.stop()


@pytest.mark.parametrize(("speed", "window"), [(1, 60), (60, 1)])
def test_a_window_is_a_market_minute(speed: int, window: int) -> None:
    clock = ManualClock(START)
    budget = Budget(3, lambda: Decimal(speed), clock.now, lambda: (clock.now() - START).total_seconds())
    seen = [budget.take("a") for _ in range(4)]
    assert [(found.remaining, found.granted) for found in seen if found] == [
        (2, True),
        (1, True),
        (0, True),
        (0, False),
    ]
    assert seen[-1] is not None
    assert seen[-1].reset == START.timestamp() + window
    other = budget.take("b")
    assert other is not None
    assert other.granted
    clock.advance(timedelta(seconds=window))
    again = budget.take("a")
    assert again is not None
    assert again.remaining == 2


def test_trading_and_data_have_budgets_of_their_own_and_headers_tell_them(limited: RunningVenue) -> None:
    for left in range(199, -1, -1):
        answer = limited.get("/v2/clock")
        assert answer.headers["X-RateLimit-Remaining"] == str(left)
    refused = limited.get("/v2/clock")
    assert (refused.status_code, refused.json()["code"]) == (429, 42910000)
    assert refused.headers["X-RateLimit-Limit"] == "200"
    assert refused.headers["X-RateLimit-Reset"].isdigit()
    data = limited.get("/v2/stocks/quotes/latest", symbols="SPY")
    assert (data.status_code, data.headers["X-RateLimit-Remaining"]) == (200, "199")


def test_every_answer_has_a_request_id_of_its_own(venue: RunningVenue) -> None:
    answers = [venue.get(path) for path in ("/v2/account", "/v2/orders/none", "/v2/nothing")]
    answers.append(venue.session.get(venue.url + "/v2/account", timeout=10))
    assert [answer.status_code for answer in answers] == [200, 404, 404, 401]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 4
    assert "X-RateLimit-Limit" not in answers[0].headers


def test_a_fault_has_a_request_id_too(venue: RunningVenue) -> None:
    venue.admin("POST", "/faults", {"http_status": 503, "http_count": 1})
    answer = venue.session.get(venue.url + "/v2/account", headers=HEADERS, timeout=10)
    assert answer.status_code == 503
    assert answer.headers["X-Request-ID"]
