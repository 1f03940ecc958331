from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq
import pytest

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.paper.settings import VenueSettings
from tbot_bot.paper.venue import build_venue
from tests.conftest import find_shared_data
from tests.unit.paper.conftest import RunningVenue, start_venue
from tests.unit.paper.test_rest_trading import market

EQKER = "minute/eqker_24sym_1m_2019-02-11_15.parquet"
SPY = "minute/pyalgotrade_SPY_1m_2011-01_2011-03.parquet"
WEEK = [date(2019, 2, day) for day in range(11, 16)]


@pytest.fixture
def replaying(settings: VenueSettings) -> Callable[..., RunningVenue]:
    started: list[RunningVenue] = []

    def start(path: Path, session: date | None = None) -> RunningVenue:
        started.append(start_venue(replace(settings, market="replay", replay_file=path, session=session)))
        return started[-1]

    yield start  # type: ignore[misc]
    for venue in started:
        venue.stop()


@pytest.mark.shared_data
@pytest.mark.parametrize("day", WEEK)
def test_each_recorded_session_is_served_as_it_was(replaying: Callable[..., RunningVenue], day: date) -> None:
    path = find_shared_data(EQKER)
    venue = replaying(path, day)
    venue.skip(f"{day}T21:00:30Z")
    bars = venue.get("/v2/stocks/bars", symbols="AAPL,MSFT", timeframe="1Min").json()["bars"]
    table = pq.read_table(path, filters=[("symbol", "in", ["AAPL", "MSFT"])]).to_pylist()
    for name in ("AAPL", "MSFT"):
        recorded = [
            (row["open"], row["high"], row["low"], row["close"], row["volume"])
            for row in table
            if row["symbol"] == name and row["ts_utc"].date() == day
        ]
        served = [(bar["o"], bar["h"], bar["l"], bar["c"], bar["v"]) for bar in bars[name]]
        assert served == [pytest.approx(row, abs=5e-5) for row in recorded[: len(served)]]
        assert len(served) >= 380


@pytest.mark.shared_data
def test_vix_is_an_index_and_no_asset(replaying: Callable[..., RunningVenue]) -> None:
    venue = replaying(find_shared_data(EQKER), WEEK[1])
    names = [asset.symbol for asset in venue.trading().get_all_assets()]
    assert "VIX" not in names
    assert len(names) == 23
    vix = venue.get("/v1/reference/vix").json()
    assert vix["session"] == "2019-02-11"
    assert 14 < vix["value"] < 18
    told = venue.get("/v1/reference/fundamentals", symbols="AAPL").json()["AAPL"]
    assert told["market_cap"] is None
    assert told["avg_volume_20d"] > 10_000_000
    assert 165 < told["previous_close"] < 175


@pytest.mark.shared_data
def test_before_the_files_first_session_nothing_is_known(replaying: Callable[..., RunningVenue]) -> None:
    venue = replaying(find_shared_data(EQKER))
    assert venue.get("/v1/reference/vix").json() == {"value": None, "session": None}
    assert venue.get("/v2/stocks/quotes/latest", symbols="AAPL").json() == {"quotes": {}}
    told = venue.get("/v1/reference/fundamentals", symbols="AAPL").json()["AAPL"]
    assert told["avg_volume_20d"] is None
    assert told["previous_close"] is None


@pytest.mark.shared_data
def test_orders_fill_at_recorded_prices_and_the_end_of_the_file_closes_the_market(
    replaying: Callable[..., RunningVenue],
) -> None:
    venue = replaying(find_shared_data(EQKER), WEEK[4])
    client = venue.trading()
    venue.skip("2019-02-15T15:00:00Z")
    client.submit_order(market("AAPL", "buy", 5))
    venue.skip("2019-02-15T15:01:00Z")
    assert 169 < float(client.get_open_position("AAPL").avg_entry_price) < 172
    venue.skip("2019-02-20T15:01:00Z")
    clock = client.get_clock()
    assert not clock.is_open
    assert clock.timestamp == datetime(2019, 2, 15, 21, 2, tzinfo=UTC)
    assert clock.next_open == datetime(2019, 2, 19, 14, 30, tzinfo=UTC)


@pytest.mark.shared_data
def test_extended_hours_are_left_out_and_summer_time_is_kept(replaying: Callable[..., RunningVenue]) -> None:
    venue = replaying(find_shared_data(SPY), date(2011, 3, 14))
    assert venue.trading().get_clock().next_open == datetime(2011, 3, 14, 13, 30, tzinfo=UTC)
    venue.skip("2011-03-14T20:01:00Z")
    bars = venue.get("/v2/stocks/bars", symbols="SPY", timeframe="1Min").json()["bars"]["SPY"]
    assert bars[0]["t"] == "2011-03-14T13:30:00Z"
    assert bars[-1]["t"] == "2011-03-14T19:59:00Z"
    assert len(bars) == 390


def write(path: Path, **columns: object) -> Path:
    base: dict[str, object] = {
        "symbol": ["A", "A"],
        "ts_utc": [datetime(2019, 2, 11, 14, 30, tzinfo=UTC), datetime(2019, 2, 11, 14, 33, tzinfo=UTC)],
        "open": [10.0, 11.0],
        "high": [10.5, 11.5],
        "low": [9.5, 10.5],
        "close": [10.2, 11.2],
        "volume": [100, 200],
    }
    kept = {name: value for name, value in (base | columns).items() if value is not None}
    pq.write_table(pyarrow.table(kept), path)
    return path


def refuse(settings: VenueSettings, path: Path, session: date | None = None) -> str:
    with pytest.raises(DataInvalid) as error:
        build_venue(replace(settings, market="replay", replay_file=path, session=session))
    return str(error.value)


def test_a_file_that_cannot_be_used_is_refused_with_the_cause(settings: VenueSettings, tmp_path: Path) -> None:
    junk = tmp_path / "junk.parquet"
    junk.write_bytes(b"no parquet")
    assert "Parquet" in refuse(settings, junk)
    assert "close, volume" in refuse(settings, write(tmp_path / "a.parquet", close=None, volume=None))
    assert "timestamp" in refuse(settings, write(tmp_path / "b.parquet", ts_utc=["x", "y"]))
    assert "2019-02-11" in refuse(settings, write(tmp_path / "c.parquet"), date(2019, 2, 12))
    night = [datetime(2019, 2, 11, 3, tzinfo=UTC)] * 2
    assert "regular session" in refuse(settings, write(tmp_path / "d.parquet", ts_utc=night))
    assert "positive" in refuse(settings, write(tmp_path / "e.parquet", open=[0.0, float("nan")]))


def test_a_minute_without_a_bar_carries_the_last_price(replaying: Callable[..., RunningVenue], tmp_path: Path) -> None:
    venue = replaying(write(tmp_path / "thin.parquet"))
    venue.skip("2019-02-11T14:32:30Z")
    bars = venue.get("/v2/stocks/bars", symbols="A", timeframe="1Min").json()["bars"]["A"]
    assert [bar["t"] for bar in bars] == ["2019-02-11T14:30:00Z"]
    assert venue.get("/v2/stocks/trades/latest", symbols="A").json()["trades"]["A"]["p"] == 10.2
    venue.skip("2019-02-11T14:33:00Z")
    assert venue.get("/v2/stocks/trades/latest", symbols="A").json()["trades"]["A"]["p"] == 11.0
