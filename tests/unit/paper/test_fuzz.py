"""Whatever is asked, the venue answers with a documented status and words, never with a failure of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import HEADERS, RunningVenue, start_venue
from tests.unit.paper.openapi import faults

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.text(max_size=3), max_size=3),
    st.sampled_from(["SPY", "1", "0.001", "-5", "1e9", "NaN", "Infinity", "day", "limit", "bracket", "\x00", "é"]),
)
NUMBERS = st.one_of(ANYTHING, st.decimals(0, 1000, places=2, allow_nan=False).map(str))
ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.one_of(st.sampled_from(["SPY", "SH", "NOSUCH"]), ANYTHING),
        "side": st.one_of(st.sampled_from(["buy", "sell"]), ANYTHING),
        "type": st.one_of(st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]), ANYTHING),
        "time_in_force": st.one_of(st.sampled_from(["day", "gtc", "opg", "cls", "ioc", "fok"]), ANYTHING),
        "order_class": st.one_of(st.sampled_from(["simple", "bracket", "oco", "oto", "mleg", ""]), ANYTHING),
        "qty": NUMBERS,
        "notional": NUMBERS,
        "limit_price": NUMBERS,
        "stop_price": NUMBERS,
        "trail_percent": NUMBERS,
        "trail_price": NUMBERS,
        "extended_hours": ANYTHING,
        "client_order_id": ANYTHING,
        "position_intent": ANYTHING,
        "take_profit": st.one_of(ANYTHING, st.fixed_dictionaries({"limit_price": NUMBERS})),
        "stop_loss": st.one_of(ANYTHING, st.fixed_dictionaries({"stop_price": NUMBERS, "limit_price": NUMBERS})),
    },
)
PATHS = (
    "/v2/orders",
    "/v2/account/activities",
    "/v2/account/portfolio/history",
    "/v2/calendar",
    "/v2/assets",
    "/v2/stocks/bars",
    "/v2/stocks/SPY/trades",
    "/v2/stocks/quotes/latest",
    "/v1beta1/screener/stocks/movers",
    "/v3/clock",
)
NAMES = (
    *("symbols", "start", "end", "limit", "sort", "page_token", "timeframe", "feed", "adjustment", "status", "after"),
    *("until", "direction", "nested", "side", "activity_types", "category", "page_size", "date", "period", "time"),
    *("pnl_reset", "date_type", "asset_class", "top", "markets", "after_order_id"),
)
VALUES = st.one_of(
    st.sampled_from(
        ["SPY", "SPY,SH", "1Min", "1Day", "3", "all", "desc", "true", "2026-01-05", "2026-01-05T15:00:00Z"]
    ),
    st.sampled_from(["9999-12-31", "2026-02-30", "1D", "all", "-1", "", "U1BZfE18Mg=="]),
    st.sampled_from(["0001-01-01", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "1969-12-31T00:00:00Z"]),
    st.text(max_size=12),
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    running = start_venue(VenueSettings(tmp_path_factory.mktemp("paper"), port=0, admin_port=0, symbols=60, hold=True))
    running.skip("2026-01-05T15:47:30Z")
    yield running
    running.stop()


def judged(method: str, path: str, answer: requests.Response) -> None:
    assert answer.status_code in (200, 400, 403, 404, 422), f"{answer.status_code} {answer.text[:200]}"
    body: Any = answer.json()
    if answer.status_code != 200:
        assert body["message"]
    is_data = path.startswith(("/v2/stocks", "/v1"))
    found = faults("market-data-api" if is_data else "trading-api", method, path, answer.status_code, body)
    assert [fault for fault in found if not fault.startswith("body: oneOf")] == []


@pytest.mark.slow
@FUZZ
@given(ORDERS)
def test_any_order_is_taken_or_refused(venue: RunningVenue, body: dict[str, Any]) -> None:
    answer = venue.session.post(venue.url + "/v2/orders", json=_sendable(body), headers=HEADERS, timeout=20)
    judged("POST", "/v2/orders", answer)


@pytest.mark.slow
@FUZZ
@example("/v3/clock", {"markets": "NYSE", "time": "0001-01-01T00:00:00+23:59"})
@example("/v2/stocks/bars", {"symbols": "SPY", "timeframe": "12Month", "start": "0001-01-01", "end": "9999-12-31"})
@example("/v2/account/portfolio/history", {"end": "0001-01-01", "period": "999A"})
@example("/v2/account/portfolio/history", {"start": "0001-01-01T00:00:00+23:59"})
@example("/v2/orders", {"after": "9999-12-31T23:59:59Z"})
@given(st.sampled_from(PATHS), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5))
def test_any_question_is_answered_or_refused(venue: RunningVenue, path: str, query: dict[str, str]) -> None:
    judged("GET", path, venue.session.get(venue.url + path, params=query, headers=HEADERS, timeout=20))


def _sendable(value: Any) -> Any:
    """Without what JSON has no word for."""
    if isinstance(value, dict):
        return {key: _sendable(item) for key, item in value.items()}
    return str(value) if isinstance(value, float) else value
