"""Each public method of the broker's Python clients: it works against the venue, or is refused in words."""

import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.enums import CorporateActionsType, MarketType, MostActivesBy
from alpaca.data.historical import NewsClient, ScreenerClient, StockHistoricalDataClient
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.requests import (
    CorporateActionsRequest,
    MarketMoversRequest,
    MostActivesRequest,
    NewsRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import CorporateActionType
from alpaca.trading.models import AccountConfiguration
from alpaca.trading.requests import (
    CreateWatchlistRequest,
    GetCorporateAnnouncementsRequest,
    GetOptionContractsRequest,
    ReplaceOrderRequest,
    UpdateWatchlistRequest,
)

from tests.unit.paper.conftest import KEY, SECRET, RunningVenue
from tests.unit.paper.test_rest_trading import bought, limit, market

Call = Callable[[Any], Any]
BEGIN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def resting(client: TradingClient) -> Any:
    return client.submit_order(limit("SH", "buy", 1, 1))


def listed(client: TradingClient) -> Any:
    return client.create_watchlist(CreateWatchlistRequest(name=str(uuid4()), symbols=["SPY"]))


def replaced(client: TradingClient) -> Any:
    """The oldest order: the market has taken it in, which a replacement needs."""
    oldest = client.get_orders()[-1]
    return client.replace_order_by_id(oldest.id, ReplaceOrderRequest(limit_price=2))


TRADING: dict[str, Call] = {
    "submit_order": lambda c: c.submit_order(market("SPY", "buy", 1)),
    "get_orders": lambda c: c.get_orders(),
    "get_order_by_id": lambda c: c.get_order_by_id(resting(c).id),
    "get_order_by_client_id": lambda c: c.get_order_by_client_id(resting(c).client_order_id),
    "replace_order_by_id": replaced,
    "cancel_orders": lambda c: c.cancel_orders() or resting(c),
    "cancel_order_by_id": lambda c: c.cancel_order_by_id(resting(c).id),
    "get_all_positions": lambda c: c.get_all_positions()[0],
    "get_open_position": lambda c: c.get_open_position("SPY"),
    "close_position": lambda c: c.close_position("SPY"),
    "close_all_positions": lambda c: c.close_all_positions(cancel_orders=True)[0],
    "get_portfolio_history": lambda c: c.get_portfolio_history(),
    "get_all_assets": lambda c: c.get_all_assets()[0],
    "get_asset": lambda c: c.get_asset("SPY"),
    "get_clock": lambda c: c.get_clock(),
    "get_calendar": lambda c: c.get_calendar()[0],
    "get_account": lambda c: c.get_account(),
    "get_account_configurations": lambda c: c.get_account_configurations(),
    "set_account_configurations": lambda c: c.set_account_configurations(
        AccountConfiguration(**c.get_account_configurations().model_dump())
    ),
    "get_watchlists": lambda c: [listed(c), *c.get_watchlists()],
    "get_watchlist_by_id": lambda c: c.get_watchlist_by_id(listed(c).id),
    "create_watchlist": listed,
    "update_watchlist_by_id": lambda c: c.update_watchlist_by_id(
        listed(c).id, UpdateWatchlistRequest(name=str(uuid4()))
    ),
    "add_asset_to_watchlist_by_id": lambda c: c.add_asset_to_watchlist_by_id(listed(c).id, "SH"),
    "remove_asset_from_watchlist_by_id": lambda c: c.remove_asset_from_watchlist_by_id(listed(c).id, "SPY"),
    "delete_watchlist_by_id": lambda c: c.delete_watchlist_by_id(listed(c).id),
    "get_corporate_announcements": lambda c: c.get_corporate_announcements(
        GetCorporateAnnouncementsRequest(
            ca_types=[CorporateActionType.SPLIT], since=date(2026, 1, 1), until=date(2026, 1, 5)
        )
    ),
}
TRADING_REFUSED: dict[str, Call] = {
    "get_corporate_announcement_by_id": lambda c: c.get_corporate_announcement_by_id(uuid4()),
    "exercise_options_position": lambda c: c.exercise_options_position("SPY260116C00500000"),
    "get_option_contracts": lambda c: c.get_option_contracts(GetOptionContractsRequest(underlying_symbols=["SPY"])),
    "get_option_contract": lambda c: c.get_option_contract("SPY260116C00500000"),
}
STOCKS: dict[str, Call] = {
    "get_stock_bars": lambda c: c.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Minute, start=BEGIN)
    )["SPY"][0],
    "get_stock_quotes": lambda c: c.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="SPY", start=BEGIN))["SPY"],
    "get_stock_trades": lambda c: c.get_stock_trades(StockTradesRequest(symbol_or_symbols="SPY", start=BEGIN))["SPY"],
    "get_stock_latest_trade": lambda c: c.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="SPY")),
    "get_stock_latest_quote": lambda c: c.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="SPY")),
    "get_stock_latest_bar": lambda c: c.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="SPY")),
    "get_stock_snapshot": lambda c: c.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="SPY")),
}
SCREENER: dict[str, Call] = {
    "get_most_actives": lambda c: c.get_most_actives(MostActivesRequest(top=3, by=MostActivesBy.TRADES)).most_actives,
    "get_market_movers": lambda c: c.get_market_movers(MarketMoversRequest(top=3, market_type=MarketType.STOCKS)),
}
ACTIONS: dict[str, Call] = {
    "get_corporate_actions": lambda c: c.get_corporate_actions(
        CorporateActionsRequest(symbols=["SPY"], types=[CorporateActionsType.CASH_DIVIDEND])
    )
}
NEWS_REFUSED: dict[str, Call] = {"get_news": lambda c: c.get_news(NewsRequest(symbols="SPY"))}
CLIENTS: dict[type[Any], tuple[dict[str, Call], dict[str, Call]]] = {
    TradingClient: (TRADING, TRADING_REFUSED),
    StockHistoricalDataClient: (STOCKS, {}),
    ScreenerClient: (SCREENER, {}),
    CorporateActionsClient: (ACTIONS, {}),
    NewsClient: ({}, NEWS_REFUSED),
}
_OF_THE_TRANSPORT = {"get", "post", "put", "patch", "delete", "response_wrapper"}


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
def test_no_public_method_is_left_out(kind: type[Any]) -> None:
    public = {name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))}
    works, refused = CLIENTS[kind]
    assert public - _OF_THE_TRANSPORT == works.keys() | refused.keys()


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
def test_every_method_works_or_is_refused_in_words(venue: RunningVenue, kind: type[Any]) -> None:
    resting(bought(venue))
    venue.skip("2026-01-05T14:33:00Z")
    client = kind(KEY, SECRET, url_override=venue.url)
    works, refused = CLIENTS[kind]
    nothing = {"cancel_order_by_id", "delete_watchlist_by_id", "get_corporate_announcements"}
    for name, call in works.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found = call(client)
        assert found or name in nothing, name
    for name, call in refused.items():
        with pytest.raises(APIError) as error:
            call(client)
        assert error.value.status_code == 404, name
        assert "paper venue" in str(error.value) or "not found" in str(error.value)
