from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.market import Fundamentals, Symbol, VixReading
from tbot_bot.domain.verdict import ALLOWED, Denied, Verdict
from tbot_bot.strategy.filters import adx, black_scholes, blocklist, bollinger, fundamentals, screen, vix
from tbot_bot.strategy.filters.black_scholes import Option
from tbot_bot.strategy.indicators import NO_ADX, NO_BOLLINGER, adx_step, bollinger_step
from tools.simulation.builders import settings

FRIDAY, THURSDAY = date(2025, 1, 3), date(2025, 1, 2)
PLAIN = settings()
GOOD = Fundamentals(Symbol("AAA"), Decimal(5_000_000_000), Decimal(20), Decimal(1), 2_000_000, "Technology")


def reason(verdict: Verdict) -> str:
    assert isinstance(verdict, Denied)
    return verdict.reason


def test_adx_needs_its_bars_and_a_trendless_market() -> None:
    assert "needs 28 bars" in reason(adx.judge(NO_ADX, 25))
    trend = NO_ADX
    for i in range(30):
        trend = adx_step(trend, 100 + i, 99 + i)
    assert reason(adx.judge(trend, 25)) == "ADX 100.0 is above 25"
    assert adx.judge(trend, 100.0) == ALLOWED


def test_bollinger_wants_the_close_outside_on_the_signals_side() -> None:
    bands = NO_BOLLINGER
    assert "need 20 bars" in reason(bollinger.judge(bands, 100, 1))
    for close in [100, 102] * 10:
        bands = bollinger_step(bands, close, 0)
    assert bollinger.judge(bands, 98, 1) == ALLOWED
    assert bollinger.judge(bands, 104, -1) == ALLOWED
    assert "not below" in reason(bollinger.judge(bands, 99, 1))
    assert "not above" in reason(bollinger.judge(bands, 98, -1))


def test_vix_at_the_threshold_allows() -> None:
    assert vix.judge(VixReading(Decimal(15), FRIDAY), Decimal(15), FRIDAY) == ALLOWED
    assert "below 15" in reason(vix.judge(VixReading(Decimal("14.99"), FRIDAY), Decimal(15), FRIDAY))


def test_unknown_or_old_vix_denies() -> None:
    fresh = VixReading(Decimal(30), FRIDAY)
    assert reason(vix.judge(None, Decimal(15), FRIDAY)) == "VIX is unknown"
    assert reason(vix.judge(fresh, Decimal(15), None)) == "VIX is unknown"
    assert "older than one session" in reason(vix.judge(VixReading(Decimal(30), THURSDAY), Decimal(15), FRIDAY))


def test_the_blocklist_covers_signal_and_traded_symbol() -> None:
    both = (Symbol("AAA"), Symbol("SH"))
    assert blocklist.judge(both, frozenset()) == ALLOWED
    assert reason(blocklist.judge(both, {Symbol("SH")})) == "SH is on the blocklist"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pe_ratio": Decimal(50)}, ""),
        ({"pe_ratio": Decimal("50.01")}, "outside 0 to 50"),
        ({"pe_ratio": Decimal(0)}, "outside 0 to 50"),
        ({"pe_ratio": None}, "P/E is unknown"),
        ({"debt_equity": Decimal("2.5")}, ""),
        ({"debt_equity": Decimal("2.51")}, "above 2.5"),
        ({"debt_equity": None}, "debt/equity is unknown"),
    ],
)
def test_fundamentals_guard(change: dict[str, Any], words: str) -> None:
    facts = Fundamentals(Symbol("AAA"), **{"pe_ratio": Decimal(20), "debt_equity": Decimal(1), **change})
    verdict = fundamentals.judge(facts, PLAIN.filters)
    assert verdict == ALLOWED if not words else words in reason(verdict)


def test_missing_fundamentals_pass_where_allowed_or_switched_off() -> None:
    nothing = Fundamentals(Symbol("AAA"))
    assert fundamentals.judge(nothing, settings(FUNDAMENTALS_MISSING_ALLOWED="true").filters) == ALLOWED
    assert fundamentals.judge(nothing, settings(ENABLE_FUNNHUB_FUNDAMENTALS_FILTER="false").filters) == ALLOWED


@pytest.mark.parametrize(
    ("price", "opened", "spread", "words"),
    [
        ("5", "5", "0.015", ""),
        ("100", "100", "0", ""),
        ("4.99", "5", "0", "price 4.99 is below 5"),
        ("100.01", "100", "0", "price 100.01 is above 100"),
        ("55", "50", "0", ""),
        ("55.01", "50", "0", "move since the open 10.0 % is above 10.0 %"),
        ("44.9", "50", "0", "move since the open"),
        ("50", "0", "0", "opening price is unknown"),
        ("50", "50", "0.021", "spread 2.1 % is above 1.5 %"),
        ("50", "50", "-0.001", "no two sides"),
    ],
)
def test_the_screen(price: str, opened: str, spread: str, words: str) -> None:
    sight = screen.Sight(Decimal(price), Decimal(opened), Decimal(spread), GOOD)
    verdict = screen.judge(sight, PLAIN.filters, PLAIN.strategies.open, "open")
    assert verdict == ALLOWED if not words else words in reason(verdict)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"average_volume": None}, "average volume is unknown"),
        ({"average_volume": 999_999}, "volume 999,999 is below 1,000,000"),
        ({"market_cap": None}, "market cap is unknown"),
        ({"market_cap": Decimal(1_999_999_999)}, "is below 2,000,000,000"),
        ({"market_cap": Decimal(10_000_000_001)}, "is above 10,000,000,000"),
    ],
)
def test_the_screen_looks_at_the_company(facts: dict[str, Any], words: str) -> None:
    known = Fundamentals(Symbol("AAA"), **{"market_cap": Decimal(5_000_000_000), "average_volume": 2_000_000, **facts})
    sight = screen.Sight(Decimal(50), Decimal(50), None, known)
    assert words in reason(screen.judge(sight, PLAIN.filters, PLAIN.strategies.open, "open"))


def test_a_one_sided_quote_denies() -> None:
    assert "no two sides" in reason(screen.judge_spread(None, PLAIN.filters))


def test_black_scholes_vector() -> None:
    option = Option(spot=100, strike=100, years=1, rate=0.05, volatility=0.2)
    assert black_scholes.call(option) == pytest.approx(10.4506, abs=5e-5)
    assert black_scholes.put(option) == pytest.approx(5.5735, abs=5e-5)


def test_black_scholes_needs_positive_inputs() -> None:
    with pytest.raises(ValueError, match="positive"):
        black_scholes.call(Option(100, 100, 0, 0.05, 0.2))


def test_historical_volatility_needs_twenty_returns() -> None:
    closes = [100.0, 101.0] * 11
    assert black_scholes.historical_volatility(closes[:20]) is None
    assert black_scholes.historical_volatility(closes) == pytest.approx(0.1615, abs=1e-3)


def test_a_premium_far_from_its_model_is_denied() -> None:
    assert black_scholes.judge(11.4, 10.0, PLAIN.bsm) == ALLOWED
    assert "from its model price" in reason(black_scholes.judge(11.6, 10.0, PLAIN.bsm))
    assert "no model price" in reason(black_scholes.judge(11.6, None, PLAIN.bsm))
    assert black_scholes.judge(99.0, 1.0, settings(ENABLE_BSM_FILTER="false").bsm) == ALLOWED
