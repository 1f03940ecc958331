"""Batched market data, fundamentals, and the universe made of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.domain.errors import BrokerDenied
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.screeners import universe_file
from tbot_bot.screeners.blocklist import Blocklist
from tbot_bot.screeners.inverse import inverse_map
from tbot_bot.screeners.providers.paper_reference import PaperReference
from tbot_bot.screeners.universe import build
from tbot_bot.support.clock import SystemClock

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_quotes_come_for_all_known_symbols_in_one_call(broker: Any, names: Any) -> None:
    quotes = broker.quotes([*names, Symbol("NOSUCHSYM")])
    assert {quote.symbol for quote in quotes} == set(names)
    now = broker.get_clock().now + timedelta(seconds=1)  # some clocks tell whole seconds
    assert all(0 < quote.bid <= quote.ask and quote.at <= now for quote in quotes)


def test_bars_are_the_completed_minutes_of_the_span_in_order(broker: Any, names: Any) -> None:
    bars = broker.bars(names[:3], OPEN, OPEN + 20 * MINUTE)
    assert {bar.symbol for bar in bars} == set(names[:3])
    assert [(bar.start, bar.symbol) for bar in bars] == sorted((bar.start, bar.symbol) for bar in bars)
    starts = {bar.start for bar in bars}
    assert min(starts) == OPEN
    assert max(starts) == OPEN + 19 * MINUTE
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)


def test_the_running_minute_is_not_told(broker: Any, names: Any) -> None:
    bars = broker.bars(names[:3], OPEN, OPEN + timedelta(days=1))
    now = broker.get_clock().now
    assert bars
    assert max(bar.start for bar in bars) + MINUTE <= now


def test_many_pages_of_bars_are_one_answer_or_refused_in_words(broker: Any, names: Any) -> None:
    """More than 10,000 bars, the most that one page holds."""
    most = broker.capabilities.bar_symbols
    if most is not None:
        with pytest.raises(BrokerDenied, match=str(most)):
            broker.bars([Symbol(f"X{number}") for number in range(most + 1)], OPEN, OPEN + MINUTE)
        return
    everything = [asset.symbol for asset in broker.get_assets()]
    bars = broker.bars(everything, OPEN - timedelta(days=3), OPEN + 30 * MINUTE)
    assert len({(bar.symbol, bar.start) for bar in bars}) == len(bars)
    assert {bar.symbol for bar in bars} >= set(names)


def test_daily_bars_are_of_their_days(broker: Any, names: Any) -> None:
    bars = broker.daily_bars(names[:2], OPEN.date() - timedelta(days=14), OPEN.date() - timedelta(days=1))
    assert bars
    assert all(bar.day.weekday() < 5 and bar.volume > 0 for bar in bars)


def test_the_universe_is_built_from_assets_and_fundamentals(venue: Any, broker: Any, tmp_path: Path) -> None:
    if not broker.capabilities.listing:
        pytest.skip("this broker lists no symbols")
    parsed = parse({}, "v1.0.0")
    assert isinstance(parsed, ParsedConfig)
    settings = parsed.bot
    url = f"http://127.0.0.1:{venue.port}"
    reference = PaperReference(
        BrokerCredentials(
            BrokerName.PAPER,
            broker_url=url,
            broker_api_key="REF",
            broker_secret_key="ref-secret",
        ),
        5.0,
    )
    vix = reference.vix()
    assert vix is not None
    assert vix.value > 5
    assert vix.session < OPEN.date()
    now = broker.get_clock().now
    found = build(broker.get_assets(), reference, broker, settings, Blocklist(), SystemClock(), SystemClock())
    reference.close()
    assert found.listings
    assert found.listed == len(found.listings) + sum(found.reasons.values()) + len(inverse_map())
    for each in found.listings:
        cap, close = each.fundamentals.market_cap, each.fundamentals.previous_close
        assert cap is not None
        assert Decimal(2_000_000_000) <= cap <= Decimal(10_000_000_000)
        assert close is None or Decimal(5) <= close <= Decimal(100)
        assert each.exchange in ("NYSE", "NASDAQ")
    assert found.benchmark is not None
    assert {"SH", "PSQ"} <= {fund.symbol for fund in found.inverse_etfs}
    sectors = {each.fundamentals.sector for each in found.listings}
    assert {fund.sector for fund in found.inverse_etfs if fund.sector} & sectors
    universe_file.write(tmp_path / "u.json", found)
    assert universe_file.load(tmp_path / "u.json", found.built_at, timedelta(hours=36)) == found
    assert now < broker.get_clock().now
