"""The form published for the web."""

import json
import re
from typing import Any

from tbot_bot.config.form import form_model
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.schema import BY_NAME, KEYS


def form_fields() -> list[Any]:
    model: Any = json.loads(json.dumps(form_model()))
    return [item for group in model["groups"] for part in group["subgroups"] for item in part["fields"]]


def test_the_form_has_the_five_groups_in_order_and_each_subgroup_once() -> None:
    model: Any = form_model()

    assert [group["name"] for group in model["groups"]] == [
        "Broker",
        "Money and risk",
        "Strategies",
        "Alerts",
        "Expert",
    ]
    for group in model["groups"]:
        names = [part["name"] for part in group["subgroups"]]
        assert len(names) == len(set(names))


def test_every_key_is_one_field() -> None:
    assert sorted(item["name"] for item in form_fields()) == sorted(spec.name for spec in KEYS)


def test_what_only_the_layout_may_set_is_shown_as_fixed() -> None:
    fixed = {item["name"] for item in form_fields() if item["fixed"]}

    assert fixed == {spec.name for spec in KEYS if spec.fixed} | {"VERSION_TAG"}
    assert "LOGIN_KEY_PATH" in fixed


def test_the_forms_own_defaults_are_a_valid_configuration() -> None:
    values = {item["name"]: item["default"] for item in form_fields()}

    assert isinstance(parse(values, "v1.0.0"), ParsedConfig)


def test_secrets_are_passwords_without_a_default() -> None:
    secret = [item for item in form_fields() if item["secret"]]

    assert {item["name"] for item in secret} == {spec.name for spec in KEYS if spec.secret}
    assert all(item["kind"] == "password" and item["default"] == "" for item in secret)


def test_choices_are_complete() -> None:
    by_name = {item["name"]: item for item in form_fields()}

    refused = {choice["value"]: choice["refused"] for choice in by_name["BROKER_NAME"]["choices"]}
    assert refused == dict.fromkeys(("PAPER", "ALPACA", "IBKR", "TRADIER"), "")
    assert [choice["value"] for choice in by_name["STRATEGY_OVERRIDE"]["choices"]] == ["", "open", "mid", "close"]
    assert [choice["value"] for choice in by_name["ALPACA_ENABLED"]["choices"]] == ["", "true", "false"]
    assert all(item["choices"] for item in form_fields() if item["kind"] in {"select", "multiselect"})


def test_numbers_carry_their_range_and_patterns_accept_the_default() -> None:
    for item in form_fields():
        if item["kind"] == "number":
            assert float(item["min"]) < float(item["max"])
        if item["pattern"]:
            assert re.fullmatch(item["pattern"], item["default"])
            # a hyphen at a class's edge must be escaped: browsers compile patterns with the v flag
            assert not re.search(r"[^\\]-\]", item["pattern"])
        assert item["advanced"] is BY_NAME[item["name"]].advanced
