"""Account, configurations, watchlists, history, assets through the broker's own client."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass, AssetStatus, CorporateActionType
from alpaca.trading.requests import (
    ClosePositionRequest,
    CreateWatchlistRequest,
    GetAssetsRequest,
    GetCorporateAnnouncementsRequest,
    GetOptionContractsRequest,
    GetPortfolioHistoryRequest,
    UpdateWatchlistRequest,
)

from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import RunningVenue, start_venue
from tests.unit.paper.test_rest_trading import OPEN, bought, code_of, market, settle


def test_a_watchlist_lives_from_its_making_to_its_end(venue: RunningVenue) -> None:
    client = venue.trading()
    made = client.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["SPY", "SH"]))
    assert [asset.symbol for asset in made.assets] == ["SPY", "SH"]
    added = client.add_asset_to_watchlist_by_id(made.id, "DOG")
    assert [asset.symbol for asset in added.assets] == ["SPY", "SH", "DOG"]
    less = client.remove_asset_from_watchlist_by_id(made.id, "SPY")
    assert [asset.symbol for asset in less.assets] == ["SH", "DOG"]
    named = client.update_watchlist_by_id(made.id, UpdateWatchlistRequest(name="yours", symbols=["SPY"]))
    assert (named.name, [asset.symbol for asset in named.assets]) == ("yours", ["SPY"])
    assert [item.name for item in client.get_watchlists()] == ["yours"]
    assert venue.trading("PKOTHER", "other").get_watchlists() == []
    client.delete_watchlist_by_id(made.id)
    with pytest.raises(APIError) as error:
        client.get_watchlist_by_id(made.id)
    assert code_of(error) == (404, 40410000)


def test_watchlists_and_configurations_outlive_a_restart(settings: VenueSettings) -> None:
    first = start_venue(settings)
    client = first.trading()
    client.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["SPY"]))
    client.set_account_configurations(client.get_account_configurations().model_copy(update={"no_shorting": True}))
    first.stop()
    again = start_venue(settings)
    try:
        assert [item.name for item in again.trading().get_watchlists()] == ["mine"]
        assert again.trading().get_account_configurations().no_shorting
    finally:
        again.stop()


def configured(venue: RunningVenue, **changes: object) -> TradingClient:
    client = venue.trading()
    venue.skip(OPEN)
    chosen = client.get_account_configurations()
    client.set_account_configurations(chosen.model_copy(update=changes))
    return client


def test_an_account_that_suspends_its_trading_opens_nothing(venue: RunningVenue) -> None:
    client = configured(venue, suspend_trade=True)
    with pytest.raises(APIError) as error:
        client.submit_order(market("SPY", "buy", 1))
    assert code_of(error) == (403, 40310000)
    assert client.get_account().trade_suspended_by_user


def test_an_account_can_forbid_itself_shorts_and_fractions(venue: RunningVenue) -> None:
    client = configured(venue, no_shorting=True, fractional_trading=False)
    for order in (market("SPY", "sell", 1), market("SPY", "buy", 0.5)):
        with pytest.raises(APIError) as error:
            client.submit_order(order)
        assert code_of(error) == (403, 40310000)
    assert not client.get_account().shorting_enabled
    client.submit_order(market("SPY", "buy", 1))
    settle(venue, "2026-01-05T14:31:30Z")
    client.close_position("SPY")


def test_the_history_ends_with_the_accounts_equity(venue: RunningVenue) -> None:
    venue.trading().get_account()
    client = bought(venue, qty=100)
    settle(venue, "2026-01-05T15:00:00Z")
    found = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1D", timeframe="1Min"))
    assert len(found.timestamp) == 31
    assert found.base_value == 100_000
    assert found.equity[0] == 100_000
    equity = Decimal(client.get_account().equity)
    assert Decimal(str(found.equity[-1])) == round(equity, 2)
    assert Decimal(str(found.profit_loss[-1])) == round(equity - 100_000, 2)
    assert len(set(found.equity)) > 10


def test_a_history_of_days_shows_each_close_and_resets_the_profit(venue: RunningVenue) -> None:
    client = bought(venue, qty=100)
    settle(venue, "2026-01-05T21:00:00Z")
    closing = Decimal(client.get_account().equity)
    settle(venue, "2026-01-06T16:00:00Z")
    now = Decimal(client.get_account().equity)
    days = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1W", timeframe="1D"))
    assert [Decimal(str(value)) for value in days.equity] == [round(closing, 2), round(now, 2)]
    assert Decimal(str(days.profit_loss[1])) == round(now - closing, 2)
    whole = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1W", timeframe="1D", pnl_reset="no_reset"))
    assert Decimal(str(whole.profit_loss[1])) == round(now - 100_000, 2)


@pytest.mark.parametrize(
    "query",
    [
        {"period": "1Q"},
        {"timeframe": "2H"},
        {"period": "1A", "timeframe": "1Min"},
        {"start": "soon"},
        {"pnl_reset": "never"},
        {"intraday_reporting": "night"},
        {"period": "1D", "start": "2026-01-01", "end": "2026-01-05"},
    ],
)
def test_a_history_that_cannot_be_is_refused(venue: RunningVenue, query: dict[str, str]) -> None:
    answer = venue.get("/v2/account/portfolio/history", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, 40010001)


def test_a_day_settles_on_the_following_session(venue: RunningVenue) -> None:
    days = venue.get("/v2/calendar", start="2026-01-15", end="2026-01-16").json()
    assert [(day["date"], day["settlement_date"]) for day in days] == [
        ("2026-01-15", "2026-01-16"),
        ("2026-01-16", "2026-01-20"),
    ]
    settling = venue.get("/v2/calendar", start="2026-01-20", end="2026-01-20", date_type="SETTLEMENT").json()
    assert [day["date"] for day in settling] == ["2026-01-16"]


def test_options_and_crypto_are_not_here(venue: RunningVenue) -> None:
    client = venue.trading()
    assert client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO)) == []
    assert client.get_all_assets(GetAssetsRequest(status=AssetStatus.INACTIVE)) == []
    for ask in (
        lambda: client.get_option_contracts(GetOptionContractsRequest(underlying_symbols=["SPY"])),
        lambda: client.get_option_contract("SPY260116C00500000"),
        lambda: client.exercise_options_position("SPY260116C00500000"),
    ):
        with pytest.raises(APIError) as error:
            ask()
        assert code_of(error) == (404, 40410000)
        assert "no options" in str(error.value)


def test_there_are_no_corporate_actions(venue: RunningVenue) -> None:
    client = venue.trading()
    ask = GetCorporateAnnouncementsRequest(
        ca_types=[CorporateActionType.DIVIDEND], since=date(2026, 1, 1), until=date(2026, 2, 1)
    )
    with pytest.deprecated_call():
        assert client.get_corporate_announcements(ask) == []
    with pytest.raises(APIError) as error:
        client.get_corporate_announcement_by_id(uuid4())
    assert error.value.status_code == 404


def test_activities_can_be_asked_for_by_kind_and_order(venue: RunningVenue) -> None:
    client = bought(venue)
    client.close_position("SPY", ClosePositionRequest(qty="4"))
    settle(venue, "2026-01-05T14:33:00Z")
    everything = client.get("/account/activities/FILL", {"direction": "asc"})
    assert [fill["side"] for fill in everything] == ["buy", "sell"]
    assert client.get("/account/activities", {"order_id": everything[1]["order_id"]}) == [everything[1]]
    assert client.get("/account/activities/DIV") == []
    assert client.get("/account/activities", {"category": "non_trade_activity"}) == []
    assert venue.get("/v2/account/activities", category="trade_activity", activity_types="FILL").status_code == 422
    assert venue.get("/v2/account/activities/fill").status_code == 422


def test_orders_are_listed_from_one_to_another(venue: RunningVenue) -> None:
    client = venue.trading()
    made = [client.submit_order(market("SPY", "buy", 1)).id for _ in range(4)]
    ask = {"status": "all", "direction": "asc"}
    later = venue.get("/v2/orders", after_order_id=str(made[0]), before_order_id=str(made[3]), **ask).json()
    assert [order["id"] for order in later] == [str(made[1]), str(made[2])]
    assert venue.get("/v2/orders", after_order_id=str(uuid4())).status_code == 422
