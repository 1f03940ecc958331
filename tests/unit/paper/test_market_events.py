from decimal import Decimal

import numpy as np
import pytest

from tbot_bot.paper.market_events import EventfulMarket, disturbance, next_minute, split
from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import RunningVenue, start_venue
from tests.unit.paper.floor import Floor, blank_order, market, open_floor

MINUTE = 60_000


def jump(floor: Floor, percent: float, halt: int = 0) -> None:
    floor.market.add(disturbance(floor.view, "SPY", percent, halt, floor.now))


def test_a_jump_begins_with_the_next_minute_and_leaves_what_was_seen() -> None:
    with open_floor() as floor:
        floor.advance(5 * MINUTE + 20_000)
        before, row = market(7).session(floor.days[0].day), floor.market.index["SPY"]
        shown = floor.price("SPY")
        jump(floor, -8)
        after = floor.market.session(floor.days[0].day)
        assert floor.price("SPY") == shown
        assert (after.close[row, :6] == before.close[row, :6]).all()
        assert np.abs(after.close[row, 6:] / before.close[row, 6:] - 0.92).max() < 1e-4
        assert (np.delete(after.close, row, 0) == np.delete(before.close, row, 0)).all()
        following = floor.market.session(floor.days[1].day)
        plain = market(7).session(floor.days[1].day)
        assert abs(following.previous_close[row] / plain.previous_close[row] - 0.92) < 1e-4


def test_a_stop_that_a_jump_leaps_over_fills_at_the_price_behind_it() -> None:
    with open_floor() as floor:
        floor.advance(20_000)
        floor.accept(blank_order("SPY", "buy", "in"))
        floor.advance(1_000)
        level = floor.price("SPY").quantize(floor.fills[0].price) - 2
        floor.accept(blank_order("SPY", "sell", "out", type="stop", stop_price=level))
        jump(floor, -8)
        floor.advance(60_000)
        sold = floor.fills[-1]
        assert sold.side == "sell"
        assert sold.time_ms == floor.days[0].open_ms + MINUTE
        assert sold.price < level - 30


def test_a_halt_stands_still_and_reopens_where_the_jump_puts_the_price() -> None:
    with open_floor() as floor:
        floor.advance(20_000)
        jump(floor, 12, halt=5)
        floor.advance(50_000)
        held = floor.price("SPY")
        order = floor.accept(blank_order("SPY", "buy", "during"))
        floor.advance(4 * MINUTE)
        assert (order.status, floor.price("SPY")) == ("new", held)
        floor.advance(MINUTE)
        assert order.status == "filled"
        assert floor.fills[0].time_ms == floor.days[0].open_ms + 6 * MINUTE
        assert floor.fills[0].price > held * 11 / 10


def test_events_come_back_from_what_was_saved() -> None:
    with open_floor() as floor:
        floor.advance(20_000)
        saved = floor.market.add(disturbance(floor.view, "SPY", 5, 3, floor.now))
        again = EventfulMarket(market(7), saved)
        day = floor.days[0].day
        assert again.events == floor.market.events
        for name in ("open", "high", "low", "close", "volume", "halted"):
            assert (getattr(again.session(day), name) == getattr(floor.market.session(day), name)).all()


@pytest.mark.parametrize(
    ("after_open", "day", "minute"), [(-60_000, 0, 0), (0, 0, 1), (59_999, 0, 1), (389 * 60_000, 1, 0)]
)
def test_an_event_starts_with_a_minute_that_nobody_has_seen(after_open: int, day: int, minute: int) -> None:
    with open_floor() as floor:
        found = next_minute(floor.view, floor.days[0].open_ms + after_open)
        assert found == (floor.days[day], minute)


def test_a_split_makes_more_shares_of_the_same_worth_and_survives_a_restart(settings: VenueSettings) -> None:
    venue = start_venue(settings)
    try:
        venue.skip("2026-01-05T14:40:00Z")
        client = venue.trading()
        order = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": "3"}
        client.post("/orders", order)
        waiting = client.post("/orders", order | {"type": "limit", "limit_price": "1", "time_in_force": "gtc"})
        venue.skip("2026-01-05T14:41:00Z")
        answer = venue.admin("POST", "/market/events", {"symbol": "SPY", "split": "4"})
        assert answer.status_code == 200, answer.text
        venue.skip("2026-01-05T20:59:59.900Z")
        before = client.get("/positions/SPY")
        venue.skip("2026-01-06T14:29:00Z")
        after = client.get("/positions/SPY")
        assert (before["qty"], after["qty"]) == ("3", "12")
        assert float(after["cost_basis"]) == float(before["cost_basis"])
        assert float(after["market_value"]) == pytest.approx(float(before["market_value"]), rel=0.02)
        assert client.get(f"/orders/{waiting['id']}")["status"] == "canceled"
    finally:
        venue.stop()
    venue = start_venue(settings)
    try:
        again = venue.trading().get("/positions/SPY")
        assert (again["qty"], again["current_price"]) == ("12", after["current_price"])
    finally:
        venue.stop()


@pytest.mark.parametrize(("side", "ratio", "shares"), [("buy", "0.2", "2"), ("sell", "3", "-30"), ("buy", "1.5", "15")])
def test_a_split_of_any_ratio_keeps_what_longs_and_shorts_have_cost(side: str, ratio: str, shares: str) -> None:
    with open_floor() as floor:
        floor.advance(20_000)
        floor.accept(blank_order("SPY", side, "in", qty=Decimal(10)))
        floor.advance(1_000)
        cost, equity = floor.account.positions["SPY"].cost, floor.exchange.worth(floor.account, floor.now).equity
        event = split(floor.view, "SPY", Decimal(ratio), floor.now)
        floor.market.add(event)
        floor.exchange.splits = [(event.at_ms, "SPY", Decimal(ratio))]
        floor.exchange.advance(event.at_ms - 1)
        assert floor.account.positions["SPY"].qty == (10 if side == "buy" else -10)
        floor.advance(1)
        floor.advance(1)
        held = floor.account.positions["SPY"]
        assert (held.qty, held.cost) == (Decimal(shares), cost)
        now = floor.exchange.worth(floor.account, floor.now).equity
        assert abs(now - equity) < equity / 100
        floor.cut()
        assert floor.account.positions["SPY"].qty == Decimal(shares)


@pytest.mark.parametrize(
    "body",
    [
        {"symbol": "NONE", "percent": 1},
        {"symbol": "SPY", "split": 0},
        {"symbol": "SPY", "split": "x"},
        {"symbol": "SPY", "percent": -100},
        {"symbol": "SPY", "halt_minutes": 1e9},
    ],
)
def test_an_event_that_cannot_be_is_refused(venue: RunningVenue, body: dict[str, object]) -> None:
    assert venue.admin("POST", "/market/events", body).status_code == 422
    assert venue.admin("GET", "/market/events").json() == []


def test_a_jump_shows_in_the_bars_of_the_venue(venue: RunningVenue) -> None:
    venue.skip("2026-01-05T14:40:30Z")
    assert venue.admin("POST", "/market/events", {"symbol": "SPY", "percent": "10"}).status_code == 200
    venue.skip("2026-01-05T14:43:00Z")
    start = {"timeframe": "1Min", "start": "2026-01-05T14:40:00Z", "end": "2026-01-05T14:43:00Z", "symbols": "SPY"}
    bars = venue.get("/v2/stocks/bars", **start).json()["bars"]["SPY"]
    assert bars[1]["o"] / bars[0]["c"] == pytest.approx(1.1, rel=0.003)
    assert [event["minute"] for event in venue.admin("GET", "/market/events").json()] == [11]
