"""What the counterpart does with orders."""

from typing import Any

import pytest

from tests.unit.tools.counterparts.conftest import Client


def test_a_preview_places_nothing(client: Client) -> None:
    answer = client.place(preview="true").json()["order"]
    assert (answer["status"], answer["result"], answer["quantity"]) == ("ok", True, 10)
    assert client.get(f"{client.root}/orders") == {"orders": "null"}


def test_the_same_tag_twice_is_two_orders(client: Client) -> None:
    assert client.placed(tag="same") != client.placed(tag="same")


def test_tags_are_told_only_when_asked_for(client: Client) -> None:
    client.placed(tag="tb-1")
    assert "tag" not in client.get(f"{client.root}/orders")["orders"]["order"]
    assert client.get(f"{client.root}/orders", includeTags="true")["orders"]["order"]["tag"] == "tb-1"


def test_an_order_in_the_query_is_as_good_as_one_in_the_form(client: Client) -> None:
    query = {"class": "equity", "symbol": "SPY", "side": "buy", "quantity": 1, "type": "market", "duration": "day"}
    assert client.ask("POST", f"{client.root}/orders", **query).json()["order"]["status"] == "ok"


def test_the_list_holds_todays_orders_and_those_still_open(client: Client) -> None:
    low = round(client.last() * 0.5, 2)
    gone, kept = client.filled(5), client.placed(type="limit", price=low, duration="gtc")
    ended = client.placed(type="limit", price=low)
    client.venue.skip("2026-01-06T15:00:00+00:00")
    assert client.get(f"{client.root}/orders")["orders"]["order"]["id"] == kept
    assert client.order(ended)["status"] == "expired"
    assert client.order(gone["id"])["status"] == "filled"


def test_pages_of_orders(client: Client) -> None:
    numbers = [client.placed() for _ in range(5)]
    pages = [client.get(f"{client.root}/orders", page=page, limit=2)["orders"] for page in (1, 2, 3, 4)]
    assert [row["id"] for row in (*pages[0]["order"], *pages[1]["order"], pages[2]["order"])] == numbers
    assert pages[3] == "null"


def test_short_selling_has_sides_of_its_own(client: Client) -> None:
    assert client.filled(5, side="sell_short", quantity=4)["side"] == "sell_short"
    assert client.get(f"{client.root}/positions")["positions"]["position"]["quantity"] == -4
    assert "errors" in client.place(side="buy", quantity=1).json()
    assert "errors" in client.place(side="buy_to_cover", quantity=5).json()
    assert client.filled(10, side="buy_to_cover", quantity=4)["status"] == "filled"
    assert client.get(f"{client.root}/positions") == {"positions": "null"}
    gain = client.get(f"{client.root}/gainloss")["gainloss"]["closed_position"]
    assert gain["quantity"] == -4
    assert gain["gain_loss"] == pytest.approx(gain["proceeds"] - gain["cost"], abs=0.011)


def test_a_long_position_cannot_be_turned_around(client: Client) -> None:
    client.filled(5)
    for changes in ({"side": "sell", "quantity": 11}, {"side": "sell_short", "quantity": 1}):
        assert "errors" in client.place(**changes).json()


@pytest.mark.parametrize(("side", "near", "far"), [("sell", 1.02, 0.95), ("buy", 0.98, 1.05)])
def test_a_stop_waits_on_its_side_of_the_market(client: Client, side: str, near: float, far: float) -> None:
    client.filled(5)
    last = client.last()
    wrong = client.place(side=side, type="stop", stop=round(last * near, 2)).json()
    assert "stop price" in wrong["errors"]["error"]
    number = client.placed(side=side, type="stop", stop=round(last * far, 2))
    client.venue.skip("2026-01-05T15:00:08+00:00")
    row = client.order(number)
    assert (row["status"], row["stop_price"]) == ("open", round(last * far, 2))


