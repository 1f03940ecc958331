"""What a save changes, and which way it moves the risk."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum

import pytest

from tbot_bot.config.config_diff import changes, goes_live, raised
from tbot_bot.config.env_bot import default_config
from tbot_bot.config.keys import KeySpec, Kind, Risk, Store
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.schema import BY_NAME, KEYS
from tbot_bot.config.schema_risk import BY_RISK, RISK
from tbot_bot.config.version import version_tag

RAW = default_config(version_tag()).raw
GUARDS = [spec for spec in KEYS if spec.risk is not Risk.NONE]
NO_RISK = {
    # signals, schedules, wording, reports, logins, layout: nothing that bounds a loss
    "VERSION_TAG", "BUILD_MODE", "DEBUG_LOG_LEVEL", "ENABLE_LOGGING", "LOG_FORMAT", "API_RETRY_LIMIT", "API_TIMEOUT",
    "SLEEP_TIME", "FRACTIONAL", "CANDIDATE_MULTIPLIER", "DATA_FEED_SYMBOL_LIMIT", "STRATEGY_SEQUENCE",
    "STRATEGY_OVERRIDE", "TRADING_DAYS", "SCHEDULE_ANCHOR", "RISK_FREE_RATE", "RISK_FREE_RATE_SOURCE",
    "STRAT_OPEN_BUFFER", "TARGET_R_OPEN", "STRAT_MID_VWAP_THRESHOLD", "ADX_MAX", "STRAT_CLOSE_VIX_THRESHOLD",
    "STRAT_CLOSE_FADE_Z", "STRAT_CLOSE_MOMENTUM_Z", "SIMULATED_LATENCY_MS", "RBAC_ENABLED", "DEFAULT_USER_ROLE",
    "LEDGER_EXPORT_MODE",
}  # fmt: skip
HARMLESS = ("NOTIFY_", "ALERT", "CRITICAL_", "ROUTINE_", "REBALANCE_", "ENABLE_REBALANCE", "OPTIMIZER_", "SLIPPAGE_",
            "ENABLE_STRATEGY", "ENABLE_SLIPPAGE", "FAILOVER_", "START_TIME_", "MAX_MARKET_CAP_", "BACKUP_")  # fmt: skip


def mark(_: KeySpec, text: str) -> str:
    return f"#{len(text)}"


def _steps(spec: KeySpec) -> tuple[str, str]:
    """(a value, one that risks more) of a key with a direction."""
    if spec.kind is Kind.BOOL:
        pair = ("false", "true")
    elif spec.kind is Kind.DECIMALS:
        pair = ("0.1,0.2", "0.1,0.3")
    elif spec.choices is not None:
        order: tuple[Enum, ...] = BY_RISK[spec.choices]
        pair = (str(order[0].value), str(order[-1].value))
    else:
        assert spec.low is not None
        assert spec.high is not None
        low = spec.low + (spec.high - spec.low) / 4
        high = spec.low + (spec.high - spec.low) / 2
        whole = spec.kind is Kind.INT
        pair = (str(int(low)), str(int(high) + 1)) if whole else (f"{Decimal(low):f}", f"{Decimal(high):f}")
    return pair if spec.risk is not Risk.LOWER else pair[::-1]


@pytest.mark.parametrize("spec", GUARDS, ids=[spec.name for spec in GUARDS])
def test_each_guard_is_raised_one_way_and_not_the_other(spec: KeySpec) -> None:
    less, more = _steps(spec)

    assert raised({**RAW, spec.name: less}, {**RAW, spec.name: more}) == (spec.name,)
    assert raised({**RAW, spec.name: more}, {**RAW, spec.name: less}) == ()
    assert raised({**RAW, spec.name: more}, {**RAW, spec.name: more}) == ()


@pytest.mark.parametrize("spec", GUARDS, ids=[spec.name for spec in GUARDS])
def test_an_old_value_that_cannot_be_read_counts_as_safer(spec: KeySpec) -> None:
    _, more = _steps(spec)

    assert raised({**RAW, spec.name: "garbage"}, {**RAW, spec.name: more}) == (spec.name,)


def test_every_setting_of_trading_has_a_direction_or_is_known_to_need_none() -> None:
    bounds = {spec.name for spec in KEYS if spec.store is Store.ENV_BOT and spec.section and spec.name != "BROKER_NAME"}
    undecided = {name for name in bounds - NO_RISK - set(RISK) if not name.startswith(HARMLESS)}

    assert {name for name in undecided if not name.endswith(("_ANALYSIS_TIME", "_BREAKOUT_TIME"))} == set()
    assert set(RISK) <= set(BY_NAME)


def test_a_trailing_stop_that_is_turned_off_risks_more_than_any() -> None:
    assert raised(RAW, {**RAW, "TRAIL_PCT_OPEN": "0"}) == ("TRAIL_PCT_OPEN",)
    assert raised({**RAW, "TRAIL_PCT_OPEN": "0"}, {**RAW, "TRAIL_PCT_OPEN": "0.5"}) == ()


def test_weights_raise_by_their_sum() -> None:
    old = {**RAW, "WEIGHTS": "0.3,0.3"}

    assert raised(old, {**RAW, "WEIGHTS": "0.3,0.2"}) == ()
    assert raised(old, {**RAW, "WEIGHTS": "0.5,0.1"}) == ()
    assert raised(old, {**RAW, "WEIGHTS": "0.2,0.2,0.3"}) == ("WEIGHTS",)


def test_a_key_that_an_older_store_lacks_counts_with_its_default() -> None:
    old = {name: text for name, text in RAW.items() if name != "MAX_TRADES"}

    assert raised(old, RAW) == ()
    assert raised(old, {**RAW, "MAX_TRADES": "5"}) == ("MAX_TRADES",)


def _alpaca(**values: str) -> ParsedConfig:
    given = {"BROKER_NAME": "ALPACA", "BROKER_API_KEY": "k" * 8, "BROKER_SECRET_KEY": "s" * 8, **values}
    parsed = parse(given, version_tag())
    assert isinstance(parsed, ParsedConfig), parsed
    return parsed


LIVE = {"BROKER_URL": "https://api.alpaca.markets"}


def test_going_live_is_seen_and_so_is_another_way_of_trading_live() -> None:
    paper, alpaca_paper, live = default_config(version_tag()), _alpaca(), _alpaca(**LIVE)

    assert goes_live(paper, alpaca_paper) == ()
    assert goes_live(live, paper) == ()
    assert set(goes_live(paper, live)) >= {"BROKER_NAME", "BROKER_URL", "BROKER_API_KEY"}
    assert goes_live(alpaca_paper, live) == ("BROKER_URL",)
    assert goes_live(live, live) == ()
    assert goes_live(live, _alpaca(**LIVE, BROKER_SECRET_KEY="another")) == ("BROKER_SECRET_KEY",)
    guarded = _alpaca(**LIVE, BROKER_ACCOUNT_NUMBER="A-1")
    assert goes_live(guarded, live) == ("BROKER_ACCOUNT_NUMBER",)
    assert "BROKER_NAME" in goes_live(None, live)


def test_changes_show_old_and_new_and_no_secret() -> None:
    new: Mapping[str, str] = {**RAW, "MAX_TRADES": "2", "BROKER_API_KEY": "CANARY"}

    assert changes(RAW, new, mark) == {"MAX_TRADES": ["4", "2"], "BROKER_API_KEY": ["", "#6"]}
    assert changes(new, new, mark) == {}
