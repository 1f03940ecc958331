"""The counterpart's answers beside recordings of the real server: the same nesting, names and kinds of values."""

import json
from typing import Any

import pytest

from tests.conftest import find_shared_data
from tests.unit.tools.counterparts.conftest import Client

pytestmark = pytest.mark.shared_data
RECORDED = "brokers/tradier_rb_2013"
GONE_SINCE_2013 = {
    "quote": {
        "cvolume",
        "open_interest",
        "trade_count",
        "trade_condition",
        "market_condition",
        "direction",
        "days_to_expiration",
        "week_52_high_date",
        "week_52_low_date",
        "exercise_price",
        "ytd_high",
        "ytd_low",
        "ytd_high_date",
        "ytd_low_date",
        "volatility",
        "last_split_date",
        "last_split_factor",
        "delay",
    },
    "position": {"description"},
    "closed_position": {"description", "type", "underlying"},
    "security": {"shares"},
}
"""Fields that today's documentation no longer has."""
RETYPED = {"trade_date", "bid_date", "ask_date", "exch"}
"""Milliseconds and letters today; times and numbers then."""


def differences(ours: Any, theirs: Any, name: str = "") -> list[str]:
    """Where ours lacks what theirs has, or has it as another kind of value."""
    if isinstance(theirs, list):
        mine = kinds(ours if isinstance(ours, list) else [ours])
        return [text for each in kinds(theirs) for text in min((differences(one, each, name) for one in mine), key=len)]
    if isinstance(theirs, dict):
        if isinstance(ours, list):
            return min((differences(one, theirs, name) for one in kinds(ours)), key=len)
        if not isinstance(ours, dict):
            return [f"{name} is {ours!r} and not an object"]
        wanted = {key: value for key, value in theirs.items() if key not in GONE_SINCE_2013.get(name, set())}
        missing = [f"{name}.{key} is missing" for key in wanted.keys() - ours.keys()]
        both = wanted.keys() & ours.keys() - RETYPED
        return missing + [text for key in both for text in differences(ours[key], wanted[key], key)]
    if ours is None or theirs is None or (isinstance(ours, int | float) and isinstance(theirs, int | float)):
        return []
    return [] if type(ours) is type(theirs) else [f"{name} is {ours!r} and not like {theirs!r}"]


def kinds(rows: list[Any]) -> list[Any]:
    """One of each shape: of thousands of trades one tells as much as all."""
    return list({repr(shape(row)): row for row in rows}.values())


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def recorded(name: str) -> Any:
    return json.loads(find_shared_data(f"{RECORDED}/{name}.json").read_text())


CASES = (
    ("quote", "/markets/quotes", {"symbols": "SPY"}),
    ("quotes", "/markets/quotes", {"symbols": "SPY,SH"}),
    ("timesales", "/markets/timesales", {"symbol": "SPY"}),
    ("history", "/markets/history", {"symbol": "SPY"}),
    ("clock", "/markets/clock", {}),
    ("calendar", "/markets/calendar", {"month": 6, "year": 2026}),
    ("lookup", "/markets/lookup", {"q": "S"}),
    ("search", "/markets/search", {"q": "S"}),
    ("etb", "/markets/etb", {}),
    ("account_positions", "ROOT/positions", {}),
    ("account_gainloss", "ROOT/gainloss", {}),
)


@pytest.mark.parametrize(("name", "path", "query"), CASES)
def test_an_answer_has_the_nesting_and_names_that_were_recorded(
    client: Client, name: str, path: str, query: dict[str, Any]
) -> None:
    theirs = recorded(name)
    client.filled(5)
    client.filled(8, symbol="SH")
    client.filled(11, side="sell", quantity=4)
    assert differences(client.get(path.replace("ROOT", client.root), **query), theirs) == []


def test_a_session_is_told_as_recorded(client: Client) -> None:
    assert differences(client.ask("POST", "/markets/events/session").json(), recorded("session")) == []


def test_a_placed_order_is_told_as_recorded(client: Client) -> None:
    assert differences(client.place().json(), recorded("placed_order")) == []


def test_no_positions_are_the_word_that_was_recorded(client: Client) -> None:
    accounts = recorded("user_positions")["accounts"]["account"]
    empty = [each["positions"] for each in accounts if not isinstance(each["positions"], dict)]
    assert empty
    assert all(each == client.get(f"{client.root}/positions")["positions"] for each in empty)


def test_a_difference_would_be_found() -> None:
    assert differences({"a": "1"}, {"a": 1}) == ["a is '1' and not like 1"]
    assert differences({"a": [{"b": 1}]}, {"a": {"c": 1}}) == ["a.c is missing"]
    assert differences("null", {"a": 1}, "x") == ["x is 'null' and not an object"]
