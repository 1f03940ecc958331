"""The gateway library's own objects to our values, and our orders to its."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.broker.brokers import ibkr_library
from tbot_bot.broker.brokers import ibkr_wire as wire
from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderStatus, OrderType, Purpose, Side
from tbot_bot.domain.session import StrategyName

AT = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
OURS = ClientOrderId("tb-1")


@pytest.fixture(scope="module")
def ib() -> Any:
    return ibkr_library.load()


def _intent(**more: Any) -> OrderIntent:
    base: dict[str, Any] = {"quantity": Decimal(10), "side": Side.BUY, "symbol": Symbol("SPY")}
    return OrderIntent(
        client_id=OURS,
        session=date(2026, 6, 1),
        strategy=StrategyName.OPEN,
        purpose=Purpose.ENTRY,
        trade_id=OURS,
        created_at=AT,
        reason="test",
        **(base | more),
    )


def _trade(ib: Any, status: str, filled: float = 0, average: float = 0, **order: Any) -> Any:
    fields: dict[str, Any] = {"action": "BUY", "totalQuantity": 10, "orderType": "MKT", "orderRef": OURS, "permId": 9}
    state = ib.OrderStatus(status=status, filled=filled, avgFillPrice=average)
    return ib.Trade(ib.Stock("SPY", "SMART", "USD"), ib.Order(**(fields | order)), state, [], [])


def _fill(ib: Any, exec_id: str, shares: float, price: float, side: str = "BOT", fee: float | None = None) -> Any:
    told = ib.Execution(execId=exec_id, time=AT, side=side, shares=shares, price=price, permId=9, orderRef=OURS)
    report = ib.CommissionReport() if fee is None else ib.CommissionReport(execId=exec_id, commission=fee)
    return ib.Fill(ib.Stock("SPY", "SMART", "USD"), told, report, AT)


def _ticker(ib: Any, **values: float) -> Any:
    """Set afterwards: ib_async empties at birth what its Ticker is given."""
    ticker = ib.Ticker()
    for name, value in values.items():
        setattr(ticker, name, value)
    return ticker


def test_a_share_class_is_written_with_a_space_there_and_a_dot_here() -> None:
    assert wire.from_symbol(Symbol("BRK.B")) == "BRK B"
    assert wire.to_symbol("BRK B") == "BRK.B"


def test_only_the_last_order_of_a_bracket_is_transmitted_and_its_exits_are_the_entrys_children(ib: Any) -> None:
    intent = _intent(
        type=OrderType.LIMIT,
        limit_price=Decimal("100.01"),
        take_profit_price=Decimal(110),
        stop_loss_price=Decimal("95.5"),
    )
    head, target, stop = wire.orders_of(ib, intent, "DU1", [5, 6, 7])
    assert [order.transmit for order in (head, target, stop)] == [False, False, True]
    assert [order.orderId for order in (head, target, stop)] == [5, 6, 7]
    assert [order.parentId for order in (head, target, stop)] == [0, 5, 5]
    assert (head.action, target.action, stop.action) == ("BUY", "SELL", "SELL")
    assert (head.lmtPrice, target.lmtPrice, stop.auxPrice) == (100.01, 110.0, 95.5)
    assert [order.orderRef for order in (head, target, stop)] == ["tb-1", "tb-1-tp", "tb-1-sl"]
    assert {order.account for order in (head, target, stop)} == {"DU1"}


@pytest.mark.parametrize(
    ("kind", "prices", "name"),
    [
        (OrderType.MARKET, {}, "MKT"),
        (OrderType.LIMIT, {"limit_price": Decimal(9)}, "LMT"),
        (OrderType.STOP, {"stop_price": Decimal(9)}, "STP"),
        (OrderType.STOP_LIMIT, {"stop_price": Decimal(9), "limit_price": Decimal(8)}, "STP LMT"),
        (OrderType.TRAILING_STOP, {"trail_percent": Decimal("1.5")}, "TRAIL"),
    ],
)
def test_a_price_that_a_type_does_not_have_stays_unset(
    ib: Any, kind: OrderType, prices: dict[str, Decimal], name: str
) -> None:
    (order,) = wire.orders_of(ib, _intent(type=kind, side=Side.SELL, **prices), "DU1", [5])
    fields = {"limit_price": "lmtPrice", "stop_price": "auxPrice", "trail_percent": "trailingPercent"}
    unset = ib.Order()
    assert (order.orderType, order.action, order.transmit) == (name, "SELL", True)
    for ours, theirs in fields.items():
        assert getattr(order, theirs) == (float(prices[ours]) if ours in prices else getattr(unset, theirs))


@pytest.mark.parametrize(
    ("status", "filled", "meant"),
    [
        ("PendingSubmit", 0, OrderStatus.ACCEPTED),
        ("PreSubmitted", 0, OrderStatus.ACCEPTED),
        ("Submitted", 0, OrderStatus.ACCEPTED),
        ("Submitted", 4, OrderStatus.PARTIALLY_FILLED),
        ("PendingCancel", 4, OrderStatus.PARTIALLY_FILLED),
        ("Filled", 10, OrderStatus.FILLED),
        ("Cancelled", 4, OrderStatus.CANCELLED),
        ("ApiCancelled", 0, OrderStatus.CANCELLED),
        ("Inactive", 0, OrderStatus.REJECTED),
        ("SomethingNew", 0, OrderStatus.UNKNOWN),
    ],
)
def test_each_status_has_one_meaning_and_a_new_one_is_unknown(
    ib: Any, status: str, filled: float, meant: OrderStatus
) -> None:
    report = wire.parse_trade(_trade(ib, status, filled, 100.5 if filled else 0), [], AT)
    assert report.status is meant
    assert report.filled_quantity == Decimal(str(filled))
    assert report.average_price == (Decimal("100.5") if filled else None)


def test_a_completed_orders_price_comes_from_its_fills(ib: Any) -> None:
    fills = [_fill(ib, "a.1.01.01", 4, 100), _fill(ib, "a.2.01.01", 6, 105)]
    report = wire.parse_trade(_trade(ib, "Filled"), fills, AT)
    assert (report.filled_quantity, report.average_price) == (Decimal(10), Decimal(103))


def test_a_filled_order_without_a_price_is_refused(ib: Any) -> None:
    with pytest.raises(DataInvalid):
        wire.parse_trade(_trade(ib, "Filled", 10), [], AT)


def test_an_order_without_a_side_is_refused(ib: Any) -> None:
    with pytest.raises(DataInvalid):
        wire.parse_trade(_trade(ib, "Submitted", action="HOLD"), [], AT)


def test_a_strangers_order_is_named_by_its_permanent_id(ib: Any) -> None:
    assert wire.parse_trade(_trade(ib, "Submitted", orderRef=""), [], AT).client_id == "ibkr-9"


def test_a_corrected_execution_is_the_same_execution(ib: Any) -> None:
    first = wire.parse_fill(_fill(ib, "0000e0d5.5f1c.01.01", 4, 100, fee=1.25))
    corrected = wire.parse_fill(_fill(ib, "0000e0d5.5f1c.01.02", 4, 99, fee=1.25))
    other = wire.parse_fill(_fill(ib, "0000e0d5.5f1d.01.01", 4, 100))
    assert first.execution_id == corrected.execution_id != other.execution_id
    assert (first.fee, corrected.price, other.fee) == (Decimal("1.25"), Decimal(99), Decimal(0))


@pytest.mark.parametrize(
    ("exec_id", "shares", "price", "side"),
    [("", 4, 100, "BOT"), ("a.1", 0, 100, "BOT"), ("a.1", 4, 0, "BOT"), ("a.1", 4, 100, "?")],
)
def test_an_execution_with_a_hole_is_refused(ib: Any, exec_id: str, shares: float, price: float, side: str) -> None:
    with pytest.raises(DataInvalid):
        wire.parse_fill(_fill(ib, exec_id, shares, price, side))


@pytest.mark.parametrize("missing", ["NetLiquidation", "TotalCashValue", "BuyingPower"])
def test_an_account_without_its_money_is_refused(ib: Any, missing: str) -> None:
    tags = {"NetLiquidation": "1000.5", "TotalCashValue": "900", "BuyingPower": "4000"}
    values = [ib.AccountValue("DU1", tag, value, "USD", "") for tag, value in tags.items()]
    assert wire.parse_account(values, "DU1").equity == Decimal("1000.5")
    with pytest.raises(DataInvalid):
        wire.parse_account([value for value in values if value.tag != missing], "DU1")
    with pytest.raises(DataInvalid):
        wire.parse_account(values, "DU2")


@pytest.mark.parametrize(("kind", "priced"), [(1, True), (2, True), (3, False), (4, False)])
def test_delayed_prices_make_no_quote(ib: Any, kind: int, priced: bool) -> None:
    ticker = _ticker(ib, bid=99.0, ask=101.0, last=100.0, marketDataType=kind)
    assert (wire.parse_ticker(Symbol("SPY"), ticker, AT) is not None) is priced


def test_a_quote_without_any_price_is_none_and_no_price_is_minus_one(ib: Any) -> None:
    assert wire.parse_ticker(Symbol("SPY"), _ticker(ib), AT) is None
    assert wire.parse_ticker(Symbol("SPY"), _ticker(ib, bid=-1.0, ask=-1.0), AT) is None


@pytest.mark.parametrize(
    ("tick", "halted"), [(float("nan"), False), (-1.0, False), (0.0, False), (1.0, True), (2.0, True)]
)
def test_the_halt_tick_halts(ib: Any, tick: float, halted: bool) -> None:
    quote = wire.parse_ticker(Symbol("SPY"), _ticker(ib, bid=99.0, ask=101.0, halted=tick), AT)
    assert quote is not None
    assert quote.halted is halted


@pytest.mark.parametrize(
    ("shares", "shortable", "easy"),
    [(float("nan"), False, False), (0.0, False, False), (100.0, True, False), (5000.0, True, True)],
)
def test_a_stock_is_shortable_as_far_as_shares_are_there(ib: Any, shares: float, shortable: bool, easy: bool) -> None:
    details = ib.ContractDetails(contract=ib.Stock("SPY", "SMART", "USD"), longName="SPDR")
    asset = wire.parse_details(details, _ticker(ib, shortableShares=shares))
    assert (asset.shortable, asset.easy_to_borrow, asset.fractionable) == (shortable, easy, False)
    assert not wire.parse_details(details, None).shortable
