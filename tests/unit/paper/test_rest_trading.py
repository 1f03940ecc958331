from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.models import Order
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)

from tests.unit.paper.conftest import HEADERS, RunningVenue, wait_for

OPEN = "2026-01-05T14:31:00Z"


def market(symbol: str, side: str, qty: float | None = None, **more: Any) -> MarketOrderRequest:
    return MarketOrderRequest(symbol=symbol, qty=qty, side=OrderSide(side), time_in_force=TimeInForce.DAY, **more)


def limit(symbol: str, side: str, qty: float, price: float, **more: Any) -> LimitOrderRequest:
    return LimitOrderRequest(
        symbol=symbol,
        qty=qty,
        side=OrderSide(side),
        limit_price=price,
        time_in_force=more.pop("time_in_force", TimeInForce.DAY),
        **more,
    )


def price_of(venue: RunningVenue, symbol: str) -> float:
    return float(venue.get("/v2/stocks/trades/latest", symbols=symbol).json()["trades"][symbol]["p"])


def settle(venue: RunningVenue, moment: str) -> None:
    """Moves past `moment`, so that what is due there has happened."""
    venue.skip(moment)


def bought(venue: RunningVenue, symbol: str = "SPY", qty: float = 10) -> TradingClient:
    client = venue.trading()
    venue.skip(OPEN)
    order = client.submit_order(market(symbol, "buy", qty))
    settle(venue, "2026-01-05T14:31:30Z")
    assert client.get_order_by_id(order.id).status == OrderStatus.FILLED
    return client


def code_of(error: pytest.ExceptionInfo[APIError]) -> tuple[int, int]:
    return error.value.status_code, error.value.code


def test_the_clock_has_alpacas_fields_and_the_speed(venue: RunningVenue) -> None:
    clock = venue.trading().get_clock()
    assert not clock.is_open
    assert clock.next_open == datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    assert venue.get("/v2/clock").json()["speed"] == 0
    venue.skip(OPEN)
    assert venue.trading().get_clock().is_open


def test_the_calendar_knows_half_days(venue: RunningVenue) -> None:
    days = venue.trading().get_calendar(GetCalendarRequest(start=date(2026, 11, 26), end=date(2026, 11, 27)))
    assert [(day.date, day.close.hour) for day in days] == [(date(2026, 11, 27), 13)]


def test_a_market_order_fills_near_the_quote_and_moves_cash_and_position(venue: RunningVenue) -> None:
    client = bought(venue)
    position = client.get_open_position("SPY")
    account = client.get_account()
    assert position.qty == "10"
    assert abs(float(position.avg_entry_price) - price_of(venue, "SPY")) < 3
    assert Decimal(account.cash) == 100_000 - 10 * Decimal(position.avg_entry_price)
    assert Decimal(account.equity) == Decimal(account.cash) + Decimal(position.market_value)


