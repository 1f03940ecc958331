import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tbot_bot.broker.brokers import alpaca_wire as wire
from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderStatus, OrderType, Purpose, Side, TimeInForce
from tbot_bot.domain.session import StrategyName

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
ORDER = {
    "id": "b1",
    "client_order_id": "c1",
    "symbol": "AAPL",
    "side": "buy",
    "status": "new",
    "type": "limit",
    "qty": "5",
    "filled_qty": "0",
    "filled_avg_price": None,
    "updated_at": "2026-01-05T15:00:00.123456789Z",
}


@pytest.fixture
def recorded(shared_data: Callable[[str], Path]) -> Callable[[str], Any]:
    def body(name: str) -> Any:
        return json.loads(shared_data(f"brokers/alpaca_v2_2020_2021/{name}.json").read_text())[0]["body"]

    return body


def intent(**changes: Any) -> OrderIntent:
    fields: dict[str, Any] = {
        "client_id": ClientOrderId("c1"),
        "session": date(2026, 1, 5),
        "strategy": StrategyName.OPEN,
        "symbol": Symbol("AAPL"),
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "trade_id": ClientOrderId("c1"),
        "created_at": NOW,
        "reason": "test",
        "quantity": Decimal(5),
    }
    return OrderIntent(**{**fields, **changes})


def test_a_recorded_account_of_2020_is_read(recorded: Callable[[str], Any]) -> None:
    account = wire.parse_account(recorded("account__get_success"))
    assert (account.equity, account.buying_power) == (Decimal(100000), Decimal(400000))
    assert account.account_id == "PA2XXXXXXXXX"
    assert not account.trading_blocked


def test_a_recorded_order_is_read(recorded: Callable[[str], Any]) -> None:
    report = wire.parse_order(recorded("order__create_success"))
    assert report.status is OrderStatus.ACCEPTED
    assert (report.symbol, report.quantity, report.average_price) == ("TSLA", Decimal(1), None)
    assert report.at == datetime(2020, 5, 24, 22, 25, 12, 233451, UTC)


def test_recorded_orders_positions_and_fills_are_all_read(recorded: Callable[[str], Any]) -> None:
    assert [wire.parse_order(row).client_id for row in recorded("order__list_success")]
    assert [wire.parse_position(row).quantity for row in recorded("position__list_success")] == [5, 5, 2]
    fills = [wire.parse_execution(row, None) for row in recorded("account_activity__list_success")]
    assert fills[0].execution_id == "486a1a31-4d0c-494b-aaca-afa36477ddb8"
    assert (fills[0].side, fills[0].price) == (Side.SELL, Decimal("886.55"))


def test_a_recorded_calendar_is_read_in_new_york_time(recorded: Callable[[str], Any]) -> None:
    hours = [wire.parse_session(row) for row in recorded("calendar__list_range_success")]
    assert hours[0].open == datetime(2020, 2, 10, 14, 30, tzinfo=UTC)
    assert not any(each.early_close for each in hours)


def test_a_recorded_clock_has_speed_one_and_utc_times(recorded: Callable[[str], Any]) -> None:
    clock = wire.parse_clock(recorded("clock__get_success"))
    assert clock.speed == 1
    assert clock.now == datetime(2020, 6, 9, 2, 38, 49, 42731, UTC)


def test_a_recorded_asset_without_fractionable_is_not_fractionable(recorded: Callable[[str], Any]) -> None:
    asset = wire.parse_asset(recorded("asset__get_success_by_symbol"))
    assert (asset.tradable, asset.active, asset.fractionable) == (True, True, False)


def test_an_account_without_the_removed_day_trading_fields_is_read() -> None:
    account = wire.parse_account({"id": "a", "equity": 1.5, "cash": "1", "buying_power": "2", "new_field": {}})
    assert (account.equity, account.last_equity) == (Decimal("1.5"), Decimal("1.5"))


def test_an_account_without_equity_is_refused() -> None:
    with pytest.raises(DataInvalid, match="equity"):
        wire.parse_account({"id": "a", "cash": "1", "buying_power": "2"})


@pytest.mark.parametrize("change", [{"trading_blocked": True}, {"account_blocked": True}, {"status": "ACCOUNT_CLOSED"}])
def test_a_blocked_account_says_so(change: dict[str, Any]) -> None:
    assert wire.parse_account({"id": "a", "equity": "1", "cash": "1", "buying_power": "2", **change}).trading_blocked


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("new", "0", OrderStatus.ACCEPTED),
        ("held", "0", OrderStatus.ACCEPTED),
        ("pending_cancel", "2", OrderStatus.PARTIALLY_FILLED),
        ("partially_filled", "2", OrderStatus.PARTIALLY_FILLED),
        ("filled", "5", OrderStatus.FILLED),
        ("canceled", "2", OrderStatus.CANCELLED),
        ("replaced", "0", OrderStatus.CANCELLED),
        ("expired", "0", OrderStatus.EXPIRED),
        ("rejected", "0", OrderStatus.REJECTED),
        ("invented_tomorrow", "0", OrderStatus.UNKNOWN),
    ],
)
def test_each_status_has_its_meaning(status: str, filled: str, expected: OrderStatus) -> None:
    assert wire.parse_order({**ORDER, "status": status, "filled_qty": filled}).status is expected


