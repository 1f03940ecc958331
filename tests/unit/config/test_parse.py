"""The whole configuration at once."""

import dataclasses
import json
from datetime import time
from decimal import Decimal

import pytest

from tbot_bot.config.faults import HIDDEN, Faults
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.schema import KEYS
from tbot_bot.domain.session import StrategyName
from tbot_bot.domain.settings import AlertChannel, BrokerName, Weekday

VERSION = "v1.0.0"
SECRET = "hunter2-do-not-show"
ALPACA = {"BROKER_NAME": "ALPACA", "BROKER_API_KEY": "AK1", "BROKER_SECRET_KEY": SECRET}


def parsed(values: dict[str, str]) -> ParsedConfig:
    result = parse(values, VERSION)
    assert isinstance(result, ParsedConfig), result
    return result


def faults_of(values: dict[str, object]) -> Faults:
    result = parse(values, VERSION)
    assert not isinstance(result, ParsedConfig)
    return result


def test_nothing_given_is_the_paper_venue_with_the_values_of_the_seeds() -> None:
    config = parsed({})

    assert config.broker.broker_code is BrokerName.PAPER
    assert config.broker.broker_url == "http://127.0.0.1:8090"
    assert not config.broker.live
    assert config.bot.risk.weights == (Decimal("0.4"), Decimal("0.2"), Decimal("0.2"), Decimal("0.2"))
    assert config.bot.timing.trading_days == frozenset(Weekday)
    assert config.bot.strategies.close.start_utc == time(19, 30)
    assert config.bot.filters.data_feed_symbol_limit == 1000
    assert config.bot.running_strategies == (StrategyName.OPEN, StrategyName.MID, StrategyName.CLOSE)
    assert config.env.session_timeout_s == 3000


def test_alpaca_trades_on_paper_until_the_live_address_is_entered() -> None:
    paper = parsed(ALPACA)
    live = parsed(ALPACA | {"BROKER_URL": "https://api.alpaca.markets"})

    assert paper.broker.broker_url == "https://paper-api.alpaca.markets"
    assert not paper.broker.live
    assert live.broker.live
    assert paper.bot.filters.data_feed_symbol_limit == 30
    assert parsed(ALPACA | {"DATA_FEED_SYMBOL_LIMIT": "200"}).bot.filters.data_feed_symbol_limit == 200


def test_an_override_runs_alone_and_a_disabled_strategy_does_not_run() -> None:
    assert parsed({"STRATEGY_OVERRIDE": "close"}).bot.running_strategies == (StrategyName.CLOSE,)
    assert parsed({"STRAT_MID_ENABLED": "false", "STRATEGY_SEQUENCE": "close,mid,open"}).bot.running_strategies == (
        StrategyName.CLOSE,
        StrategyName.OPEN,
    )


def test_raw_holds_every_key_in_one_spelling_and_parses_to_the_same() -> None:
    config = parsed({"FRACTIONAL": "TRUE", "WEIGHTS": " 0.4, 0.2,0.2 ,0.2", "SLEEP_TIME": "2000ms"})

    assert set(config.raw) == {spec.name for spec in KEYS}
    assert config.raw["FRACTIONAL"] == "true"
    assert config.raw["WEIGHTS"] == "0.4,0.2,0.2,0.2"
    assert config.raw["SLEEP_TIME"] == "2s"
    assert parse(config.raw, VERSION) == config


def test_all_faults_come_at_once() -> None:
    faults = faults_of({"MAX_TRADES": "x", "MIN_PRICE": "-1", "MAX_TRADEZ": "4", "SESSION_TIMEOUT": "86400"})

    assert {fault.key for fault in faults} == {"MAX_TRADES", "MIN_PRICE", "MAX_TRADEZ", "SESSION_TIMEOUT"}


def test_a_fault_says_key_value_unit_and_range() -> None:
    (fault,) = faults_of({"MIN_PRICE": "-1"})

    assert (fault.key, fault.value, fault.unit) == ("MIN_PRICE", "'-1'", "USD")
    assert fault.allowed == "more than 0 to 100000"
    assert json.loads(json.dumps(dataclasses.asdict(fault)))["fields"] == ["MIN_PRICE"]


def test_an_unknown_key_is_refused_with_the_nearest_name_and_its_value_hidden() -> None:
    (fault,) = faults_of({"BROKER_SECRT_KEY": SECRET})

    assert fault.nearest == "BROKER_SECRET_KEY"
    assert fault.value == HIDDEN
    assert SECRET not in repr(fault)


@pytest.mark.parametrize("name", ["", "A\nB", "\ud800", "x" * 10_000, "MAX_TRADES "])
def test_a_strange_key_is_one_fault_that_can_be_written_anywhere(name: str) -> None:
    (fault,) = faults_of({name: "1"})

    assert fault.key.isascii()
    assert fault.key.isprintable()
    assert len(fault.key) <= 80


def test_no_secret_shows_in_a_fault_or_in_a_repr() -> None:
    secrets = {spec.name: SECRET for spec in KEYS if spec.secret}
    too_long = dict.fromkeys(secrets, SECRET + "\n")
    embedded = {"BROKER_URL": f"https://me:{SECRET}@example.com"}

    assert SECRET not in repr(parsed(secrets | {"BROKER_USERNAME": SECRET}))
    assert SECRET not in repr(faults_of({**too_long, **embedded}))


def test_an_alias_is_the_key_and_may_not_contradict_it() -> None:
    alias = {"ENABLE_FINNHUB_FUNDAMENTALS_FILTER": "false"}

    assert not parsed(alias).bot.filters.enable_funnhub_fundamentals_filter
    (fault,) = faults_of({**alias, "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER": "true"})
    assert fault.key == "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER"


@pytest.mark.parametrize("value", ["4\n", "4\x00", "\x1b[31m4", "4\u2028", "\ud8004", "４", 4, None, ["4"]])
def test_what_is_not_plain_printable_text_is_refused(value: object) -> None:
    assert [fault.key for fault in faults_of({"MAX_TRADES": value})] == ["MAX_TRADES"]


def test_an_overlong_secret_is_refused_before_it_is_looked_at() -> None:
    assert "longer than 600" in faults_of({"BROKER_PASSWORD": "x" * 1_000_000})[0].message


def test_alert_addresses_are_found_by_channel() -> None:
    config = parsed({"ALERT_URL_SLACK": "slack://a/b/c"})

    assert config.alerts.of(AlertChannel.SLACK) == "slack://a/b/c"
    assert {config.alerts.of(channel) for channel in AlertChannel} == {"", "slack://a/b/c"}