def test_a_market_order_before_the_open_waits_for_it(venue: RunningVenue) -> None:
    client = venue.trading()
    order = client.submit_order(market("SPY", "buy", 1))
    assert order.status == OrderStatus.ACCEPTED
    venue.skip("2026-01-05T14:29:59Z")
    assert client.get_order_by_id(order.id).status == OrderStatus.ACCEPTED
    venue.skip("2026-01-05T14:30:01Z")
    filled = client.get_order_by_id(order.id)
    bars = venue.get("/v2/stocks/bars", symbols="SPY", timeframe="1Min").json()["bars"]
    assert bars == {}
    assert filled.status == OrderStatus.FILLED
    assert filled.filled_at == datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def test_a_notional_order_buys_a_fraction(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    order = client.submit_order(market("SPY", "buy", notional=500))
    settle(venue, "2026-01-05T14:31:30Z")
    filled = client.get_order_by_id(order.id)
    assert filled.status == OrderStatus.FILLED
    assert filled.qty is None
    assert 499.9 < float(filled.filled_qty) * float(filled.filled_avg_price) <= 501
    client.close_position("SPY")
    settle(venue, "2026-01-05T14:32:30Z")
    assert client.get_all_positions() == []


def test_a_duplicate_client_order_id_is_refused_and_the_first_is_found(venue: RunningVenue) -> None:
    client = venue.trading()
    first = client.submit_order(market("SPY", "buy", 1, client_order_id="mine"))
    with pytest.raises(APIError) as error:
        client.submit_order(market("SPY", "buy", 1, client_order_id="mine"))
    assert code_of(error) == (422, 40010001)
    assert "client_order_id must be unique" in str(error.value)
    assert client.get_order_by_client_id("mine").id == first.id


def test_unknown_orders_and_positions_are_404(venue: RunningVenue) -> None:
    client = venue.trading()
    for ask in (
        lambda: client.get_order_by_client_id("none"),
        lambda: client.get_order_by_id("00000000-0000-0000-0000-000000000000"),
        lambda: client.get_open_position("SPY"),
        lambda: client.get_asset("NOSUCH"),
    ):
        with pytest.raises(APIError) as error:
            ask()
        assert code_of(error) == (404, 40410000)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"qty": None}, 422, 40010001),
        ({"qty": -1}, 422, 40010001),
        ({"qty": "NaN"}, 422, 40010001),
        ({"side": "hold"}, 422, 40010001),
        ({"symbol": "NOSUCH"}, 422, 42210000),
        ({"time_in_force": "gtd"}, 422, 40010001),
        ({"time_in_force": "ioc", "type": "stop", "stop_price": 1}, 422, 42210000),
        ({"time_in_force": "fok", "order_class": "oto", "stop_loss": {"stop_price": 1}}, 422, 42210000),
        ({"time_in_force": "ioc", "qty": 0.5}, 422, 42210000),
        ({"time_in_force": "ioc", "type": "limit", "limit_price": 1, "extended_hours": True}, 422, 42210000),
        ({"time_in_force": "opg"}, 422, 42210000),
        ({"position_intent": "buy_to_close"}, 422, 42210000),
        ({"position_intent": "hold"}, 422, 40010001),
        ({"type": "limit"}, 422, 40010001),
        ({"type": "limit", "limit_price": 10.001}, 422, 42210000),
        ({"qty": 0.5, "order_class": "oto", "stop_loss": {"stop_price": 1}}, 422, 42210000),
        ({"qty": 0.5, "time_in_force": "gtc"}, 422, 42210000),
        ({"extended_hours": True}, 422, 42210000),
        ({"qty": 0.5, "side": "sell"}, 422, 42210000),
        ({"qty": 100_000}, 403, 40310000),
        ({"qty": None, "notional": 0.5}, 403, 40310000),
        ({"client_order_id": "x" * 129}, 422, 40010001),
        ({"order_class": "bracket", "take_profit": {"limit_price": 1}, "stop_loss": {"stop_price": 2}}, 422, 42210000),
    ],
)
def test_orders_against_the_rules_are_refused_as_alpaca_does(
    venue: RunningVenue, change: dict[str, Any], status: int, code: int
) -> None:
    venue.skip(OPEN)
    body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": 1} | change
    answer = requests.post(venue.url + "/v2/orders", json=body, headers=HEADERS, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert venue.trading().get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL)) == []


