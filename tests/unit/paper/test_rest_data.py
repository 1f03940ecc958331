import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame

from tbot_bot.paper.settings import VenueSettings
from tests.unit.paper.conftest import RunningVenue, start_venue


@pytest.fixture
def wide_venue(settings: VenueSettings) -> Iterator[RunningVenue]:
    running = start_venue(replace(settings, symbols=1000))
    yield running
    running.stop()


def test_only_completed_minutes_are_bars(venue: RunningVenue) -> None:
    venue.skip("2026-01-05T14:40:59Z")
    bars = venue.data().get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols=["SPY", "SH"],
            timeframe=TimeFrame.Minute,
            start=datetime(2026, 1, 5, 14, 30),
            end=datetime(2026, 1, 5, 15, 30),
        )
    )
    assert [bar.timestamp.minute for bar in bars.data["SPY"]] == list(range(30, 40))
    assert len(bars.data["SH"]) == 10


def test_pages_join_to_the_whole_and_limits_count_all_symbols(venue: RunningVenue) -> None:
    venue.skip("2026-01-05T14:40:30Z")
    ask = {"symbols": "SH,SPY,DOG", "timeframe": "1Min"}
    whole = venue.get("/v2/stocks/bars", **ask).json()["bars"]
    for sort in ("asc", "desc"):
        joined: dict[str, list[object]] = {}
        token = ""
        pages = 0
        while token is not None:
            page = venue.get("/v2/stocks/bars", **ask, limit="7", sort=sort, page_token=token).json()
            assert sum(map(len, page["bars"].values())) <= 7
            for name, bars in page["bars"].items():
                joined.setdefault(name, []).extend(bars)
            token = page["next_page_token"]
            pages += 1
        assert pages == 5
        assert joined == (whole if sort == "asc" else {name: bars[::-1] for name, bars in whole.items()})


def test_daily_bars_join_their_minutes_and_leave_today_out(venue: RunningVenue) -> None:
    venue.skip("2026-01-06T15:00:00Z")
    data = venue.data()
    days = data.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Day, start=datetime(2025, 12, 29))
    ).data["SPY"]
    minutes = data.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols="SPY",
            timeframe=TimeFrame.Minute,
            start=datetime(2026, 1, 5, 14, tzinfo=UTC),
            end=datetime(2026, 1, 5, 22, tzinfo=UTC),
        )
    ).data["SPY"]
    assert days[-1].timestamp == datetime(2026, 1, 5, 5, tzinfo=UTC)
    assert len(days) == 5
    assert days[-1].high == max(bar.high for bar in minutes)
    assert days[-1].volume == sum(bar.volume for bar in minutes)
    assert days[-1].close == minutes[-1].close


def test_nothing_of_the_running_minute_leaks(venue: RunningVenue) -> None:
    venue.skip("2026-01-05T14:40:10Z")
    data = venue.data()
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="SPY"))["SPY"]
    assert snapshot.minute_bar.timestamp == datetime(2026, 1, 5, 14, 39, tzinfo=UTC)
    seen = venue.get("/v2/stocks/bars", symbols="SPY", timeframe="1Min").json()["bars"]["SPY"]
    assert snapshot.daily_bar.volume == sum(bar["v"] for bar in seen)
    assert snapshot.daily_bar.high == max([snapshot.latest_trade.price, *(bar["h"] for bar in seen)])
    assert data.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="SPY"))["SPY"] == snapshot.minute_bar


def test_before_the_open_the_daily_bar_is_still_the_last_sessions(venue: RunningVenue) -> None:
    data = venue.data()
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="SPY"))["SPY"]
    assert snapshot.daily_bar.timestamp == datetime(2026, 1, 2, 5, tzinfo=UTC)
    assert snapshot.latest_trade.price == snapshot.daily_bar.close
    venue.skip("2026-01-05T14:30:20Z")
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="SPY"))["SPY"]
    assert snapshot.daily_bar.timestamp == datetime(2026, 1, 5, 5, tzinfo=UTC)
    assert snapshot.previous_daily_bar.timestamp == datetime(2026, 1, 2, 5, tzinfo=UTC)


def test_the_trade_lies_between_bid_and_ask(venue: RunningVenue) -> None:
    venue.skip("2026-01-05T15:40:10Z")
    names = [asset.symbol for asset in venue.trading().get_all_assets()]
    quotes = venue.data().get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=names))
    trades = venue.data().get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=names))
    assert set(quotes) == set(trades) == set(names)
    for name in names:
        assert quotes[name].bid_price <= trades[name].price <= quotes[name].ask_price
        assert quotes[name].bid_price < quotes[name].ask_price


def test_a_thousand_snapshots_take_under_fifty_milliseconds(wide_venue: RunningVenue) -> None:
    wide_venue.skip("2026-01-05T20:40:10Z")
    names = ",".join(asset.symbol for asset in wide_venue.trading().get_all_assets())
    wide_venue.get("/v2/stocks/snapshots", symbols=names)
    taken = []
    for _ in range(8):
        start = time.monotonic()
        answer = wide_venue.get("/v2/stocks/snapshots", symbols=names)
        taken.append(time.monotonic() - start)
    assert len(answer.json()) == 1000
    assert min(taken) < 0.05


def test_reference_data_is_told_and_unknown_is_null(venue: RunningVenue) -> None:
    names = [asset.symbol for asset in venue.trading().get_all_assets()]
    told = venue.get("/v1/reference/fundamentals", symbols=",".join([*names, "NOSUCH"])).json()
    assert set(told) == set(names)
    assert told["SPY"]["market_cap"] is None
    assert {type(item["pe_ratio"]) for item in told.values()} == {float, type(None)}
    assert all(item["avg_volume_20d"] > 0 and item["previous_close"] > 0 for item in told.values())
    vix = venue.get("/v1/reference/vix").json()
    assert vix["session"] == "2026-01-02"
    assert vix["value"] > 15


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"symbols": "SPY", "timeframe": "60Min"},
        {"symbols": "SPY", "timeframe": "1Min", "limit": "0"},
        {"symbols": "SPY", "timeframe": "1Min", "start": "soon"},
        {"symbols": "SPY", "timeframe": "1Min", "page_token": "???"},
    ],
)
def test_bad_questions_are_refused_with_words(venue: RunningVenue, query: dict[str, str]) -> None:
    answer = venue.get("/v2/stocks/bars", **query)
    assert answer.status_code == 400
    assert answer.json()["message"]
