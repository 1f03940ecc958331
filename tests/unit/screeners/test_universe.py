import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerUnavailable, UniverseUnusable
from tbot_bot.domain.market import Asset, Bar, DailyBar, Fundamentals, Quote, Symbol, VixReading
from tbot_bot.domain.settings import BotSettings
from tbot_bot.screeners import universe_file
from tbot_bot.screeners.blocklist import Blocklist
from tbot_bot.screeners.providers.no_reference import NoReference
from tbot_bot.screeners.universe import Universe, build
from tbot_bot.support.clock import ManualClock

NOW = datetime(2026, 1, 5, 13, 0, tzinfo=UTC)
WALL = datetime(2026, 11, 23, tzinfo=UTC)
GOOD_CAP = Decimal(5_000_000_000)


class Reference:
    """Knows what the test says; counts the calls and the symbols of each."""

    source = "test"

    def __init__(self, known: Mapping[str, Fundamentals]) -> None:
        self.known = known
        self.calls: list[int] = []

    def fundamentals(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, Fundamentals]:
        self.calls.append(len(symbols))
        return {symbol: self.known[symbol] for symbol in symbols if symbol in self.known}

    def vix(self) -> VixReading | None:
        return None


class Market:
    """Has the quotes that the test gives."""

    def __init__(self, *quotes: Quote) -> None:
        self.by_symbol = {quote.symbol: quote for quote in quotes}
        self.asked: list[Symbol] = []

    def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        self.asked.extend(symbols)
        return tuple(self.by_symbol[symbol] for symbol in symbols if symbol in self.by_symbol)

    def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]:
        return ()

    def daily_bars(self, symbols: Sequence[Symbol], first: date, last: date) -> tuple[DailyBar, ...]:
        return ()


def asset(symbol: str, exchange: str = "NYSE", **flags: bool) -> Asset:
    given = {"tradable": True, "fractionable": True, "shortable": True, "easy_to_borrow": True, **flags}
    return Asset(Symbol(symbol), f"{symbol} Inc.", exchange, **given)


def facts(symbol: str, **changes: Any) -> Fundamentals:
    base = Fundamentals(Symbol(symbol), GOOD_CAP, average_volume=2_000_000, previous_close=Decimal(50))
    return replace(base, **changes)


def made(
    settings: BotSettings,
    assets: Sequence[Asset],
    reference: Any,
    market: Market | None = None,
    blocklist: Blocklist | None = None,
) -> Universe:
    clocks = ManualClock(NOW), ManualClock(WALL)
    return build(assets, reference, market or Market(), settings, blocklist or Blocklist(), *clocks)


def test_only_what_passes_every_rule_is_kept_and_each_refusal_has_its_reason(settings: BotSettings) -> None:
    known = {
        "GOOD": facts("GOOD"),
        "TINY": facts("TINY", market_cap=Decimal(1)),
        "NOCAP": facts("NOCAP", market_cap=None),
        "THIN": facts("THIN", average_volume=5),
        "DEAR": facts("DEAR", previous_close=Decimal(500)),
        "BLOCK": facts("BLOCK"),
    }
    assets = [asset(name) for name in known] + [asset("OTHER", "OTC"), asset("SH", "ARCA"), asset("SPY", "ARCA")]
    found = made(settings, assets, Reference(known), blocklist=Blocklist(frozenset({Symbol("BLOCK")})))
    assert [each.symbol for each in found.listings] == ["GOOD"]
    assert found.reasons == {
        "exchange": 2,
        "blocklist": 1,
        "market cap too small": 1,
        "market cap unknown": 1,
        "volume too small": 1,
        "price too high": 1,
    }
    assert found.counts == {"listed": 9, "kept": 1}
    examples = {each.rule: each.examples for each in found.rejections}
    assert examples["market cap unknown"] == ("NOCAP: its market cap is unknown",)
    assert (found.built_at, found.built_wall, found.source) == (NOW, WALL, "test")


def test_funds_and_benchmark_are_exempt_but_no_candidates(settings: BotSettings) -> None:
    assets = [asset("GOOD"), asset("SH", "ARCA"), asset("PSQ", "ARCA", tradable=False), asset("SPY", "ARCA")]
    found = made(settings, assets, Reference({"GOOD": facts("GOOD")}))
    assert [fund.symbol for fund in found.inverse_etfs] == ["SH"]
    assert found.benchmark is not None
    assert [each.symbol for each in found.listings] == ["GOOD"]


def test_a_blocked_fund_and_an_untradable_benchmark_are_absent(settings: BotSettings) -> None:
    assets = [asset("SH", "ARCA"), asset("SPY", "ARCA", tradable=False)]
    found = made(settings, assets, Reference({}), blocklist=Blocklist(frozenset({Symbol("SH")})))
    assert found.inverse_etfs == ()
    assert found.benchmark is None


def test_the_latest_price_stands_in_for_an_unknown_close(settings: BotSettings) -> None:
    known = {name: facts(name, previous_close=None) for name in ("TRADED", "QUOTED", "SILENT", "ZERO")}
    market = Market(
        Quote(Symbol("TRADED"), NOW, Decimal(0), Decimal(0), Decimal(20)),
        Quote(Symbol("QUOTED"), NOW, Decimal(20), Decimal(21)),
        Quote(Symbol("ZERO"), NOW, Decimal(0), Decimal(20)),
    )
    found = made(settings, [asset(name) for name in known], Reference(known), market)
    assert [each.symbol for each in found.listings] == ["QUOTED", "TRADED"]
    assert found.reasons == {"price unknown": 2}


