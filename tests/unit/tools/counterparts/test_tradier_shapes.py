"""How the counterpart words things: collapsed lists, XML, errors, headers, faults."""

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from tests.unit.tools.counterparts.conftest import JSON, Client


def test_an_empty_list_is_the_word_null_and_one_thing_no_list(client: Client) -> None:
    assert client.get(f"{client.root}/orders") == {"orders": "null"}
    assert client.get(f"{client.root}/positions") == {"positions": "null"}
    assert client.get(f"{client.root}/gainloss") == {"gainloss": "null"}
    client.filled(5)
    assert client.get(f"{client.root}/orders")["orders"]["order"]["status"] == "filled"
    assert client.get(f"{client.root}/positions")["positions"]["position"]["quantity"] == 10
    client.filled(10, symbol="SH")
    assert [row["symbol"] for row in client.get(f"{client.root}/orders")["orders"]["order"]] == ["SPY", "SH"]
    assert {row["symbol"] for row in client.get(f"{client.root}/positions")["positions"]["position"]} == {"SPY", "SH"}


def test_quotes_collapse_and_name_what_is_unknown(client: Client) -> None:
    one = client.get("/markets/quotes", symbols="SPY")["quotes"]
    many = client.get("/markets/quotes", symbols="SPY,SH,NOSUCH,NEITHER")["quotes"]
    none = client.get("/markets/quotes", symbols="NOSUCH")["quotes"]
    assert one["quote"]["symbol"] == "SPY"
    assert [row["symbol"] for row in many["quote"]] == ["SPY", "SH"]
    assert many["unmatched_symbols"] == {"symbol": ["NOSUCH", "NEITHER"]}
    assert none == {"unmatched_symbols": {"symbol": "NOSUCH"}}
    assert client.ask("POST", "/markets/quotes", {"symbols": "SPY"}).json()["quotes"]["quote"]["symbol"] == "SPY"


@pytest.mark.parametrize(
    "path", ["/user/profile", "ROOT/balances", "ROOT/positions", "ROOT/orders", "/markets/clock", "/markets/calendar"]
)
def test_without_an_accept_header_an_answer_is_the_same_in_xml(client: Client, path: str) -> None:
    client.filled(5)
    path = path.replace("ROOT", client.root)
    answer = client.ask("GET", path, headers={"Accept": "*/*"})
    assert answer.headers["Content-Type"].startswith("application/xml")
    found = ElementTree.fromstring(answer.text)
    ((name, value),) = client.get(path).items()
    assert found.tag == name
    assert _as_text(_tree(found)) == _as_text(value)


def _tree(element: ElementTree.Element) -> Any:
    if not len(element):
        return element.text
    children: dict[str, list[Any]] = {}
    for child in element:
        children.setdefault(child.tag, []).append(_tree(child))
    return {name: found[0] if len(found) == 1 else found for name, found in children.items()}


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return None if value is None else str(value).lower()


WRONG = (
    ({"class": "option"}, "class"),
    ({"side": "hold"}, "side"),
    ({"type": "iceberg"}, "type"),
    ({"type": None}, "type"),
    ({"duration": "week"}, "duration"),
    ({"quantity": "1.5"}, "quantity"),
    ({"quantity": "0"}, "quantity"),
    ({"quantity": "NaN"}, "quantity"),
    ({"symbol": None}, "symbol"),
    ({"type": "limit"}, "price"),
    ({"type": "stop"}, "stop"),
    ({"type": "limit", "price": "-1"}, "price"),
    ({"price": "10"}, "price"),
    ({"tag": "no spaces"}, "tag"),
    ({"tag": "x" * 256}, "tag"),
)


@pytest.mark.parametrize(("changes", "field"), WRONG)
def test_what_cannot_be_read_is_a_400_of_plain_text(client: Client, changes: dict[str, Any], field: str) -> None:
    answer = client.place(**changes)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.startswith(f"Invalid parameter, {field}")
    assert client.get(f"{client.root}/orders") == {"orders": "null"}


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "NOSUCH"},
        {"side": "sell"},
        {"side": "buy_to_cover"},
        {"side": "sell_short", "type": "limit", "price": "900", "duration": "gtc"},
        {"type": "limit", "price": "100.123"},
    ],
)
def test_what_breaks_a_rule_is_a_200_with_errors(client: Client, changes: dict[str, Any]) -> None:
    answer = client.place(**changes)
    assert answer.status_code == 200
    assert isinstance(answer.json()["errors"]["error"], str)
    assert client.get(f"{client.root}/orders") == {"orders": "null"}