def test_a_cheap_stock_is_not_sold_short(wide: Client) -> None:
    assert wide.venue.server.venue is not None
    names = [item.symbol for item in wide.venue.server.venue.market.instruments]
    quotes = wide.ask("POST", "/markets/quotes", {"symbols": ",".join(names)}).json()["quotes"]["quote"]
    easy = {row["symbol"] for row in wide.get("/markets/etb")["securities"]["security"]}
    cheap = [row["symbol"] for row in quotes if 0 < row["bid"] < 5]
    dear = [row["symbol"] for row in quotes if row["bid"] > 6 and row["symbol"] in easy]
    assert cheap
    assert "below $5" in wide.place(symbol=cheap[0], side="sell_short").json()["errors"]["error"]
    assert wide.place(symbol=dear[0], side="sell_short").json()["order"]["status"] == "ok"


def test_an_order_changes_in_place_and_keeps_its_id_and_tag(client: Client) -> None:
    last = client.last()
    number = client.placed(type="limit", price=round(last * 0.7, 2), tag="tb-2")
    client.venue.skip("2026-01-05T15:00:03+00:00")
    path = f"{client.root}/orders/{number}"
    assert client.ask("PUT", path, {"price": round(last * 0.8, 2), "duration": "gtc"}).json()["order"]["id"] == number
    row = client.order(number)
    assert (row["price"], row["duration"], row["tag"]) == (round(last * 0.8, 2), "gtc", "tb-2")
    for wrong in ({"price": "x"}, {"type": "market"}, {"duration": "week"}, {"duration": "pre"}):
        assert client.ask("PUT", path, wrong).status_code == 400
    assert client.order(number) == row


def test_a_final_order_can_be_neither_changed_nor_canceled(client: Client) -> None:
    number = client.filled(5)["id"]
    for method in ("PUT", "DELETE"):
        answer = client.ask(method, f"{client.root}/orders/{number}", {"price": "1"})
        assert (answer.status_code, answer.text) == (400, "order already in finalized state")
    assert client.ask("DELETE", f"{client.root}/orders/99").status_code == 400


def test_a_partial_fill_tells_the_last_one_and_the_rest(client: Client) -> None:
    client.fault(partial_fills=1)
    number = client.placed(quantity=9)
    client.venue.skip("2026-01-05T15:00:03+00:00")
    row = client.order(number)
    assert (row["status"], row["exec_quantity"], row["remaining_quantity"]) == ("partially_filled", 4, 5)
    client.venue.skip("2026-01-05T15:01:00+00:00")
    done = client.order(number)
    assert (done["status"], done["exec_quantity"], done["last_fill_quantity"]) == ("filled", 9, 5)
    paid = row["avg_fill_price"] * 4 + done["last_fill_price"] * 5
    assert done["avg_fill_price"] == pytest.approx(paid / 9, abs=1e-5)


def test_what_the_account_cannot_pay_is_taken_in_and_then_rejected(client: Client) -> None:
    row = client.order(client.placed(quantity=100_000))
    assert (row["status"], row["exec_quantity"]) == ("rejected", 0)
    assert row["reason_description"]


def legs(client: Client, *sides: tuple[str, str, float | None, float | None]) -> dict[str, Any]:
    last, form = client.last(), dict[str, Any]()
    for at, (side, kind, price, stop) in enumerate(sides):
        form |= {f"symbol[{at}]": "SPY", f"side[{at}]": side, f"quantity[{at}]": 3, f"type[{at}]": kind}
        form |= {f"price[{at}]": round(last * price, 2)} if price else {}
        form |= {f"stop[{at}]": round(last * stop, 2)} if stop else {}
    return form


def complex_order(client: Client, kind: str, form: dict[str, Any]) -> int:
    answer = client.ask("POST", f"{client.root}/orders", {"class": kind, "duration": "day", "tag": kind, **form})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["order"]["id"])


