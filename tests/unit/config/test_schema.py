"""The table of keys against the seeds and against the settings it fills."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from tbot_bot.config.env_file import parse_env_text
from tbot_bot.config.keys import Kind, Store
from tbot_bot.config.schema import ALIASES, BY_NAME, KEYS, find, nearest
from tbot_bot.config.values import Refused, to_text, to_value
from tbot_bot.domain.identity import AlertTargets, BotIdentity, ScreenerCredentials
from tbot_bot.domain.installation import BackupTarget, EnvSettings
from tbot_bot.domain.settings import BotSettings, BrokerCredentials, SecondaryCredentials

DATA = Path(__file__).parent / "data"
OURS = [
    "FLAT_BEFORE_CLOSE_S", "STOP_PCT_OPEN", "TARGET_R_OPEN", "ADX_MAX", "STOP_PCT_MID", "STRAT_CLOSE_FADE_Z",
    "SERVICE_STOP", "SERVICE_STOP_S",
    "STRAT_CLOSE_MOMENTUM_Z", "STOP_PCT_CLOSE", "TRAIL_PCT_OPEN", "TRAIL_PCT_MID", "TRAIL_PCT_CLOSE",
    "TRAIL_TIGHTENING_BUFFER_S", "TRAIL_TIGHTENING_FACTOR", "MAX_SPREAD_PCT", "FUNDAMENTALS_MISSING_ALLOWED",
    "CANDIDATE_MULTIPLIER", "MAX_QUOTE_AGE_S", "PRICE_COLLAR_PCT", "MAX_ORDERS_PER_MINUTE", "DEFENSE_DRAWDOWN",
    "DEFENSE_LOSING_DAYS", "DEFENSE_VIX", "DEFENSE_RECOVERY_SESSIONS", "SCHEDULE_ANCHOR",
    "MARKET_CAP_MISSING_ALLOWED", "DATA_FEED_SYMBOL_LIMIT",
]  # fmt: skip


def seed(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def seed_names(name: str) -> set[str]:
    return set(re.findall(r"^([A-Z_]+)\s*=", seed(name), re.MULTILINE))


@pytest.mark.parametrize(("file", "store"), [("seed_env.txt", Store.ENV), ("seed_env_bot.txt", Store.ENV_BOT)])
def test_a_store_has_exactly_the_keys_of_the_seeds_and_marks_the_others_as_ours(file: str, store: Store) -> None:
    required = {spec.name for spec in KEYS if spec.store is store and spec.required}

    assert required == seed_names(file)


def test_the_broker_credentials_are_the_eight_unified_fields_of_the_seeds() -> None:
    assert {spec.name for spec in KEYS if spec.store is Store.BROKER and not spec.ours} == seed_names("seed_broker.txt")


def test_every_key_that_the_strategy_reference_adds_is_there_and_marked_ours() -> None:
    assert [name for name in OURS if name not in BY_NAME or not BY_NAME[name].ours] == []


@pytest.mark.parametrize("file", ["seed_env.txt", "seed_env_bot.txt"])
def test_defaults_are_the_values_of_the_seeds_except_for_the_broker(file: str) -> None:
    read = parse_env_text(seed(file))
    differing = {name: value for name, value in read.values.items() if BY_NAME[name].default != value}

    assert read.faults == ()
    assert differing == ({"BROKER_NAME": "ALPACA"} if file == "seed_env_bot.txt" else {})


def test_names_and_aliases_are_unique() -> None:
    counts = Counter([spec.name for spec in KEYS] + list(ALIASES))

    assert [name for name, count in counts.items() if count > 1] == []


def test_both_spellings_of_the_fundamentals_filter_mean_the_same_key() -> None:
    assert find("ENABLE_FINNHUB_FUNDAMENTALS_FILTER") is find("ENABLE_FUNNHUB_FUNDAMENTALS_FILTER") is not None


@pytest.mark.parametrize("spec", KEYS, ids=lambda spec: spec.name)
def test_every_default_is_a_value_in_its_one_spelling(spec: Any) -> None:
    value = to_value(spec, spec.default)

    assert not isinstance(value, Refused), value
    assert to_text(spec, value) == spec.default


@pytest.mark.parametrize("spec", KEYS, ids=lambda spec: spec.name)
def test_every_key_says_what_it_is_in_one_plain_line(spec: Any) -> None:
    assert spec.label
    assert spec.allowed
    assert spec.help.endswith(".")
    assert "\n" not in spec.help


def settings_fields(cls: type, section: str) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for name, kind in get_type_hints(cls).items():
        if hasattr(kind, "__dataclass_fields__"):
            found |= settings_fields(kind, f"{section}.{name}".removeprefix("."))
        else:
            found[section, name] = kind
    return found


ROOTS = {
    BotSettings: "",
    EnvSettings: "env",
    BrokerCredentials: "broker",
    SecondaryCredentials: "secondary",
    BotIdentity: "identity",
    AlertTargets: "alerts",
    ScreenerCredentials: "screener",
    BackupTarget: "target",
}
FIELDS = {key: kind for cls, section in ROOTS.items() for key, kind in settings_fields(cls, section).items()}


def test_every_settings_field_has_one_key_and_only_the_broker_toggles_have_none() -> None:
    placed = Counter((spec.section, spec.field) for spec in KEYS if spec.section)

    assert set(placed) == set(FIELDS)
    assert set(placed.values()) == {1}
    assert {spec.name for spec in KEYS if not spec.section} == {"ALPACA_ENABLED", "IBKR_ENABLED", "TRADIER_ENABLED"}


@pytest.mark.parametrize("spec", [spec for spec in KEYS if spec.section], ids=lambda spec: spec.name)
def test_a_keys_value_has_the_type_of_its_settings_field(spec: Any) -> None:
    expected = FIELDS[spec.section, spec.field]
    value = to_value(spec, spec.default)

    if get_origin(expected) in {tuple, frozenset}:
        assert isinstance(value, tuple)
        assert {type(item) for item in value} == {get_args(expected)[0]}
    elif spec.kind is Kind.ENUM and spec.optional:
        assert value is None
    else:
        assert type(value) is expected


def test_only_secret_kinds_hold_what_must_not_be_shown() -> None:
    secret = {spec.name for spec in KEYS if spec.secret}

    assert secret >= {"BROKER_API_KEY", "BROKER_SECRET_KEY", "BROKER_PASSWORD", "SCREENER_API_KEY"}
    assert all(BY_NAME[name].store not in {Store.ENV, Store.ENV_BOT} for name in secret)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("MAX_TRADE", "MAX_TRADES"), ("broker_name", "BROKER_NAME"), ("zzzzzzzzzzzz", "")],
)
def test_the_nearest_known_name_is_found(wrong: str, right: str) -> None:
    assert nearest(wrong) == right