@pytest.mark.parametrize("lost", ["id", "symbol", "side", "status", "updated_at"])
def test_an_order_without_what_matters_is_refused(lost: str) -> None:
    with pytest.raises(DataInvalid):
        wire.parse_order({key: value for key, value in ORDER.items() if key != lost})


def test_numbers_may_be_floats_or_text() -> None:
    as_float = wire.parse_order({**ORDER, "filled_qty": 2.5, "filled_avg_price": 10.1})
    as_text = wire.parse_order({**ORDER, "filled_qty": "2.5", "filled_avg_price": "10.1"})
    assert as_float == as_text
    assert as_float.average_price == Decimal("10.1")


def test_a_short_position_is_negative_however_it_is_written() -> None:
    row = {"symbol": "A", "qty": "5", "side": "short", "avg_entry_price": "10"}
    assert wire.parse_position(row).quantity == wire.parse_position({**row, "qty": "-5"}).quantity == -5


def test_a_position_without_quantity_is_refused() -> None:
    with pytest.raises(DataInvalid):
        wire.parse_position({"symbol": "A", "avg_entry_price": "10"})


def test_a_half_day_closes_early() -> None:
    hours = wire.parse_session({"date": "2024-07-03", "open": "09:30", "close": "13:00"})
    assert (hours.close, hours.early_close) == (datetime(2024, 7, 3, 17, 0, tzinfo=UTC), True)


def test_a_snapshot_gives_quote_and_last_trade() -> None:
    quote = wire.parse_snapshot(
        "A",
        {
            "latestQuote": {"t": "2026-01-05T15:00:00Z", "bp": 9.99, "ap": 10.01},
            "latestTrade": {"t": "2026-01-05T14:59:00Z", "p": 10},
        },
    )
    assert quote is not None
    assert (quote.bid, quote.ask, quote.last) == (Decimal("9.99"), Decimal("10.01"), Decimal(10))
    assert quote.at == NOW


def test_a_snapshot_without_prices_is_no_quote() -> None:
    assert wire.parse_snapshot("A", {"latestQuote": {"t": "2026-01-05T15:00:00Z", "bp": 0, "ap": 0}}) is None
    assert wire.parse_snapshot("A", {"latestQuote": None, "latestTrade": None}) is None


def test_a_daily_bar_belongs_to_its_new_york_day() -> None:
    row = {"t": "2026-01-05T05:00:00Z", "o": 1, "h": 2, "l": 1, "c": 2, "v": 100}
    assert wire.parse_daily_bar("A", row).day == date(2026, 1, 5)


def test_a_msgpack_stamp_and_iso_text_are_the_same_instant() -> None:
    stamp = msgpack.Timestamp(int(NOW.timestamp()), 123_456_789)
    assert wire.parse_time(stamp) == wire.parse_time("2026-01-05T10:00:00.123456789-05:00")


@pytest.mark.parametrize("bad", [None, 5, "yesterday", "2026-01-05T15:00:00"])
def test_what_is_no_instant_is_refused(bad: Any) -> None:
    with pytest.raises(DataInvalid):
        wire.parse_time(bad)


def test_a_bracket_carries_both_prices_and_its_class() -> None:
    body = wire.order_body(intent(take_profit_price=Decimal("11.00"), stop_loss_price=Decimal("9.5")))
    assert body["order_class"] == "bracket"
    assert (body["take_profit"], body["stop_loss"]) == ({"limit_price": "11"}, {"stop_price": "9.5"})
    assert (body["qty"], body["client_order_id"], "notional" in body) == ("5", "c1", False)


def test_a_large_round_quantity_is_written_without_exponent() -> None:
    assert wire.order_body(intent(quantity=Decimal("1E+3")))["qty"] == "1000"


def test_a_trailing_stop_carries_its_percent_and_no_price() -> None:
    body = wire.order_body(
        intent(type=OrderType.TRAILING_STOP, side=Side.SELL, trail_percent=Decimal(2), time_in_force=TimeInForce.GTC)
    )
    assert (body["type"], body["trail_percent"], body["time_in_force"]) == ("trailing_stop", "2", "gtc")
    assert not {"limit_price", "stop_price", "order_class"} & body.keys()


def test_a_stop_alone_makes_a_one_triggers_other() -> None:
    assert wire.order_body(intent(stop_loss_price=Decimal(9)))["order_class"] == "oto"
