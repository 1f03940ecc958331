"""Loading a stored configuration, and writing the file it comes from."""

from pathlib import Path

import pytest

from tbot_bot.config.env_bot import default_config, load, require, summary
from tbot_bot.config.env_file import parse_env_text
from tbot_bot.config.keys import Store
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.schema import KEYS
from tbot_bot.config.template import render_env, render_env_bot, stored_values
from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.domain.settings import BrokerName

VERSION = "v1.0.0"
SEED = (Path(__file__).parent / "data" / "seed_env_bot.txt").read_text(encoding="utf-8")
KEYS_OF_ALPACA = {"BROKER_API_KEY": "AK1", "BROKER_SECRET_KEY": "s3cret"}


def test_the_seeds_own_env_bot_loads_once_the_brokers_keys_are_there() -> None:
    config = load(SEED, VERSION, KEYS_OF_ALPACA)

    assert isinstance(config, ParsedConfig)
    assert config.bot.routing.broker_name is BrokerName.ALPACA


def test_what_is_rendered_loads_as_it_was() -> None:
    config = require(parse({"MAX_TRADES": "2", "WEIGHTS": "0.5,0.5", "STRATEGY_OVERRIDE": "mid"}, VERSION))

    assert load(render_env_bot(config.raw), VERSION) == config
    assert parse_env_text(render_env(config.raw)).values == stored_values(config.raw, Store.ENV)


def test_rendered_files_hold_no_secret_and_explain_every_key() -> None:
    secrets = {spec.name: "hunter2" for spec in KEYS if spec.secret}
    text = render_env_bot(require(parse(secrets, VERSION)).raw)

    assert "hunter2" not in text
    assert "# Most trades in one strategy's window." in text


def test_a_file_with_holes_is_refused_and_every_hole_named() -> None:
    faults = load("MAX_TRADES=4", VERSION)

    assert not isinstance(faults, ParsedConfig)
    missing = {fault.key for fault in faults if "missing" in fault.message}
    assert missing == {spec.name for spec in KEYS if spec.store is Store.ENV_BOT and spec.required} - {"MAX_TRADES"}


def test_keys_that_came_later_may_be_missing_from_an_older_file() -> None:
    text = "\n".join(
        line for line in render_env_bot(default_config(VERSION).raw).splitlines() if not line.startswith("ADX_MAX=")
    )

    assert load(text, VERSION) == default_config(VERSION)


def test_a_key_kept_in_two_places_must_agree() -> None:
    text = render_env_bot(default_config(VERSION).raw)
    faults = load(text + "BROKER_URL=http://127.0.0.1:1", VERSION, {"BROKER_URL": "http://127.0.0.1:2"})

    assert not isinstance(faults, ParsedConfig)
    assert [fault.key for fault in faults] == ["BROKER_URL"]


def test_faults_of_the_text_and_of_the_values_come_together() -> None:
    text = render_env_bot(default_config(VERSION).raw).replace("MAX_TRADES=4", "MAX_TRADES=0") + "MAX_TRADZ=1"
    faults = load(text, VERSION)

    assert not isinstance(faults, ParsedConfig)
    assert {fault.key for fault in faults} == {"MAX_TRADES", "MAX_TRADZ"}


def test_an_invalid_configuration_stops_a_process_with_every_fault_named() -> None:
    faults = parse({"MAX_TRADES": "0", "MIN_PRICE": "x", "BROKER_API_KEY": "hunter2 hunter2"}, VERSION)
    assert not isinstance(faults, ParsedConfig)

    with pytest.raises(ConfigInvalid) as stopped:
        require(faults)

    assert str(stopped.value) == summary(faults)
    assert "- MAX_TRADES: must be from 1 to 50 (is '0')" in str(stopped.value)
    assert "MIN_PRICE" in str(stopped.value)
    assert "hunter2" not in str(stopped.value)