def test_strangers_and_other_accounts_get_a_fault(client: Client) -> None:
    nobody = client.venue.session.get(f"{client.venue.url}/v1/user/profile", headers=JSON, timeout=30)
    other = replace(client, token="OTHER").ask("GET", f"{client.root}/positions")
    for answer in (nobody, other):
        assert answer.status_code == 401
        assert set(answer.json()["fault"]) == {"faultstring", "detail"}
        assert answer.json()["fault"]["detail"]["errorcode"]


# limits


def test_the_budgets_of_account_and_market_are_two_and_are_told(client: Client) -> None:
    for used in (1, 2, 3):
        headers = client.ask("GET", f"{client.root}/orders").headers
        told = [int(headers[f"X-Ratelimit-{name}"]) for name in ("Allowed", "Used", "Available")]
        assert told == [120, used, 120 - used]
    assert client.ask("GET", "/markets/clock").headers["X-Ratelimit-Used"] == "1"
    assert replace(client, token="OTHER").ask("GET", "/user/profile").headers["X-Ratelimit-Used"] == "1"


def test_a_spent_budget_answers_429_until_the_next_market_minute_and_places_nothing(sandbox: Client) -> None:
    answers = [sandbox.place(tag=f"n-{number}") for number in range(62)]
    assert [answer.status_code for answer in answers] == [200] * 60 + [429] * 2
    assert answers[-1].text == "Quota Violation"
    assert answers[-1].headers["X-Ratelimit-Available"] == "0"
    assert sandbox.ask("GET", "/markets/clock").status_code == 200
    sandbox.venue.skip("2026-01-05T15:01:01+00:00")
    assert len(sandbox.get(f"{sandbox.root}/orders")["orders"]["order"]) == 60


# faults


@pytest.mark.parametrize(("cut", "placed"), [("before", 0), ("after", 1), ("within", 1)])
def test_a_cut_connection_tells_nothing_of_the_orders_fate(client: Client, cut: str, placed: int) -> None:
    client.fault(cut=cut, cut_count=1, cut_method="POST")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.place(tag="cut")
    found = client.get(f"{client.root}/orders", includeTags="true")["orders"]
    assert (found["order"]["tag"] == "cut") if placed else found == "null"


@pytest.mark.parametrize(("status", "placed"), [(200, 0), (400, 0), (429, 0), (500, 0), (502, 0), (503, 0), (504, 1)])
def test_only_a_504_hides_an_order_that_was_placed(client: Client, status: int, placed: int) -> None:
    client.fault(http_status=status, http_count=1, http_method="POST")
    answer = client.place()
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["errors"]["error"]
    else:
        with pytest.raises(ValueError):
            answer.json()
    assert (client.get(f"{client.root}/orders")["orders"] != "null") == placed


def test_answers_can_lose_fields_or_have_others(client: Client) -> None:
    client.filled(5)
    whole = client.get(f"{client.root}/positions")["positions"]["position"]
    client.fault(mangle="drop", mangle_fields="quantity")
    assert client.get(f"{client.root}/positions")["positions"]["position"].keys() == whole.keys() - {"quantity"}
    client.fault(mangle="null", mangle_fields="quantity")
    assert client.get(f"{client.root}/positions")["positions"]["position"] == whole | {"quantity": None}
    client.fault(mangle="text")
    assert client.get(f"{client.root}/positions")["positions"]["position"]["quantity"] == "10.0"
    client.fault(mangle="extra")
    assert client.get(f"{client.root}/positions")["positions"]["position"].keys() > whole.keys()


def test_no_fault_lasts_once_it_is_cleared(client: Client) -> None:
    client.fault(http_status=500, http_count=9)
    assert client.ask("GET", "/markets/clock").status_code == 500
    client.venue.admin("DELETE", "/faults")
    assert client.ask("GET", "/markets/clock").status_code == 200
