import csv
import gzip
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.domain.market import Asset, Fundamentals, Symbol
from tbot_bot.domain.verdict import ALLOWED, Denied
from tbot_bot.screeners.filters import (
    UniverseRules,
    cap_verdict,
    listing_verdict,
    not_shares,
    price_verdict,
    volume_verdict,
)

RULES = UniverseRules(Decimal(100), Decimal(200), Decimal(5), Decimal(100), 1000, False)


def asset(symbol: str = "ABC", name: str = "Abc Inc. Common Stock", exchange: str = "NYSE", **flags: bool) -> Asset:
    given = {"tradable": True, "fractionable": True, "shortable": True, "easy_to_borrow": True, **flags}
    return Asset(Symbol(symbol), name, exchange, **given)


def rule(verdict: object) -> str:
    return verdict.rule if isinstance(verdict, Denied) else ""


@pytest.mark.parametrize(
    ("symbol", "name", "exchange"),
    [
        ("ABC.WS", "Abc Inc.", "NYSE"),
        ("ABC.U", "Abc Inc.", "NYSE"),
        ("ABC.PRA", "Abc Inc. Series A", "NYSE"),
        ("ABCDW", "Abcd Inc.", "NASDAQ"),
        ("ABCDU", "Abcd Inc.", "NASDAQ"),
        ("ABCDR", "Abcd Inc.", "NASDAQ"),
        ("XYZ", "Xyz Acquisition Corp. Warrants", "NASDAQ"),
        ("XYZ", "Xyz Acquisition Corp. Units", "NASDAQ"),
        ("ZVZZT", "Nasdaq Test Stock", "NASDAQ"),
        ("ATEST", "Whatever", "NYSE"),
    ],
)
def test_what_is_not_ordinary_shares_is_recognised(symbol: str, name: str, exchange: str) -> None:
    assert not_shares(asset(symbol, name, exchange))


@pytest.mark.parametrize(
    ("symbol", "name", "exchange"),
    [
        ("AAPL", "Apple Inc. Common Stock", "NASDAQ"),
        ("GOOGL", "Alphabet Inc. Class A Common Stock", "NASDAQ"),
        ("BRK.B", "Berkshire Hathaway Inc. Class B", "NYSE"),
        ("EPD", "Enterprise Products Partners L.P. Common Units", "NYSE"),
        ("URI", "United Rentals, Inc.", "NYSE"),
        ("FIVE", "Five Below, Inc.", "NASDAQ"),
    ],
)
def test_ordinary_shares_pass(symbol: str, name: str, exchange: str) -> None:
    assert not_shares(asset(symbol, name, exchange)) == ""


def test_the_recorded_assets_are_sorted_with_every_major_stock_kept(shared_data: Callable[[str], Path]) -> None:
    with gzip.open(shared_data("symbols/alpaca_recorded_assets.csv.gz"), "rt") as file:
        rows = list(csv.DictReader(file))
    kinds = Counter[str]()
    kept = set()
    for row in rows:
        active = row["status"] == "active"
        item = asset(row["symbol"], row["name"], row["exchange"], tradable=row["tradable"] == "True", active=active)
        verdict = listing_verdict(item, ())
        kinds[rule(verdict)] += 1
        if verdict is ALLOWED:
            kept.add(row["symbol"])
    assert {"AAPL", "MSFT", "JPM", "XOM", "GE", "GOOGL", "CMCSA"} <= kept
    assert kinds["inactive"] > 0
    assert kinds["exchange"] > 0
    assert kinds[""] > 2000


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (asset(active=False), "inactive"),
        (asset(tradable=False), "not tradable"),
        (asset(exchange="ARCA"), "exchange"),
        (asset(exchange=""), "exchange"),
        (asset("BAD"), "blocklist"),
        (asset(), ""),
    ],
)
def test_the_brokers_list_is_filtered(item: Asset, expected: str) -> None:
    assert rule(listing_verdict(item, {Symbol("BAD")})) == expected


@pytest.mark.parametrize(
    ("cap", "expected"),
    [
        (99, "market cap too small"),
        (100, ""),
        (200, ""),
        (201, "market cap too large"),
        (None, "market cap unknown"),
    ],
)
def test_market_caps_are_bounded_and_unknown_means_no(cap: int | None, expected: str) -> None:
    known = Fundamentals(Symbol("A"), market_cap=None if cap is None else Decimal(cap))
    assert rule(cap_verdict(known, RULES)) == expected


@pytest.mark.parametrize(("volume", "expected"), [(999, "volume too small"), (1000, ""), (None, "")])
def test_a_known_volume_must_suffice(volume: int | None, expected: str) -> None:
    assert rule(volume_verdict(Fundamentals(Symbol("A"), average_volume=volume), RULES)) == expected


@pytest.mark.parametrize(
    ("price", "expected"),
    [("4.99", "price too low"), ("5", ""), ("100", ""), ("100.01", "price too high"), ("0", "price unknown")],
)
def test_prices_are_bounded(price: str, expected: str) -> None:
    assert rule(price_verdict(Decimal(price), RULES)) == expected


def test_an_unknown_price_is_no() -> None:
    assert rule(price_verdict(None, RULES)) == "price unknown"


def test_the_rules_span_the_caps_of_all_running_strategies() -> None:
    parsed = parse({"MIN_MARKET_CAP_MID": "1000000000", "MAX_MARKET_CAP_CLOSE": "50000000000"}, "v1.0.0")
    assert isinstance(parsed, ParsedConfig)
    rules = UniverseRules.of(parsed.bot)
    assert (rules.min_market_cap, rules.max_market_cap) == (Decimal(10) ** 9, Decimal(5) * 10**10)
