"""Bars of every timeframe, trades, quotes and auctions: all of them add up to the minutes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestQuoteRequest,
    StockQuotesRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import RunningVenue, start_venue

NOW = "2026-01-06T15:47:30Z"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    """On its second day; the tests only read."""
    settings = VenueSettings(tmp_path_factory.mktemp("paper"), port=0, admin_port=0, symbols=120, hold=True)
    running = start_venue(replace(settings))
    running.skip(NOW)
    yield running
    running.stop()


def bars(venue: RunningVenue, amount: int, unit: TimeFrameUnit, start: datetime, **more: Any) -> list[Any]:
    ask = StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame(amount, unit), start=start, **more)
    found: list[Any] = venue.data().get_stock_bars(ask).data["SPY"]
    return found


@pytest.mark.parametrize(
    ("amount", "unit", "first", "second"),
    [
        (5, TimeFrameUnit.Minute, "14:30", "14:35"),
        (7, TimeFrameUnit.Minute, "14:27", "14:34"),
        (15, TimeFrameUnit.Minute, "14:30", "14:45"),
        (59, TimeFrameUnit.Minute, "13:51", "14:50"),
        (1, TimeFrameUnit.Hour, "14:00", "15:00"),
        (4, TimeFrameUnit.Hour, "13:00", "17:00"),
        (23, TimeFrameUnit.Hour, "05:00", None),
    ],
)
def test_longer_bars_join_the_minutes_of_their_own_stretch(
    venue: RunningVenue, amount: int, unit: TimeFrameUnit, first: str, second: str | None
) -> None:
    begin, end = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 23, 59, tzinfo=UTC)
    minutes = bars(venue, 1, TimeFrameUnit.Minute, begin, end=end)
    joined = bars(venue, amount, unit, begin, end=end)
    assert [f"{bar.timestamp:%H:%M}" for bar in joined[:2]] == [first, second][: len(joined)]
    assert len(minutes) == 390
    for at, bar in enumerate(joined):
        following = joined[at + 1].timestamp if at + 1 < len(joined) else end
        inside = [minute for minute in minutes if bar.timestamp <= minute.timestamp < following]
        assert bar.open == inside[0].open
        assert bar.close == inside[-1].close
        assert bar.high == max(minute.high for minute in inside)
        assert bar.low == min(minute.low for minute in inside)
        assert bar.volume == sum(minute.volume for minute in inside)
        assert bar.trade_count == sum(minute.trade_count for minute in inside)
        assert bar.low <= bar.vwap <= bar.high
    assert sum(bar.volume for bar in joined) == sum(minute.volume for minute in minutes)


@pytest.mark.parametrize(
    ("amount", "unit", "begins"),
    [
        (1, TimeFrameUnit.Week, ["2025-12-29", "2026-01-05"]),
        (1, TimeFrameUnit.Month, ["2026-01-01"]),
        (3, TimeFrameUnit.Month, ["2026-01-01"]),
    ],
)
def test_weeks_and_months_join_whole_sessions(
    venue: RunningVenue, amount: int, unit: TimeFrameUnit, begins: list[str]
) -> None:
    days = bars(venue, 1, TimeFrameUnit.Day, datetime(2025, 12, 29, 5, tzinfo=UTC))
    joined = bars(venue, amount, unit, datetime(2025, 12, 29, 5, tzinfo=UTC))
    assert [f"{bar.timestamp:%Y-%m-%d}" for bar in joined] == begins
    inside = [day for day in days if day.timestamp >= joined[-1].timestamp]
    assert joined[-1].volume == sum(day.volume for day in inside)
    assert (joined[-1].open, joined[-1].close) == (inside[0].open, inside[-1].close)


def test_todays_long_bar_holds_its_completed_minutes_only(venue: RunningVenue) -> None:
    begin = datetime(2026, 1, 6, 15, tzinfo=UTC)
    hour = bars(venue, 1, TimeFrameUnit.Hour, begin)[-1]
    minutes = bars(venue, 1, TimeFrameUnit.Minute, begin)
    assert len(minutes) == 47
    assert hour.volume == sum(minute.volume for minute in minutes)


@pytest.mark.parametrize("name", ["0Min", "60Min", "24Hour", "2Day", "2Week", "5Month", "13Month", "1Year", "Min", ""])
def test_timeframes_that_do_not_exist_are_refused(venue: RunningVenue, name: str) -> None:
    assert venue.get("/v2/stocks/bars", symbols="SPY", timeframe=name).status_code == 400


def test_nothing_needs_an_adjustment_so_all_of_them_agree(venue: RunningVenue) -> None:
    begin = datetime(2025, 12, 29, tzinfo=UTC)
    raw = bars(venue, 1, TimeFrameUnit.Day, begin)
    assert raw == bars(venue, 1, TimeFrameUnit.Day, begin, adjustment=Adjustment.ALL, feed=DataFeed.SIP)


def test_the_trades_of_a_minute_make_its_bar(venue: RunningVenue) -> None:
    begin, end = datetime(2026, 1, 5, 14, 30, tzinfo=UTC), datetime(2026, 1, 5, 14, 35, 59, 999000, tzinfo=UTC)
    minutes = bars(venue, 1, TimeFrameUnit.Minute, begin, end=end)
    ask = StockTradesRequest(symbol_or_symbols="SPY", start=begin, end=end)
    trades = venue.data().get_stock_trades(ask).data["SPY"]
    for minute in minutes:
        inside = [trade for trade in trades if trade.timestamp.replace(second=0, microsecond=0) == minute.timestamp]
        assert len(inside) == minute.trade_count
        assert sum(trade.size for trade in inside) == minute.volume
        assert all(trade.size > 0 for trade in inside)
        assert (inside[0].price, inside[-1].price) == (minute.open, minute.close)
        assert max(trade.price for trade in inside) == minute.high
        assert min(trade.price for trade in inside) == minute.low
    assert len({trade.id for trade in trades}) == len(trades)


def test_a_quote_of_history_is_the_one_that_was_latest_then(venue: RunningVenue, tmp_path: Any) -> None:
    begin = datetime(2026, 1, 5, 14, 33, 20, tzinfo=UTC)
    quotes = venue.data().get_stock_quotes(StockQuotesRequest(symbol_or_symbols=["SPY", "SH"], start=begin, limit=3))
    assert [quote.timestamp.second for quote in quotes.data["SH"]] == [20, 21, 22]
    then = start_venue(VenueSettings(tmp_path / "then", port=0, admin_port=0, symbols=120, hold=True))
    try:
        then.skip("2026-01-05T14:33:20Z")
        latest = then.data().get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="SH"))["SH"]
    finally:
        then.stop()
    assert latest == quotes.data["SH"][0]


@pytest.mark.parametrize("name", ["trades", "quotes"])
@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_of_ticks_join_to_the_whole(venue: RunningVenue, name: str, sort: str) -> None:
    ask = {"symbols": "SH,DOG", "start": "2026-01-05T14:30:10Z", "end": "2026-01-05T14:33:10Z", "sort": sort}
    whole = venue.get(f"/v2/stocks/{name}", **ask, limit="10000").json()
    assert whole["next_page_token"] is None
    joined: dict[str, list[object]] = {}
    token: str | None = ""
    while token is not None:
        page = venue.get(f"/v2/stocks/{name}", **ask, limit="37", page_token=token).json()
        assert sum(map(len, page[name].values())) <= 37
        for symbol, items in page[name].items():
            joined.setdefault(symbol, []).extend(items)
        token = page["next_page_token"]
    assert joined == whole[name]
    times = [item["t"] for item in whole[name]["SH"]]
    assert len(times) > 100
    assert times == sorted(times, key=datetime.fromisoformat, reverse=sort == "desc")


def test_an_auction_is_known_once_it_has_happened(venue: RunningVenue) -> None:
    found = venue.get("/v2/stocks/auctions", symbols="SPY", start="2026-01-05").json()["auctions"]["SPY"]
    minutes = bars(venue, 1, TimeFrameUnit.Minute, datetime(2026, 1, 5, tzinfo=UTC))
    assert [day["d"] for day in found] == ["2026-01-05", "2026-01-06"]
    assert (found[0]["o"][0]["p"], found[0]["c"][0]["p"]) == (minutes[0].open, minutes[389].close)
    assert found[1]["c"] == []


@pytest.mark.parametrize("name", ["bars", "trades", "quotes"])
def test_a_single_symbols_latest_is_the_one_of_the_list(venue: RunningVenue, name: str) -> None:
    several = venue.get(f"/v2/stocks/{name}/latest", symbols="SPY,SH").json()
    single = venue.get(f"/v2/stocks/SPY/{name}/latest").json()
    assert single == {"symbol": "SPY", name[:-1]: several[name]["SPY"]}
    assert venue.get(f"/v2/stocks/NOSUCH/{name}/latest").status_code == 404


def test_a_single_snapshot_is_the_one_of_the_list(venue: RunningVenue) -> None:
    several = venue.get("/v2/stocks/snapshots", symbols="SPY,SH").json()
    assert venue.get("/v2/stocks/SPY/snapshot").json() == {"symbol": "SPY", **several["SPY"]}


def test_movers_and_the_most_active_are_ranked(venue: RunningVenue) -> None:
    actives = venue.get("/v1beta1/screener/stocks/most-actives", top="7").json()["most_actives"]
    assert [item["volume"] for item in actives] == sorted((item["volume"] for item in actives), reverse=True)
    assert len(actives) == 7
    movers = venue.get("/v1beta1/screener/stocks/movers", top="5").json()
    gains = [item["percent_change"] for item in movers["gainers"]]
    assert gains == sorted(gains, reverse=True)
    assert all(item["change"] < 0 for item in movers["losers"])


@pytest.mark.parametrize(
    "path", ["/v1beta1/news", "/v1beta3/crypto/us/bars", "/v1beta1/options/bars", "/v1beta1/screener/crypto/movers"]
)
def test_what_the_venue_has_not_is_refused_in_words(venue: RunningVenue, path: str) -> None:
    answer = venue.get(path)
    assert answer.status_code == 404
    assert "paper venue" in answer.json()["message"]
