import time

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderStatus

from tests.unit.paper.conftest import RunningVenue
from tests.unit.paper.test_rest_trading import OPEN, market


def test_health_tells_what_the_venue_holds(venue: RunningVenue) -> None:
    venue.trading().submit_order(market("SPY", "buy", 1))
    told = venue.admin("GET", "/health").json()
    assert told["status"] == "ok"
    assert told["open_orders"] == 1
    assert told["accounts"] == 1


def test_admin_paths_are_not_on_the_public_port(venue: RunningVenue) -> None:
    for path in ("/faults", "/clock/run", "/health"):
        assert venue.get(path).status_code == 404
        assert requests.post(venue.url + path, timeout=10).status_code == 401


def test_the_clock_is_set_paused_run_and_skipped_forward_only(venue: RunningVenue) -> None:
    assert venue.admin("GET", "/clock").json()["running"] is False
    assert venue.admin("POST", "/clock", {"speed": 400}).json()["speed"] == "400"
    assert venue.admin("POST", "/clock/run").json()["running"] is True
    time.sleep(0.1)
    paused = venue.admin("POST", "/clock/pause").json()
    assert paused["time"] > "2026-01-05T14:25:30Z"
    assert venue.admin("POST", "/clock/skip_to", {"time": "2026-01-02T14:30:00Z"}).status_code == 422
    assert venue.admin("POST", "/clock/skip_to", {"time": "soon"}).status_code == 422
    assert venue.admin("POST", "/clock", {"speed": -1}).status_code == 422
    assert venue.admin("POST", "/clock", {"speed": "NaN"}).status_code == 422


@pytest.mark.parametrize("status", [429, 500, 503])
def test_failing_calls_do_nothing_and_are_counted(venue: RunningVenue, status: int) -> None:
    client = venue.trading()
    venue.admin("POST", "/faults", {"http_status": status, "http_count": 1, "http_method": "POST"})
    with pytest.raises(APIError) as error:
        client.submit_order(market("SPY", "buy", 1, client_order_id="mine"))
    assert error.value.status_code == status
    with pytest.raises(APIError) as error:
        client.get_order_by_client_id("mine")
    assert error.value.status_code == 404
    client.submit_order(market("SPY", "buy", 1, client_order_id="mine"))


def test_a_504_comes_after_the_order_was_accepted(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.admin("POST", "/faults", {"http_status": 504, "http_count": 1, "http_path": "/v2/orders"})
    with pytest.raises(APIError) as error:
        client.submit_order(market("SPY", "buy", 1, client_order_id="mine"))
    assert error.value.status_code == 504
    assert client.get_order_by_client_id("mine").status == OrderStatus.ACCEPTED


def test_latency_delays_every_answer(venue: RunningVenue) -> None:
    venue.admin("POST", "/faults", {"latency_ms": 300})
    start = time.monotonic()
    venue.get("/v2/clock")
    assert time.monotonic() - start >= 0.3


def test_a_halted_symbol_does_not_trade_until_it_resumes(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    venue.admin("POST", "/faults", {"halt": "SPY"})
    order = client.submit_order(market("SPY", "buy", 1))
    venue.skip("2026-01-05T14:35:00Z")
    assert client.get_order_by_id(order.id).status == OrderStatus.NEW
    venue.admin("POST", "/faults", {"resume": "SPY"})
    venue.skip("2026-01-05T14:36:00Z")
    assert client.get_order_by_id(order.id).status == OrderStatus.FILLED


def test_orders_fill_in_parts_on_demand(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    venue.admin("POST", "/faults", {"partial_fills": 1})
    client.submit_order(market("SPY", "buy", 10))
    venue.skip("2026-01-05T14:33:00Z")
    fills = client.get("/account/activities", {"direction": "asc"})
    assert [(fill["type"], fill["qty"]) for fill in fills] == [("partial_fill", "5"), ("fill", "5")]


def test_clock_skew_moves_only_what_the_clock_says(venue: RunningVenue) -> None:
    before = venue.trading().get_clock().timestamp
    venue.admin("POST", "/faults", {"clock_skew_s": -90})
    assert (before - venue.trading().get_clock().timestamp).total_seconds() == 90


def test_faults_are_shown_refused_when_unknown_and_cleared(venue: RunningVenue) -> None:
    assert venue.admin("POST", "/faults", {"latency_ms": 5, "halt": "SPY"}).json()["halted"] == ["SPY"]
    for bad in ({"gremlins": 1}, {"latency_ms": -1}, {"latency_ms": True}, {"http_status": 418}, ["x"]):
        assert venue.admin("POST", "/faults", bad).status_code == 422
    assert venue.admin("GET", "/faults").json()["latency_ms"] == 5
    cleared = venue.admin("DELETE", "/faults").json()
    assert cleared["latency_ms"] == 0
    assert cleared["halted"] == []


def test_a_web_page_cannot_reach_the_admin_port(venue: RunningVenue) -> None:
    url = f"http://127.0.0.1:{venue.server.admin_port}/clock/run"
    assert requests.post(url, headers={"Origin": "https://example.com"}, timeout=10).status_code == 403
    assert requests.post(url, headers={"Host": "example.com"}, timeout=10).status_code == 403
    assert venue.admin("GET", "/clock").json()["running"] is False
