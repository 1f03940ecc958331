"""The trading stream tells each step of an order's life, and every message is one that the broker's client reads."""

from typing import Any

import pytest
from alpaca.trading.requests import (
    LimitOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)

from tests.unit.paper.conftest import RunningVenue, wait_for
from tests.unit.paper.test_rest_trading import OPEN, limit, market, price_of
from tests.unit.paper.test_streams import trade_updates


def told(seen: list[Any], order: Any) -> list[str]:
    return [str(update.event) for update in seen if update.order.id == order.id]


def test_a_replaced_order_is_followed_by_its_successor(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    with trade_updates(venue) as seen:
        old = client.submit_order(limit("SPY", "buy", 1, 10))
        venue.skip("2026-01-05T14:31:30Z")
        new = client.replace_order_by_id(old.id, ReplaceOrderRequest(limit_price=11))
        venue.skip("2026-01-05T14:32:00Z")
        client.cancel_order_by_id(new.id)
        wait_for(lambda: told(seen, new) == ["new", "canceled"])
        assert told(seen, old) == ["new", "replaced"]
        replaced = next(update for update in seen if update.event == "replaced")
        assert replaced.order.replaced_by == new.id
        assert seen[-1].order.replaces == old.id


def test_a_day_order_expires_and_one_for_at_once_is_canceled(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip("2026-01-05T20:58:00Z")
    with trade_updates(venue) as seen:
        day = client.submit_order(limit("SPY", "buy", 1, 10))
        at_once = client.submit_order(
            LimitOrderRequest(symbol="SPY", qty=1, side="buy", limit_price=10, time_in_force="ioc")
        )
        venue.skip("2026-01-05T21:00:30Z")
        wait_for(lambda: told(seen, day) == ["new", "expired"])
        wait_for(lambda: told(seen, at_once)[-1:] == ["canceled"])


def test_partial_fills_add_up_to_the_last_one(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    with trade_updates(venue) as seen:
        venue.admin("POST", "/faults", {"partial_fills": 1})
        order = client.submit_order(market("SPY", "buy", 10))
        venue.skip("2026-01-05T14:33:30Z")
        wait_for(lambda: told(seen, order)[-1:] == ["fill"])
        fills = [update for update in seen if update.event in ("partial_fill", "fill")]
        assert len(fills) >= 2
        assert sum(float(update.qty) for update in fills) == 10
        assert [update.position_qty for update in fills][-1] == 10
        assert len({update.execution_id for update in fills}) == len(fills)
        assert fills[0].order.status.value == "partially_filled"


@pytest.mark.parametrize("entry", ["bracket", "oto"])
def test_the_legs_of_an_entry_are_told_when_they_become_live(venue: RunningVenue, entry: str) -> None:
    client = venue.trading()
    venue.skip(OPEN)
    now = price_of(venue, "SPY")
    more: dict[str, Any] = {"stop_loss": StopLossRequest(stop_price=round(now * 0.5, 2))}
    if entry == "bracket":
        more["take_profit"] = TakeProfitRequest(limit_price=round(now * 1.5, 2))
    with trade_updates(venue) as seen:
        order = client.submit_order(market("SPY", "buy", 5, order_class=entry, **more))
        venue.skip("2026-01-05T14:32:30Z")
        first = order.legs[0]
        wait_for(lambda: told(seen, first) == ["new"])
        client.cancel_order_by_id(first.id)
        wait_for(lambda: told(seen, first) == ["new", "canceled"])
        assert client.get_orders() == []
