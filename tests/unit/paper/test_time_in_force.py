"""Orders for an auction and for at once, through the broker's own client."""

from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderStatus, PositionIntent, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest

from tests.unit.paper.conftest import RunningVenue
from tests.unit.paper.test_rest_trading import OPEN, bought, code_of, price_of


def order(kind: TimeInForce, side: str = "buy", qty: float = 5, price: float | None = None, **more: Any) -> Any:
    fields = {"symbol": "SPY", "qty": qty, "side": side, "time_in_force": kind, **more}
    return MarketOrderRequest(**fields) if price is None else LimitOrderRequest(limit_price=price, **fields)


def test_an_order_for_the_open_has_its_one_price(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip("2026-01-05T14:27:59Z")
    made = client.submit_order(order(TimeInForce.OPG))
    low = client.submit_order(order(TimeInForce.OPG, price=1))
    venue.skip("2026-01-05T14:28:00Z")
    with pytest.raises(APIError) as error:
        client.submit_order(order(TimeInForce.OPG))
    assert code_of(error) == (422, 42210000)
    venue.skip("2026-01-05T14:31:30Z")
    done = client.get_order_by_id(made.id)
    bar = venue.get("/v2/stocks/bars", symbols="SPY", timeframe="1Min").json()["bars"]["SPY"][0]
    assert (done.status, float(done.filled_avg_price)) == (OrderStatus.FILLED, bar["o"])
    assert client.get_order_by_id(low.id).status == OrderStatus.CANCELED


def test_an_order_for_the_close_waits_for_it(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    made = client.submit_order(order(TimeInForce.CLS))
    venue.skip("2026-01-05T20:50:00Z")
    assert client.get_order_by_id(made.id).status == OrderStatus.NEW
    with pytest.raises(APIError) as error:
        client.submit_order(order(TimeInForce.CLS))
    assert code_of(error) == (422, 42210000)
    venue.skip("2026-01-05T21:00:01Z")
    done = client.get_order_by_id(made.id)
    bar = venue.get("/v2/stocks/bars", symbols="SPY", timeframe="1Day").json()["bars"]["SPY"][-1]
    assert (done.status, float(done.filled_avg_price)) == (OrderStatus.FILLED, bar["c"])


@pytest.mark.parametrize("kind", [TimeInForce.IOC, TimeInForce.FOK])
def test_an_order_for_at_once_does_not_rest(venue: RunningVenue, kind: TimeInForce) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    made = client.submit_order(order(kind, price=round(price_of(venue, "SPY") * 0.9, 2)))
    fine = client.submit_order(order(kind))
    venue.skip("2026-01-05T14:31:30Z")
    assert client.get_order_by_id(made.id).status == OrderStatus.CANCELED
    assert client.get_order_by_id(fine.id).status == OrderStatus.FILLED
    assert client.get_orders() == []


def test_an_answer_tells_what_an_order_does_to_the_position(venue: RunningVenue) -> None:
    client = bought(venue)
    closing = client.submit_order(order(TimeInForce.DAY, "sell", price=9000))
    assert closing.position_intent == PositionIntent.SELL_TO_CLOSE
    client.cancel_orders()
    with pytest.raises(APIError) as error:
        client.submit_order(order(TimeInForce.DAY, "sell", position_intent=PositionIntent.SELL_TO_OPEN))
    assert "position intent mismatch" in str(error.value)
    more = client.submit_order(order(TimeInForce.DAY, position_intent=PositionIntent.BUY_TO_OPEN))
    assert more.position_intent == PositionIntent.BUY_TO_OPEN
