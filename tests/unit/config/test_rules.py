"""Rules between keys, through `parse`."""

import pytest

from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.rules import RULES
from tbot_bot.config.schema import BY_NAME

VERSION = "v1.0.0"
ALPACA = {"BROKER_NAME": "ALPACA", "BROKER_API_KEY": "AK1", "BROKER_SECRET_KEY": "s3cret"}
ALL_OFF = {"STRAT_OPEN_ENABLED": "false", "STRAT_MID_ENABLED": "false", "STRAT_CLOSE_ENABLED": "false"}


@pytest.mark.parametrize(
    ("values", "key", "why"),
    [
        ({"MAX_TRADES": "3"}, "WEIGHTS", "4 entries, but MAX_TRADES is 3"),
        ({"WEIGHTS": "0.4,0.3,0.2,0.2"}, "WEIGHTS", "more than 1"),
        ({"MIN_PRICE": "101"}, "MIN_PRICE", "above MAX_PRICE"),
        ({"MIN_MARKET_CAP_MID": "10000000001"}, "MIN_MARKET_CAP_MID", "above MAX_MARKET_CAP_MID"),
        ({"MAX_EXPOSURE": "0.021"}, "MAX_RISK_PER_TRADE", "above MAX_EXPOSURE"),
        ({"MAX_EXPOSURE": "0.01", "MAX_RISK_PER_TRADE": "0.01"}, "TOTAL_ALLOCATION", "above MAX_EXPOSURE"),
        ({"MAX_DAILY_NOTIONAL": "0.01"}, "TOTAL_ALLOCATION", "above MAX_DAILY_NOTIONAL"),
        ({"TOTAL_ALLOCATION": "0.009"}, "DEFENSE_MODE_TOTAL_ALLOCATION", "defense may only reduce risk"),
        ({"STRAT_CLOSE_FADE_Z": "0.5"}, "STRAT_CLOSE_MOMENTUM_Z", "above STRAT_CLOSE_FADE_Z"),
        (ALL_OFF, "STRATEGY_SEQUENCE", "no strategy would run"),
        ({"STRATEGY_SEQUENCE": "open", "STRAT_OPEN_ENABLED": "false"}, "STRATEGY_SEQUENCE", "no strategy would run"),
        ({"STRATEGY_OVERRIDE": "mid", "STRAT_MID_ENABLED": "false"}, "STRATEGY_OVERRIDE", "which is disabled"),
        ({"START_TIME_OPEN": "14:29"}, "START_TIME_OPEN", "before the session opens at 14:30"),
        ({"START_TIME_OPEN": "13:29", "SCHEDULE_ANCHOR": "utc"}, "START_TIME_OPEN", "opens at 13:30"),
        ({"START_TIME_CLOSE": "20:50"}, "START_TIME_CLOSE", "after the session's close"),
        ({"FLAT_BEFORE_CLOSE_S": "3600", "START_TIME_CLOSE": "19:51"}, "START_TIME_CLOSE", "after the session's close"),
        ({"SHORT_TYPE_MID": "LongPut"}, "SHORT_TYPE_MID", "LongPut needs options"),
        ({"ALPACA_ENABLED": "true"}, "ALPACA_ENABLED", "contradicts BROKER_NAME=PAPER"),
        (ALPACA | {"ALPACA_ENABLED": "false"}, "ALPACA_ENABLED", "contradicts BROKER_NAME=ALPACA"),
        ({"IBKR_ENABLED": "true"}, "IBKR_ENABLED", "contradicts BROKER_NAME=PAPER"),
        ({"BROKER_CODE": "ALPACA"}, "BROKER_CODE", "must be empty or PAPER"),
        ({"BROKER_URL": "https://api.alpaca.markets"}, "BROKER_URL", "PAPER is on this machine"),
        ({"BROKER_URL": "https://127.0.0.1.example.com"}, "BROKER_URL", "PAPER is on this machine"),
        (
            {"BROKER_NAME": "TRADIER", "BROKER_API_KEY": "token"},
            "BROKER_ACCOUNT_NUMBER",
            "TRADIER needs an account number",
        ),
        (
            {"SECONDARY_BROKER_CODE": "ALPACA", "SECONDARY_BROKER_API_KEY": "x"},
            "SECONDARY_BROKER_CODE",
            "ALPACA needs SECONDARY_BROKER_SECRET_KEY",
        ),
        ({"SECONDARY_BROKER_CODE": "PAPER"}, "SECONDARY_BROKER_CODE", "PAPER needs SECONDARY_BROKER_API_KEY and"),
        (
            ALPACA
            | {
                "SECONDARY_BROKER_CODE": "ALPACA",
                "SECONDARY_BROKER_API_KEY": ALPACA["BROKER_API_KEY"],
                "SECONDARY_BROKER_SECRET_KEY": "y",
            },
            "SECONDARY_BROKER_CODE",
            "is the same account",
        ),
        ({"BROKER_NAME": "ALPACA", "BROKER_SECRET_KEY": "x"}, "BROKER_API_KEY", "ALPACA needs an API key"),
        ({"BROKER_NAME": "ALPACA", "BROKER_API_KEY": "x"}, "BROKER_SECRET_KEY", "ALPACA needs an API secret"),
        ({"SESSION_TIMEOUT": "7201"}, "SESSION_TIMEOUT", "longer than the longest login"),
        ({"VERSION_TAG": "v0.9.0"}, "VERSION_TAG", "this program is v1.0.0"),
    ],
)
def test_values_that_contradict_each_other_are_one_fault_at_the_right_field(
    values: dict[str, str], key: str, why: str
) -> None:
    faults = parse(values, VERSION)

    assert not isinstance(faults, ParsedConfig)
    assert [fault.key for fault in faults] == [key]
    assert why in faults[0].message
    assert key in faults[0].fields


@pytest.mark.parametrize(
    "values",
    [
        {"WEIGHTS": "1", "MAX_TRADES": "1"},
        {"MIN_PRICE": "100"},
        {"DEFENSE_MODE_TOTAL_ALLOCATION": "0.02"},
        {"START_TIME_CLOSE": "20:49"},
        {"START_TIME_OPEN": "13:30", "SCHEDULE_ANCHOR": "utc"},
        ALL_OFF | {"STRAT_MID_ENABLED": "true", "STRATEGY_OVERRIDE": "mid"},
        {"SESSION_TIMEOUT": "7200"},
        {"BROKER_URL": "http://localhost:9000", "BROKER_CODE": "PAPER"},
        {"ALPACA_ENABLED": "false", "IBKR_ENABLED": "false"},
        ALPACA | {"ALPACA_ENABLED": "true", "BROKER_CODE": "ALPACA"},
        ALPACA | {"BROKER_URL": "https://api.alpaca.markets"},
        {"SHORT_TYPE_OPEN": "ShortSell"},
    ],
)
def test_values_on_the_edge_of_a_rule_are_accepted(values: dict[str, str]) -> None:
    assert isinstance(parse(values, VERSION), ParsedConfig)


def test_rules_name_known_keys_only() -> None:
    assert [name for rule in RULES for name in rule.fields if name not in BY_NAME] == []
