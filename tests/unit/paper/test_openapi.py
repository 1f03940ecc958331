"""Every answer of the venue against the broker's published documents."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import HEADERS, RunningVenue, start_venue
from tests.unit.paper.openapi import faults, undocumented

EXCEPTIONS = {
    f"GET /v2/account/activities{kind} 200 body: oneOf": "trade and other activities require no field: each is both"
    for kind in ("", "/FILL")
}
"""What the documents are themselves wrong about, and why."""


MORE = {
    "easy_to_borrow": "the broker's Python client requires it of an asset",
    "subtag": "the broker sends it with each order",
    "source": "the broker sends it with each order",
    "account_id": "the broker's Python client requires it of an activity",
    "order_id": "the broker's Python client reads it from a closed position",
    "speed": "the venue's own: market seconds per real second",
}
"""Fields that the documents do not know, and why the venue sends them."""


class Caller:
    """Asks the venue and keeps what the documents have against the answers."""

    def __init__(self, venue: RunningVenue) -> None:
        self.venue = venue
        self.calls = 0
        self.against: list[str] = []

    def __call__(self, method: str, path: str, status: int, body: object = None, /, **query: str) -> Any:
        answer = requests.request(method, self.venue.url + path, params=query, json=body, headers=HEADERS, timeout=20)
        assert answer.status_code == status, f"{method} {path} {query} {body}: {answer.status_code} {answer.text[:300]}"
        found = answer.json() if answer.content else None
        is_data = path.startswith(("/v2/stocks", "/v1"))
        self.calls += 1
        name = "market-data-api" if is_data else "trading-api"
        new = undocumented(name, method, path, status, found) - MORE.keys()
        self.against += [f"{method} {path} {status} undocumented: {field}" for field in sorted(new)]
        said = faults(name, method, path, status, found)
        lines = [f"{method} {path} {status} {fault}" for fault in said]
        self.against += [line for line in lines if not line.startswith(tuple(EXCEPTIONS))]
        return found


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    settings = VenueSettings(tmp_path_factory.mktemp("paper"), port=0, admin_port=0, symbols=120, hold=True)
    running = start_venue(settings)
    running.skip("2026-01-06T15:47:30Z")
    yield running
    running.stop()


@pytest.fixture
def call(venue: RunningVenue) -> Iterator[Caller]:
    caller = Caller(venue)
    yield caller
    assert sorted(set(caller.against)) == []
    assert caller.calls


@pytest.mark.parametrize("name", ["bars", "trades", "quotes", "auctions"])
@pytest.mark.parametrize("symbol", ["SPY", "NOSUCH"])
def test_histories(call: Caller, name: str, symbol: str) -> None:
    frames = ("1Min", "15Min", "1Hour", "1Day", "1Week", "3Month") if name == "bars" else ("",)
    for frame in frames:
        ask = {"timeframe": frame} if frame else {}
        for more in (
            {},
            {"limit": "1"},
            {"start": "2026-01-05"},
            {"start": "2026-01-05T14:30:00Z", "end": "2026-01-05T14:31:30Z", "sort": "desc", "limit": "5"},
            {"start": "2027-01-05"},
            {"feed": "iex", "currency": "USD", "asof": "2026-01-02"},
        ):
            call("GET", f"/v2/stocks/{name}", 200, symbols=f"{symbol},SH", **ask, **more)
            call("GET", f"/v2/stocks/{symbol}/{name}", 200, **ask, **more)
        for wrong in ({"limit": "0"}, {"start": "soon"}, {"sort": "up"}, {"page_token": "?"}, {"currency": "EUR"}):
            call("GET", f"/v2/stocks/{name}", 400, symbols=symbol, **ask, **wrong)


@pytest.mark.parametrize("name", ["bars", "trades", "quotes"])
def test_latest(call: Caller, name: str) -> None:
    call("GET", f"/v2/stocks/{name}/latest", 200, symbols="SPY,SH,NOSUCH")
    call("GET", f"/v2/stocks/SPY/{name}/latest", 200)
    call("GET", f"/v2/stocks/NOSUCH/{name}/latest", 404)
    call("GET", f"/v2/stocks/{name}/latest", 400)
    call("GET", f"/v2/stocks/{name}/latest", 400, symbols="SPY", feed="other")


def test_snapshots_and_reference(call: Caller) -> None:
    call("GET", "/v2/stocks/snapshots", 200, symbols="SPY,SH,NOSUCH")
    call("GET", "/v2/stocks/SPY/snapshot", 200)
    call("GET", "/v2/stocks/snapshots", 400)
    call("GET", "/v2/stocks/meta/exchanges", 200)
    call("GET", "/v2/stocks/meta/conditions/trade", 200, tape="A")
    call("GET", "/v1beta1/screener/stocks/movers", 200, top="3")
    call("GET", "/v1beta1/screener/stocks/most-actives", 200, by="trades", top="3")
    call("GET", "/v1/corporate-actions", 200, symbols="SPY")
    for path in ("/v1beta1/screener/stocks/movers", "/v1beta1/screener/stocks/most-actives"):
        call("GET", path, 400, top="0")


def test_snapshots_before_the_first_minute(tmp_path: Any) -> None:
    early = start_venue(VenueSettings(tmp_path / "early", port=0, admin_port=0, symbols=60, hold=True))
    try:
        caller = Caller(early)
        caller("GET", "/v2/stocks/snapshots", 200, symbols="SPY,SH")
        caller("GET", "/v2/stocks/bars/latest", 200, symbols="SPY,SH")
        caller("GET", "/v2/account/portfolio/history", 200)
    finally:
        early.stop()
    assert sorted(set(caller.against)) == []


ORDER = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": "4"}


def test_orders_and_positions(call: Caller) -> None:
    price = call("GET", "/v2/stocks/trades/latest", 200, symbols="SPY")["trades"]["SPY"]["p"]
    bought = call("POST", "/v2/orders", 200, ORDER | {"client_order_id": "first"})
    call("POST", "/v2/orders", 422, ORDER | {"client_order_id": "first"})
    call("POST", "/v2/orders", 422, ORDER | {"side": "hold"})
    call("POST", "/v2/orders", 403, ORDER | {"qty": "100000"})
    call.venue.skip("2026-01-06T15:48:30Z")
    call("GET", f"/v2/orders/{bought['id']}", 200)
    call("GET", "/v2/orders:by_client_order_id", 200, client_order_id="first")
    call("GET", "/v2/orders:by_client_order_id", 404, client_order_id="none")
    call("GET", "/v2/orders/00000000-0000-0000-0000-000000000000", 404)
    call("GET", "/v2/positions", 200)
    call("GET", "/v2/positions/SPY", 200)
    call("GET", "/v2/positions/SH", 404)
    resting = call("POST", "/v2/orders", 200, ORDER | {"type": "limit", "limit_price": "1"})
    moved = call("PATCH", f"/v2/orders/{resting['id']}", 422, {"limit_price": "0.00001"})
    call.venue.skip("2026-01-06T15:48:50Z")
    moved = call("PATCH", f"/v2/orders/{resting['id']}", 200, {"limit_price": "2"})
    call("DELETE", f"/v2/orders/{moved['id']}", 204)
    call("DELETE", f"/v2/orders/{moved['id']}", 422)
    trail = ORDER | {"side": "sell", "type": "trailing_stop", "trail_percent": "5"}
    call("POST", "/v2/orders", 200, trail)
    call.venue.skip("2026-01-06T15:49:30Z")
    bracket = {"order_class": "bracket", "take_profit": {"limit_price": "9999"}, "stop_loss": {"stop_price": "1"}}
    call("DELETE", "/v2/orders", 207)
    call("POST", "/v2/orders", 200, ORDER | {"qty": "1"} | bracket)
    call("POST", "/v2/orders", 200, {**ORDER, "symbol": "SH", "qty": None, "notional": "50"})
    call.venue.skip("2026-01-06T15:50:30Z")
    stop = {"stop_price": str(round(price / 2, 2)), "limit_price": str(round(price / 3, 2))}
    call("POST", "/v2/orders", 200, ORDER | {"side": "sell", "type": "stop_limit", **stop})
    for query in (
        {"status": "all"},
        {"status": "closed", "limit": "2", "direction": "asc"},
        {"nested": "true", "status": "all"},
        {"symbols": "SPY,SH", "side": "sell"},
        {"after": "2026-01-06T00:00:00Z", "status": "all"},
        {"after_order_id": bought["id"], "status": "all"},
        {"asset_class": "crypto"},
    ):
        call("GET", "/v2/orders", 200, **query)
    call("GET", "/v2/orders", 422, status="some")
    call("DELETE", "/v2/positions/SH", 200, percentage="50")
    call("DELETE", "/v2/positions", 207, cancel_orders="true")
    call.venue.skip("2026-01-06T15:51:30Z")
    call("DELETE", "/v2/positions/SPY", 404)
    for query in (
        {},
        {"activity_types": "FILL"},
        {"category": "trade_activity", "page_size": "1"},
        {"date": "2026-01-06"},
    ):
        assert call("GET", "/v2/account/activities", 200, **query)
    call("GET", "/v2/account/activities", 200, category="non_trade_activity")
    call("GET", "/v2/account/activities/FILL", 200, direction="asc")
    assert call("GET", "/v2/account/activities/DIV", 200) == []
    for timeframe in ("1Min", "5Min", "15Min", "1H", "1D"):
        call("GET", "/v2/account/portfolio/history", 200, period="2D", timeframe=timeframe)
    call("GET", "/v2/account/portfolio/history", 422, period="1Q")


def test_account_assets_and_times(call: Caller) -> None:
    call("GET", "/v2/account", 200)
    call("GET", "/v2/account/configurations", 200)
    call("PATCH", "/v2/account/configurations", 200, {"trade_confirm_email": "none"})
    call("PATCH", "/v2/account/configurations", 422, {"no_shorting": "perhaps"})
    call("GET", "/v2/clock", 200)
    call("GET", "/v2/calendar", 200, start="2026-01-01", end="2026-02-01")
    call("GET", "/v2/calendar", 200, start="2026-01-01", end="2026-02-01", date_type="SETTLEMENT")
    call("GET", "/v2/assets", 200)
    call("GET", "/v2/assets", 200, asset_class="crypto")
    found = call("GET", "/v2/assets/SPY", 200)
    call("GET", f"/v2/assets/{found['id']}", 200)
    call("GET", "/v2/assets/NOSUCH", 404)
    call("GET", "/v2/corporate_actions/announcements", 200, ca_types="dividend", since="2026-01-01", until="2026-02-01")
    call("GET", "/v2/corporate_actions/announcements", 422, ca_types="dividend", since="2026-01-01")
    call("GET", "/v2/corporate_actions/announcements/1", 404)
    call("GET", "/v2/options/contracts", 404)


def test_clocks_and_calendars_of_markets(call: Caller) -> None:
    call("GET", "/v3/clock", 200, markets="NYSE,NASDAQ")
    call("GET", "/v3/clock", 200, markets="IEX", time="2026-01-04T12:00:00Z")
    call("GET", "/v3/clock", 400, markets="LSE")
    call("GET", "/v3/clock", 400)
    call("GET", "/v3/calendar/NYSE", 200)
    call("GET", "/v3/calendar/XNAS", 200, start="2026-11-25", end="2026-11-30", timezone="UTC")
    call("GET", "/v3/calendar/NYSE", 400, start="soon")
    call("GET", "/v3/calendar/LSE", 400)


def test_watchlists(call: Caller) -> None:
    made = call("POST", "/v2/watchlists", 200, {"name": "mine", "symbols": ["SPY"]})
    call("POST", "/v2/watchlists", 422, {"name": "mine"})
    call("POST", "/v2/watchlists", 422, {"name": "other", "symbols": ["NOSUCH"]})
    call("GET", "/v2/watchlists", 200)
    by_id = f"/v2/watchlists/{made['id']}"
    call("POST", by_id, 200, {"symbol": "SH"})
    call("PUT", by_id, 200, {"name": "renamed", "symbols": ["SH", "DOG"]})
    call("DELETE", f"{by_id}/SH", 200)
    call("GET", by_id, 200)
    call("GET", "/v2/watchlists:by_name", 200, name="renamed")
    call("POST", "/v2/watchlists:by_name", 200, {"symbol": "SPY"}, name="renamed")
    call("PUT", "/v2/watchlists:by_name", 200, {"name": "again"}, name="renamed")
    call("DELETE", "/v2/watchlists:by_name", 204, name="again")
    call("GET", by_id, 404)
    call("DELETE", by_id, 404)


def test_a_caller_without_credentials_is_refused_as_documented(venue: RunningVenue) -> None:
    for path, name in (("/v2/account", "trading-api"), ("/v2/stocks/snapshots", "market-data-api")):
        answer = requests.get(venue.url + path, timeout=10)
        assert faults(name, "GET", path, answer.status_code, answer.json()) == []
        assert answer.status_code == 401