def test_a_known_close_needs_no_question_to_the_market(settings: BotSettings) -> None:
    market = Market()
    made(settings, [asset("GOOD")], Reference({"GOOD": facts("GOOD")}), market)
    assert market.asked == []


def test_without_a_provider_everything_is_denied_unless_allowed(settings: BotSettings) -> None:
    market = Market(Quote(Symbol("GOOD"), NOW, Decimal(20), Decimal(21)))
    denied = made(settings, [asset("GOOD")], NoReference(), market)
    assert denied.reasons == {"market cap unknown": 1}
    open_handed = replace(settings, filters=replace(settings.filters, market_cap_missing_allowed=True))
    assert [each.symbol for each in made(open_handed, [asset("GOOD")], NoReference(), market).listings] == ["GOOD"]


def test_a_share_that_is_hard_to_borrow_is_not_shortable(settings: BotSettings) -> None:
    found = made(settings, [asset("GOOD", easy_to_borrow=False)], Reference({"GOOD": facts("GOOD")}))
    assert not found.listings[0].shortable


def test_thousands_of_symbols_are_asked_in_batches(settings: BotSettings) -> None:
    names = [a + b + c for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ" for c in "ABCDEFGHIJKLMNOPQRSTUVWXY"]
    reference = Reference({name: facts(name) for name in names})
    found = made(settings, [asset(name) for name in names], reference)
    assert len(found.listings) == 2500
    assert reference.calls == [1000, 1000, 500]


def test_a_provider_that_fails_leaves_no_half_universe(settings: BotSettings) -> None:
    class Broken(Reference):
        def fundamentals(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, Fundamentals]:
            raise BrokerUnavailable("down")

    with pytest.raises(BrokerUnavailable):
        made(settings, [asset("GOOD")], Broken({}))


@pytest.fixture
def good(settings: BotSettings) -> Universe:
    known = {"GOOD": facts("GOOD", sector="Energy", pe_ratio=Decimal("12.34")), "FINE": facts("FINE")}
    assets = [asset("GOOD"), asset("FINE"), asset("SH", "ARCA"), asset("SPY", "ARCA"), asset("X", "OTC")]
    return made(settings, assets, Reference(known))


DAY = timedelta(days=1)


def test_what_is_written_reads_back_exactly(good: Universe, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "symbol_universe.json"
    universe_file.write(path, good)
    assert universe_file.load(path, NOW, DAY) == good


def test_the_file_says_its_counts_and_reasons_in_plain_json(good: Universe, tmp_path: Path) -> None:
    universe_file.write(tmp_path / "u.json", good)
    body = json.loads((tmp_path / "u.json").read_text())["body"]
    assert (body["schema"], body["counts"], body["reasons"]) == (1, {"listed": 5, "kept": 2}, {"exchange": 2})


def test_an_absent_universe_says_so(tmp_path: Path) -> None:
    with pytest.raises(UniverseUnusable, match="no symbol universe yet"):
        universe_file.load(tmp_path / "none.json", NOW, DAY)


def test_a_changed_byte_is_noticed(good: Universe, tmp_path: Path) -> None:
    path = tmp_path / "u.json"
    universe_file.write(path, good)
    path.write_bytes(path.read_bytes().replace(b'"12.34"', b'"12.35"'))
    with pytest.raises(UniverseUnusable, match="checksum"):
        universe_file.load(path, NOW, DAY)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"body": 5}', b"\xff"])
def test_damage_is_refused_with_words(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "u.json"
    path.write_bytes(data)
    with pytest.raises(UniverseUnusable, match="build it again"):
        universe_file.load(path, NOW, DAY)


def test_another_schema_is_refused(good: Universe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "u.json"
    monkeypatch.setattr(universe_file, "SCHEMA", 0)
    universe_file.write(path, good)
    monkeypatch.undo()
    with pytest.raises(UniverseUnusable, match="schema 0"):
        universe_file.load(path, NOW, DAY)


def test_a_stale_universe_is_refused(good: Universe, tmp_path: Path) -> None:
    universe_file.write(tmp_path / "u.json", good)
    assert universe_file.load(tmp_path / "u.json", NOW + DAY, DAY)
    with pytest.raises(UniverseUnusable, match="stale"):
        universe_file.load(tmp_path / "u.json", NOW + DAY * 1.01, DAY)


def test_a_universe_of_a_later_market_is_refused(good: Universe, tmp_path: Path) -> None:
    universe_file.write(tmp_path / "u.json", good)
    with pytest.raises(UniverseUnusable, match="another market"):
        universe_file.load(tmp_path / "u.json", NOW - DAY, DAY)
    assert universe_file.read(tmp_path / "u.json") == good


def test_an_empty_universe_never_replaces_a_good_one(good: Universe, tmp_path: Path) -> None:
    path = tmp_path / "u.json"
    universe_file.write(path, good)
    with pytest.raises(UniverseUnusable, match="exchange 2"):
        universe_file.write(path, replace(good, listings=()))
    assert universe_file.load(path, NOW, DAY) == good
