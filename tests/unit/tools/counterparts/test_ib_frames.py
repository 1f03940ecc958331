"""Frames of the IB Gateway counterpart: what the client library writes is read, what is said the library decodes."""

import logging
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.broker.brokers.ibkr_library import load
from tbot_bot.paper.book import Fill, Order
from tools.counterparts.ib_gateway import messages
from tools.counterparts.ib_gateway.face import SERVER_VERSION
from tools.counterparts.ib_gateway.requests import Unreadable, read_executions, read_history, read_order

lib = load()
NOON = int(datetime(2026, 1, 5, 17, tzinfo=UTC).timestamp() * 1000)
ABOUT = [1003, "SPY", "STK", "", 0, "", "", "SMART", "USD", "SPY", "SPY"]


class Written(lib.client.Client):  # type: ignore[misc, name-defined]
    """The library's own encoder, whose messages stay here."""

    def __init__(self) -> None:
        super().__init__(object())
        self._serverVersion = SERVER_VERSION
        self.connState = self.CONNECTED
        self.fields: list[str] = []

    def sendMsg(self, msg: str) -> None:
        self.fields = msg.split("\0")[:-1]


class Heard:
    """What the library's decoder told, by the name of its callback."""

    def __init__(self) -> None:
        self.told: dict[str, tuple[Any, ...]] = {}

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.told.__setitem__(name, values)


def decoded(fields: messages.Fields, caplog: pytest.LogCaptureFixture) -> dict[str, tuple[Any, ...]]:
    """Through the bytes of the frame, whose length must be right."""
    raw, heard = messages.frame(fields), Heard()
    assert struct.unpack(">I", raw[:4])[0] == len(raw) - 4
    decoder = lib.decoder.Decoder(heard, SERVER_VERSION)
    with caplog.at_level(logging.ERROR):
        decoder.interpret(raw[4:].decode().split("\0")[:-1])
    assert caplog.records == []
    return heard.told


def order(**terms: Any) -> Order:
    made = {"side": "buy", "type": "limit", "qty": Decimal(7), "limit_price": Decimal("10.05"), **terms}
    return Order("o-1", 12, "a-1", "34.5|tbot-x|1", "SPY", time_in_force="day", session="", submitted_ms=NOON, **made)


@pytest.mark.parametrize(
    ("terms", "kind", "limit", "stop", "amount", "percent"),
    [
        ({"orderType": "MKT"}, "market", None, None, None, None),
        ({"orderType": "LMT", "lmtPrice": 10.05}, "limit", "10.05", None, None, None),
        ({"orderType": "STP", "auxPrice": 9.5}, "stop", None, "9.5", None, None),
        ({"orderType": "STP LMT", "lmtPrice": 9.4, "auxPrice": 9.5}, "stop_limit", "9.4", "9.5", None, None),
        ({"orderType": "TRAIL", "auxPrice": 0.25}, "trailing_stop", None, None, "0.25", None),
        ({"orderType": "TRAIL", "trailingPercent": 1.5}, "trailing_stop", None, None, None, "1.5"),
    ],
)
def test_an_order_that_the_library_writes_is_read_with_all_its_terms(
    terms: dict[str, Any], kind: str, limit: str | None, stop: str | None, amount: str | None, percent: str | None
) -> None:
    client = Written()
    more = {"tif": "GTC", "ocaGroup": "g", "orderRef": "r-1", "parentId": 4, "transmit": False, "outsideRth": True}
    client.placeOrder(5, lib.Stock("SPY", "SMART", "USD"), lib.Order(action="SELL", totalQuantity=7, **terms, **more))
    read = read_order(client.fields)
    prices = [None if text is None else Decimal(text) for text in (limit, stop, amount, percent)]
    assert [read.limit, read.stop, read.trail_amount, read.trail_percent] == prices
    assert (read.number, read.type, read.action, read.quantity, read.what.symbol) == (5, kind, "SELL", 7, "SPY")
    assert (read.force, read.oca, read.ref, read.parent) == ("GTC", "g", "r-1", 4)
    assert (read.transmit, read.outside_rth) == (False, True)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"orderType": "VWAP", "totalQuantity": 1}, 387),
        ({"orderType": "MKT", "totalQuantity": 0}, 321),
        ({"orderType": "MKT", "totalQuantity": 0.5}, 10243),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_the_gateways_code(terms: dict[str, Any], code: int) -> None:
    client = Written()
    client.placeOrder(5, lib.Stock("SPY", "SMART", "USD"), lib.Order(action="BUY", **terms))
    with pytest.raises(Unreadable) as refused:
        read_order(client.fields)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "end", ["20260105 17:00:00 UTC", "20260105-17:00:00", "20260105  17:00:00", "20260105 12:00:00 US/Eastern"]
)
def test_every_form_of_an_end_is_the_same_moment(end: str) -> None:
    client = Written()
    stock = lib.Stock("SPY", "SMART", "USD")
    client.reqHistoricalData(9, stock, end, "600 S", "1 min", "TRADES", True, 2, True, [])
    read = read_history(client.fields)
    assert (read.number, read.end_ms, read.span.total_seconds(), read.step_s) == (9, NOON, 600, 60)
    assert (read.epoch, read.keep) == (True, True)


