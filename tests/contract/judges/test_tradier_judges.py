"""Other people's Tradier clients against the counterpart: they must understand all it says of equities."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.contract.judges.running import beside, told_by
from tools.counterparts.rigs import FIRST, TradierRig
from tools.counterparts.tradier.shape import account_number

SYMBOL, OTHER = "SPY", "SH"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TradierRig]:
    made = TradierRig(tmp_path_factory.mktemp("judged"))
    made.start()
    made.run_from(FIRST + timedelta(minutes=30))
    yield made
    made.close()


def flows(rig: TradierRig, library: str, token: str) -> dict[str, Any]:
    """What the library was told in all its flows."""
    arguments = [f"http://127.0.0.1:{rig.port}", account_number(token), token, SYMBOL, OTHER]
    return told_by(f"{library.partition('_')[0]}_flows.py", arguments, beside("judges"))


@pytest.fixture(scope="module")
def lumi(rig: TradierRig) -> dict[str, Any]:
    return flows(rig, "lumiwealth_tradier", "LUMI")


@pytest.fixture(scope="module")
def lumi_truth(rig: TradierRig, lumi: dict[str, Any]) -> Mapping[str, Any]:
    """Of the exchange after the flows."""
    return rig.truth("LUMI")


@pytest.fixture(scope="module")
def uva(rig: TradierRig) -> dict[str, Any]:
    return flows(rig, "uvatradier", "UVA")


class TestLumiwealth:
    def test_a_new_account_has_its_number_its_cash_and_nothing_else(self, lumi: dict[str, Any]) -> None:
        assert lumi["profile"]["account.account_number"] == account_number("LUMI")
        assert lumi["balances"]["account_number"] == account_number("LUMI")
        assert (lumi["balances"]["total_equity"], lumi["balances"]["total_cash"]) == (100_000, 100_000)
        assert lumi["balances"]["margin.stock_buying_power"] == 2 * lumi["balances"]["margin.option_buying_power"]
        assert (lumi["no positions"], lumi["no orders"], lumi["no gains"]) == (0, 0, True)

    def test_a_market_order_fills_and_is_a_position(self, lumi: dict[str, Any]) -> None:
        assert lumi["placed"]["status"] == "ok"
        filled, (position,) = lumi["filled"], lumi["one position"]
        assert (filled["status"], filled["exec_quantity"], filled["remaining_quantity"]) == ("filled", 10, 0)
        assert (filled["tag"], filled["class"], filled["duration"]) == ("judge-1", "equity", "day")
        assert position["quantity"] == 10
        assert position["cost_basis"] == pytest.approx(10 * filled["avg_fill_price"], abs=0.01)

    def test_an_order_keeps_its_id_when_price_and_duration_change(self, lumi: dict[str, Any]) -> None:
        before, after = lumi["resting"], lumi["after modifying"]
        assert lumi["modified"] == {"id": before["id"], "status": "ok"}
        assert (before["status"], before["duration"], after["status"], after["duration"]) == (
            "open",
            "day",
            "open",
            "gtc",
        )
        assert after["id"] == before["id"]
        assert after["price"] < before["price"]

    def test_an_order_is_canceled_once_and_its_end_is_told_to_the_second_try(self, lumi: dict[str, Any]) -> None:
        assert lumi["canceled"] == lumi["canceled again"] == {"id": lumi["resting"]["id"], "status": "ok"}
        assert (lumi["after canceling"]["status"], lumi["after canceling"]["exec_quantity"]) == ("canceled", 0)

    def test_what_the_account_cannot_pay_is_accepted_and_rejected_afterwards(self, lumi: dict[str, Any]) -> None:
        assert lumi["too dear"]["status"] == "rejected"
        assert "buying power" in lumi["too dear"]["reason_description"]

    def test_refusals_reach_the_client_as_its_own_errors(self, lumi: dict[str, Any]) -> None:
        assert "NOSUCHSYM" in lumi["unknown symbol"]
        assert "more than the position" in lumi["more than held"]
        assert "400" in lumi["unknown order"]
        assert "401" in lumi["another's account"]
        assert "Invalid symbol" in lumi["no quote"]

    def test_a_bracket_has_an_id_of_its_own_and_three_legs(self, lumi: dict[str, Any]) -> None:
        row = lumi["bracket resting"]
        assert (row["id"], row["class"], row["num_legs"]) == (lumi["bracket"]["id"], "otoco", 3)
        assert [leg["type"] for leg in row["leg"]] == ["limit", "limit", "stop"]
        assert [leg["side"] for leg in row["leg"]] == ["buy", "sell", "sell"]
        assert len({row["id"], *(leg["id"] for leg in row["leg"])}) == 4

    def test_the_list_of_orders_is_what_the_exchange_holds(
        self, lumi: dict[str, Any], lumi_truth: Mapping[str, Any]
    ) -> None:
        told = {row["tag"]: row["status"] for row in lumi["all orders"] if row["tag"]}
        assert told == {"judge-1": "filled", "judge-2": "canceled", "judge-3": "canceled"}
        heads = [each for each in lumi_truth["orders"] if each["group"] in (None, each["id"])]
        assert len(heads) == len(lumi["all orders"]) + 1
        assert lumi_truth["positions"] == {SYMBOL: "6"}

    def test_history_and_gains_are_the_exchanges_fills(
        self, lumi: dict[str, Any], lumi_truth: Mapping[str, Any]
    ) -> None:
        fills = [(float(fill["qty"]), float(fill["price"])) for fill in reversed(lumi_truth["fills"])]
        assert [(abs(row["trade.quantity"]), row["trade.price"]) for row in lumi["history"]] == fills
        assert lumi["history of a symbol"] == 1
        (gain,) = lumi["gains"]
        assert (gain["quantity"], gain["term"], gain["symbol"]) == (4, 0, SYMBOL)
        assert gain["gain_loss"] == pytest.approx(gain["proceeds"] - gain["cost"], abs=0.01)

    def test_quotes_are_two_sided_and_know_the_session(self, lumi: dict[str, Any]) -> None:
        assert [row["symbol"] for row in lumi["quotes"]] == [SYMBOL, OTHER]
        for row in (*lumi["quotes"], *lumi["a quote"]):
            assert row["bid"] < row["ask"]
            assert row["low"] <= row["last"] <= row["high"]
            assert row["change"] == pytest.approx(row["last"] - row["prevclose"], abs=0.001)
            assert row["volume"] > 0 < row["average_volume"]
            assert row["close"] is None

    def test_bars_of_a_quarter_are_their_minutes(self, lumi: dict[str, Any]) -> None:
        first, minutes = lumi["quarters"][0], lumi["minutes"][:15]
        assert (first["open"], first["close"]) == (minutes[0]["open"], minutes[-1]["close"])
        assert first["high"] == max(row["high"] for row in minutes)
        assert first["volume"] == sum(row["volume"] for row in minutes)

    def test_weeks_and_months_are_their_days(self, lumi: dict[str, Any]) -> None:
        days = {datetime.fromisoformat(row["date"]): row for row in lumi["days"]}
        for name in ("weeks", "months"):
            starts = [datetime.fromisoformat(row["date"]) for row in lumi[name]]
            for row, start, end in zip(lumi[name], starts, [*starts[1:], datetime(2026, 1, 1)], strict=True):
                part = [day for at, day in days.items() if start <= at < end]
                assert row["volume"] == sum(day["volume"] for day in part)
                assert (row["high"], row["low"]) == (max(d["high"] for d in part), min(d["low"] for d in part))
                assert (row["open"], row["close"]) == (part[0]["open"], part[-1]["close"])

    def test_clock_calendar_and_lookup(self, lumi: dict[str, Any]) -> None:
        assert (lumi["clock"]["state"], lumi["clock"]["next_state"]) == ("open", "postmarket")
        status = {row["date"][:10]: row["status"] for row in lumi["calendar"]}
        assert len(status) == 31
        assert (status["2026-01-01"], status["2026-01-02"], status["2026-01-19"]) == ("closed", "open", "closed")
        assert SYMBOL in {row["symbol"] for row in lumi["lookup"]}


class TestUvatradier:
    def test_account_of_a_new_token(self, uva: dict[str, Any]) -> None:
        assert uva["profile"]["account.account_number"] == account_number("UVA")
        assert uva["balances"]["total_equity"] == 100_000
        assert (uva["no orders"], uva["no positions"]) == (0, 0)

    def test_orders_in_the_query_of_a_post_are_taken(self, uva: dict[str, Any]) -> None:
        assert uva["placed"]["order"]["status"] == "ok"
        assert uva["refused"] == {"errors": {"error": 'asset "NOSUCHSYM" not found'}}
        (order,) = uva["orders"]
        assert (order["id"], order["status"], order["exec_quantity"]) == (uva["placed"]["order"]["id"], "filled", 7)
        assert [row["quantity"] for row in uva["positions"]] == [7]
        assert [row["quantity"] for row in uva["gains"]] == [3]
        resting = {row["id"]: row for row in uva["all orders"]}[uva["resting"]["order"]["id"]]
        assert (resting["status"], resting["duration"], resting["price"]) == ("open", "gtc", 1.5)

    def test_quotes_bars_and_trades(self, uva: dict[str, Any]) -> None:
        assert uva["quote"]["bid"] <= uva["quote"]["last"] <= uva["quote"]["ask"]
        assert uva["last"] == pytest.approx(uva["quote"]["last"], rel=0.02)
        assert [row["symbol"] for row in uva["quotes"]] == [SYMBOL, OTHER]
        assert len(uva["days"]) == 22
        assert sum(row["volume"] for row in uva["weeks"]) == sum(row["volume"] for row in uva["days"])
        assert all(later["timestamp"] - row["timestamp"] == 300 for row, later in pairwise(uva["minutes"]))
        assert uva["ticks"] == sorted(uva["ticks"], key=lambda row: row["timestamp"])
        assert all(row["price"] > 0 < row["volume"] for row in uva["ticks"])

    def test_search_finds_words_of_names(self, uva: dict[str, Any]) -> None:
        assert uva["found"]
        assert all("PRO" in (row["description"] + row["symbol"]).upper() for row in uva["found"])

    def test_the_market_stream_tells_quotes_and_trades(self, uva: dict[str, Any]) -> None:
        quote = next(each for each in uva["streamed"] if each["type"] == "quote")
        trade = next(each for each in uva["streamed"] if each["type"] == "trade")
        assert quote["symbol"] == trade["symbol"] == SYMBOL
        assert quote["bid"] < quote["ask"]
        assert quote["bid"] <= float(trade["price"]) <= quote["ask"]
