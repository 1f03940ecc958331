import sqlite3
import time
from dataclasses import replace

import pytest

from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import HEADERS, RunningVenue, start_venue, wait_for
from tests.unit.paper.test_rest_trading import market


def broken(*_: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def test_an_order_that_cannot_be_written_is_not_acknowledged_and_ends_the_venue(settings: VenueSettings) -> None:
    venue = start_venue(settings)
    assert venue.trading().get_account()
    assert venue.server.venue is not None
    venue.server.venue.store.commit = broken  # type: ignore[method-assign, assignment]
    body = {"symbol": "SPY", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}
    answer = venue.session.post(venue.url + "/v2/orders", json=body, headers=HEADERS, timeout=10)
    assert answer.status_code == 500
    wait_for(lambda: not venue.thread.is_alive())
    assert isinstance(venue.server.failure, sqlite3.OperationalError)
    venue.session.close()
    again = start_venue(settings)
    assert again.trading().get_orders() == []
    again.stop()


def test_a_market_that_cannot_be_stepped_ends_the_venue(settings: VenueSettings) -> None:
    venue = start_venue(replace(settings, hold=False))
    assert venue.server.venue is not None
    venue.server.venue.exchange.advance = broken  # type: ignore[method-assign, assignment]
    wait_for(lambda: not venue.thread.is_alive())
    assert isinstance(venue.server.failure, sqlite3.OperationalError)
    venue.session.close()


def test_two_venues_cannot_take_one_port(venue: RunningVenue, settings: VenueSettings) -> None:
    with pytest.raises(OSError, match="address already in use"):
        start_venue(replace(settings, state_dir=settings.state_dir / "b", port=venue.server.port))


def test_the_clock_goes_on_after_a_clean_restart(settings: VenueSettings) -> None:
    venue = start_venue(settings)
    venue.skip("2026-01-05T15:00:00Z")
    order = venue.trading().submit_order(market("SPY", "buy", 1))
    venue.stop()
    venue = start_venue(settings)
    assert venue.get("/v2/clock").json()["timestamp"] >= "2026-01-05T10:00:00"
    time.sleep(0.1)
    assert venue.trading().get_order_by_id(order.id).status == "filled"
    venue.stop()