def test_insufficient_buying_power_says_what_there_is(venue: RunningVenue) -> None:
    venue.skip(OPEN)
    body = {"symbol": "SPY", "side": "buy", "type": "limit", "limit_price": "600", "time_in_force": "day", "qty": 400}
    answer = requests.post(venue.url + "/v2/orders", json=body, headers=HEADERS, timeout=10).json()
    assert answer["buying_power"] == "200000"
    assert answer["cost_basis"] == "240000"


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", "[" * 5000])
def test_a_body_that_is_no_order_is_refused(venue: RunningVenue, body: str) -> None:
    answer = requests.post(venue.url + "/v2/orders", data=body, headers=HEADERS, timeout=10)
    assert answer.status_code == 422
    assert answer.json()["code"] == 40010001


def test_shares_spoken_for_cannot_be_sold_twice(venue: RunningVenue) -> None:
    client = bought(venue)
    client.submit_order(limit("SPY", "sell", 8, 900))
    with pytest.raises(APIError) as error:
        client.submit_order(limit("SPY", "sell", 3, 900))
    assert code_of(error) == (403, 40310000)
    assert client.get_open_position("SPY").qty_available == "2"


def test_an_opposite_order_that_could_trade_with_a_resting_one_is_a_wash(venue: RunningVenue) -> None:
    client = bought(venue)
    client.submit_order(StopOrderRequest(symbol="SPY", qty=10, side="sell", stop_price=100, time_in_force="gtc"))
    with pytest.raises(APIError) as error:
        client.submit_order(market("SPY", "buy", 1))
    assert "wash trade" in str(error.value)


def test_only_shortable_shares_are_sold_short(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    assets = [asset for asset in client.get_all_assets() if asset.tradable]
    banned = next(asset for asset in assets if not asset.shortable and not asset.symbol.startswith("S"))
    fine = next(asset for asset in assets if asset.easy_to_borrow and asset.symbol != "SPY")
    with pytest.raises(APIError) as error:
        client.submit_order(market(banned.symbol, "sell", 1))
    assert code_of(error) == (422, 42210000)
    client.submit_order(market(fine.symbol, "sell", 3))
    settle(venue, "2026-01-05T14:32:30Z")
    assert client.get_open_position(fine.symbol).qty == "-3"
    assert Decimal(client.get_account().short_market_value) < 0
    client.close_all_positions(cancel_orders=True)
    settle(venue, "2026-01-05T14:33:30Z")
    assert client.get_all_positions() == []


def test_a_bracket_protects_only_after_its_entry_and_one_leg_cancels_the_other(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    now = price_of(venue, "SPY")
    order = client.submit_order(
        market(
            "SPY",
            "buy",
            5,
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=round(now * 1.5, 2)),
            stop_loss=StopLossRequest(stop_price=round(now * 0.5, 2)),
        )
    )
    assert order.legs is not None
    assert [leg.status for leg in order.legs] == [OrderStatus.HELD, OrderStatus.HELD]
    settle(venue, "2026-01-05T14:31:30Z")
    profit, loss = client.get_order_by_id(order.id, filter=None).legs or [
        client.get_order_by_id(leg.id) for leg in order.legs
    ]
    assert (profit.status, loss.status) == (OrderStatus.NEW, OrderStatus.HELD)
    assert client.get_open_position("SPY").qty_available == "0"
    moved = client.replace_order_by_id(loss.id, ReplaceOrderRequest(stop_price=round(now * 1.4, 2)))
    assert moved.id != loss.id
    settle(venue, "2026-01-05T14:32:30Z")
    assert client.get_order_by_id(moved.id).status == OrderStatus.FILLED
    assert client.get_order_by_id(profit.id).status == OrderStatus.CANCELED
    assert client.get_order_by_id(loss.id).status == OrderStatus.REPLACED
    assert client.get_all_positions() == []


def test_an_oco_closes_with_either_order(venue: RunningVenue) -> None:
    client = bought(venue)
    now = price_of(venue, "SPY")
    order = client.submit_order(
        limit(
            "SPY",
            "sell",
            10,
            round(now * 0.9, 2),
            order_class=OrderClass.OCO,
            take_profit=TakeProfitRequest(limit_price=round(now * 0.9, 2)),
            stop_loss=StopLossRequest(stop_price=round(now * 0.5, 2)),
        )
    )
    settle(venue, "2026-01-05T14:32:30Z")
    assert client.get_order_by_id(order.id).status == OrderStatus.FILLED
    assert client.get_orders() == []


def test_cancelling_an_entry_cancels_its_legs(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    now = price_of(venue, "SPY")
    low = round(now * 0.8, 2)
    order = client.submit_order(
        limit(
            "SPY", "buy", 5, low, order_class=OrderClass.OTO, stop_loss=StopLossRequest(stop_price=round(low * 0.9, 2))
        )
    )
    client.cancel_order_by_id(order.id)
    assert client.get_orders() == []
    with pytest.raises(APIError) as error:
        client.cancel_order_by_id(order.id)
    assert code_of(error) == (422, 42210000)


def test_a_trailing_stop_follows_the_best_price_and_sells_below_it(venue: RunningVenue) -> None:
    client = bought(venue)
    order = client.submit_order(
        TrailingStopOrderRequest(symbol="SPY", qty=10, side="sell", trail_percent=0.3, time_in_force="day")
    )
    settle(venue, "2026-01-05T20:50:00Z")
    done = client.get_order_by_id(order.id)
    assert done.status == OrderStatus.FILLED
    highest = max(
        bar["h"]
        for bar in venue.get("/v2/stocks/bars", symbols="SPY", timeframe="1Min").json()["bars"]["SPY"]
        if bar["t"] <= done.filled_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    assert float(done.hwm) <= highest
    assert abs(float(done.filled_avg_price) - float(done.stop_price)) < 0.6
    assert float(done.stop_price) == pytest.approx(float(done.hwm) * 0.997, abs=0.01)


def test_day_orders_expire_at_the_close_and_gtc_orders_stay(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    day = client.submit_order(limit("SPY", "buy", 1, 10))
    kept = client.submit_order(limit("SPY", "buy", 1, 11, time_in_force=TimeInForce.GTC))
    venue.skip("2026-01-05T21:00:30Z")
    assert client.get_order_by_id(day.id).status == OrderStatus.EXPIRED
    assert [order.id for order in client.get_orders()] == [kept.id]


def test_a_large_order_fills_in_parts_and_activities_tell_each(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    symbol = min(
        (a.symbol for a in client.get_all_assets() if a.tradable and a.exchange.value == "NASDAQ"),
        key=lambda name: price_of(venue, name),
    )
    order = client.submit_order(market(symbol, "buy", 2000))
    settle(venue, "2026-01-05T14:31:10Z")
    part = client.get_order_by_id(order.id)
    settle(venue, "2026-01-05T15:30:00Z")
    whole = client.get_order_by_id(order.id)
    fills = client.get("/account/activities", {"direction": "asc", "page_size": 100})
    assert part.status == OrderStatus.PARTIALLY_FILLED
    assert whole.status == OrderStatus.FILLED
    assert sum(Decimal(fill["qty"]) for fill in fills) == 2000
    assert [fill["type"] for fill in fills] == ["partial_fill"] * (len(fills) - 1) + ["fill"]


def test_activities_go_on_from_a_page_token(venue: RunningVenue) -> None:
    client = bought(venue)
    client.close_position("SPY")
    settle(venue, "2026-01-05T14:33:00Z")
    everything = client.get("/account/activities", {"direction": "asc"})
    first = client.get("/account/activities", {"direction": "asc", "page_size": 1})
    rest = client.get("/account/activities", {"direction": "asc", "page_token": first[-1]["id"]})
    assert first + rest == everything
    assert [fill["side"] for fill in everything] == ["buy", "sell"]
    stamp, _, execution = everything[0]["id"].partition("::")
    assert len(stamp) == 17
    assert stamp.startswith("202601051431")
    assert len(execution) == 36


def test_bulk_cancel_and_close_answer_207(venue: RunningVenue) -> None:
    client = bought(venue)
    client.submit_order(limit("SPY", "sell", 10, 900))
    closed = client.close_all_positions(cancel_orders=True)
    assert [item.status for item in closed] == [200]
    assert isinstance(closed[0].body, Order)
    settle(venue, "2026-01-05T14:33:00Z")
    assert client.get_all_positions() == []
    client.submit_order(limit("SPY", "buy", 1, 10))
    assert [item.status for item in client.cancel_orders()] == [200]


def test_a_part_of_a_position_can_be_closed(venue: RunningVenue) -> None:
    client = bought(venue)
    client.close_position("SPY", ClosePositionRequest(percentage="50"))
    settle(venue, "2026-01-05T14:33:00Z")
    assert client.get_open_position("SPY").qty == "5"


def test_orders_are_listed_by_status_symbol_and_time(venue: RunningVenue) -> None:
    client = bought(venue)
    other = client.submit_order(limit("SH", "buy", 1, 2))
    listed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, symbols=["SH"]))
    assert [order.id for order in listed] == [other.id]
    closed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED))
    assert [order.symbol for order in closed] == ["SPY"]
    later = client.get_orders(
        GetOrdersRequest(status=QueryOrderStatus.ALL, after=datetime(2026, 1, 5, 14, 31, 10, tzinfo=UTC))
    )
    assert [order.id for order in later] == [other.id]
    assert len(client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, limit=1))) == 1


def test_the_first_secret_of_a_key_is_the_only_one(venue: RunningVenue) -> None:
    assert venue.trading().get_account().cash == "100000"
    with pytest.raises(APIError) as error:
        venue.trading(secret="another").get_account()
    assert error.value.status_code == 401
    assert requests.get(venue.url + "/v2/account", timeout=10).status_code == 401


def test_another_key_has_another_account(venue: RunningVenue) -> None:
    client = bought(venue)
    other = venue.trading("PKOTHER", "s")
    assert other.get_all_positions() == []
    assert other.get_account().id != client.get_account().id


def test_a_moving_venue_fills_by_itself(moving_venue: RunningVenue) -> None:
    client = moving_venue.trading()
    order = client.submit_order(market("SPY", "buy", 1))
    moving_venue.skip("2026-01-05T14:29:50Z")
    wait_for(lambda: client.get_order_by_id(order.id).status == OrderStatus.FILLED)