@pytest.mark.parametrize("end", ["yesterday", "20260105 25:00:00", "20260105 12:00:00 Nowhere/City"])
def test_an_end_that_is_no_moment_is_refused(end: str) -> None:
    client = Written()
    client.reqHistoricalData(9, lib.Stock("SPY"), end, "600 S", "1 min", "TRADES", True, 2, False, [])
    with pytest.raises(Unreadable) as refused:
        read_history(client.fields)
    assert refused.value.code == 10314


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        ({}, True),
        ({"clientId": 34, "symbol": "SPY", "side": "BUY", "time": "20260105 17:00:00 UTC"}, True),
        ({"clientId": 35}, False),
        ({"symbol": "QQQ"}, False),
        ({"side": "SELL"}, False),
        ({"time": "20260105 17:00:01 UTC"}, False),
    ],
)
def test_each_term_of_an_executions_filter_is_kept_to(only: dict[str, Any], wanted: bool) -> None:
    client = Written()
    client.reqExecutions(3, lib.ExecutionFilter(**only))
    read = read_executions(client.fields)
    assert (read.number, read.wants(fill(), 34)) == (3, wanted)


def fill() -> Fill:
    three = Decimal(3)
    terms = ("SPY", "buy", three, Decimal("10.04"), NOON, "partial_fill", three, Decimal(4), "partially_filled")
    return Fill("e-1", "a-1", "o-1", *terms, sequence=77)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["market", "limit", "stop", "stop_limit", "trailing_stop"])
def test_the_library_decodes_an_open_and_a_completed_order(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    made = order(type=kind, stop_price=Decimal("9.5"), trail_percent=Decimal("1.5"), extended_hours=True)
    number, contract, terms, state = decoded(messages.open_order(made, ABOUT, "DU1", 4, "g"), caplog)["openOrder"]
    assert (number, contract.conId, contract.symbol) == (5, 1003, "SPY")
    assert (terms.orderRef, terms.permId, terms.clientId) == ("tbot-x|1", messages.perm_id(made), 34)
    assert (terms.parentId, terms.ocaGroup, terms.outsideRth, terms.totalQuantity) == (4, "g", True, 7)
    assert state.status == messages.status_of(made)
    told = decoded(messages.completed_order(made, ABOUT, "DU1", ""), caplog)["completedOrder"]
    assert (told[1].orderRef, told[1].permId, told[2].status) == ("tbot-x|1", terms.permId, state.status)


def test_the_library_decodes_an_execution_and_its_order_by_the_same_names(caplog: pytest.LogCaptureFixture) -> None:
    made = order(filled_qty=Decimal(3), filled_cost=Decimal("30.12"), status="partially_filled")
    _, contract, execution = decoded(messages.execution(3, fill(), made, ABOUT, "DU1"), caplog)["execDetails"]
    assert (contract.symbol, execution.shares, execution.price, execution.side) == ("SPY", 3, 10.04, "BOT")
    assert (execution.orderId, execution.clientId, execution.permId) == (5, 34, messages.perm_id(made))
    (report,) = decoded(messages.commission(fill()), caplog)["commissionReport"]
    assert report.execId == execution.execId
    status = decoded(messages.order_status(made, 0), caplog)["orderStatus"]
    assert status[:5] == (5, "Submitted", 3, 4, pytest.approx(10.04))


def test_an_order_of_another_face_has_no_client() -> None:
    made = order()
    made.client_order_id = "a-uuid"
    assert messages.name_of(made) == messages.Name(0, 0, "")
