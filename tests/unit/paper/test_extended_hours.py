"""The market has regular sessions only: orders for extended hours are taken, and wait for the open."""

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderStatus, TimeInForce

from tests.unit.paper.conftest import RunningVenue
from tests.unit.paper.test_rest_trading import OPEN, code_of, limit, market, price_of


def test_before_the_open_an_extended_hours_order_waits_for_it(venue: RunningVenue) -> None:
    client = venue.trading()
    made = client.submit_order(limit("SPY", "buy", 1, round(price_of(venue, "SPY") * 1.2, 2), extended_hours=True))
    assert (made.status, made.extended_hours) == (OrderStatus.ACCEPTED, True)
    venue.skip("2026-01-05T14:29:59Z")
    assert client.get_order_by_id(made.id).status == OrderStatus.ACCEPTED
    venue.skip("2026-01-05T14:31:00Z")
    assert client.get_order_by_id(made.id).status == OrderStatus.FILLED


def test_after_the_close_a_lasting_one_waits_for_the_next_session(venue: RunningVenue) -> None:
    client = venue.trading()
    venue.skip("2026-01-05T21:00:10Z")
    price = round(price_of(venue, "SPY") * 1.2, 2)
    made = client.submit_order(limit("SPY", "buy", 1, price, extended_hours=True, time_in_force=TimeInForce.GTC))
    assert made.status == OrderStatus.ACCEPTED
    venue.skip("2026-01-06T14:31:00Z")
    done = client.get_order_by_id(made.id)
    assert done.status == OrderStatus.FILLED
    assert done.filled_at.isoformat() >= "2026-01-06T14:30:00"


def test_a_short_needs_equity_and_whole_shares(venue: RunningVenue) -> None:
    """Selling short takes $2,000: an account that lost that much buys with cash only."""
    client = venue.trading()
    venue.skip(OPEN)
    client.get_account()
    name = next(item.symbol for item in client.get_all_assets() if item.tradable and item.easy_to_borrow)
    assert venue.server.venue is not None
    account = next(iter(venue.server.venue.exchange.accounts.values()))
    for cash, refused in ((1999, True), (2001, False)):
        account.cash = type(account.cash)(cash)
        if refused:
            with pytest.raises(APIError) as error:
                client.submit_order(market(name, "sell", 1))
            assert code_of(error) == (403, 40310000)
            assert client.get_account().multiplier == "1"
        else:
            assert client.submit_order(market(name, "sell", 1)).position_intent == "sell_to_open"