def test_a_bracket_enters_and_then_protects(client: Client) -> None:
    sides = (("buy", "market", None, None), ("sell", "limit", 1.4, None), ("sell", "stop", None, 0.6))
    number = complex_order(client, "otoco", legs(client, *sides))
    client.venue.skip("2026-01-05T15:00:10+00:00")
    row = client.order(number)
    assert (row["class"], row["num_legs"], row["tag"]) == ("otoco", 3, "otoco")
    assert [leg["status"] for leg in row["leg"]] == ["filled", "open", "open"]
    assert client.ask("DELETE", f"{client.root}/orders/{row['leg'][1]['id']}").status_code == 200
    assert [leg["status"] for leg in client.order(number)["leg"]] == ["filled", "canceled", "canceled"]


def test_one_cancels_the_other(client: Client) -> None:
    client.filled(5, quantity=3)
    form = legs(client, ("sell", "limit", 0.9, None), ("sell", "stop", None, 0.6))
    number = complex_order(client, "oco", form)
    client.venue.skip("2026-01-05T15:01:00+00:00")
    found = {leg["type"]: leg["status"] for leg in client.order(number)["leg"]}
    assert found == {"limit": "filled", "stop": "canceled"}
    assert client.get(f"{client.root}/positions") == {"positions": "null"}


def test_one_triggers_the_other(client: Client) -> None:
    form = legs(client, ("buy", "market", None, None), ("sell", "stop", None, 0.6))
    number = complex_order(client, "oto", form)
    client.venue.skip("2026-01-05T15:00:10+00:00")
    assert [leg["status"] for leg in client.order(number)["leg"]] == ["filled", "open"]


def test_legs_must_close_what_the_first_opens(client: Client) -> None:
    form = legs(client, ("buy", "market", None, None), ("buy", "stop", None, 1.4))
    answer = client.ask("POST", f"{client.root}/orders", {"class": "oto", "duration": "day", **form})
    assert (answer.status_code, answer.text) == (400, "Invalid parameter, side[1]: must be opposite of side[0].")


def test_balances_follow_the_market(client: Client) -> None:
    row = client.filled(5)
    told = client.get(f"{client.root}/balances")["balances"]
    cost, value = 10 * row["avg_fill_price"], told["stock_long_value"]
    assert told["total_cash"] == pytest.approx(100_000 - cost, abs=0.01)
    assert told["total_equity"] == pytest.approx(told["total_cash"] + value, abs=0.01)
    assert told["open_pl"] == pytest.approx(value - cost, abs=0.02)
    assert told["market_value"] == told["long_market_value"] == value
    client.filled(10, side="sell")
    gain = client.get(f"{client.root}/gainloss")["gainloss"]["closed_position"]["gain_loss"]
    assert client.get(f"{client.root}/balances")["balances"]["close_pl"] == pytest.approx(gain, abs=0.01)


CLOCKS = (
    ("2026-01-06T14:27:00+00:00", "premarket", "09:30", "open"),
    ("2026-01-05T20:59:00+00:00", "open", "16:00", "postmarket"),
    ("2026-01-05T21:01:00+00:00", "postmarket", "20:00", "closed"),
)


@pytest.mark.parametrize(("moment", "state", "change", "following"), CLOCKS)
def test_the_clock_tells_the_session_and_what_follows(
    client: Client, moment: str, state: str, change: str, following: str
) -> None:
    client.venue.skip(moment)
    told = client.get("/markets/clock")["clock"]
    assert (told["state"], told["next_change"], told["next_state"]) == (state, change, following)
    assert told["date"] == moment[:10]


def test_the_calendar_knows_half_days(client: Client) -> None:
    days = client.get("/markets/calendar", month=11, year=2026)["calendar"]["days"]["day"]
    by_date = {day["date"]: day for day in days}
    assert by_date["2026-11-26"]["status"] == "closed"
    assert by_date["2026-11-27"]["open"] == {"start": "09:30", "end": "13:00"}
    assert client.ask("GET", "/markets/calendar", month=13, year=2026).status_code == 400
