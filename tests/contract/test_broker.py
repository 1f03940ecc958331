"""What every broker's adapter must do, against its counterpart on loopback."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerDenied, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import (
    ClientOrderId,
    OrderIntent,
    OrderReport,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from tbot_bot.domain.session import StrategyName

_ids = itertools.count(1)


def intent(symbol: Symbol, **changes: Any) -> OrderIntent:
    client_id = ClientOrderId(f"tb-contract-{next(_ids)}")
    fields: dict[str, Any] = {
        "client_id": client_id,
        "session": date(2026, 1, 5),
        "strategy": StrategyName.OPEN,
        "symbol": symbol,
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "trade_id": client_id,
        "created_at": datetime(2026, 1, 5, 15, tzinfo=UTC),
        "reason": "contract",
        **changes,
    }
    if "notional" not in fields:
        fields.setdefault("quantity", Decimal(5))
    return OrderIntent(**fields)


def price_of(broker: Any, symbol: Symbol) -> Decimal:
    return Decimal(broker.quotes([symbol])[0].price)


def filled(broker: Any, wait: Any, order: OrderIntent) -> OrderReport:
    def ask() -> OrderReport | None:
        report = broker.get_order(order.client_id)
        return report if report is not None and report.status is OrderStatus.FILLED else None

    found = wait(ask, 15, f"the fill of {order.symbol}")
    assert isinstance(found, OrderReport)
    return found


# connection and facts


def test_good_credentials_pass_the_self_check(broker: Any) -> None:
    broker.connect()
    assert broker.self_check() == ()


def test_a_wrong_secret_is_denied(venue: Any) -> None:
    venue.broker("KEYWITHSECRET").connect()
    with pytest.raises(BrokerDenied):
        venue.broker("KEYWITHSECRET", "another-secret").connect()


def test_assets_have_exchanges_and_flags_of_both_kinds(broker: Any) -> None:
    assets = {asset.symbol: asset for asset in broker.get_assets()}
    assert {"SPY", "SH"} <= assets.keys()
    assert {"NASDAQ", "NYSE"} <= {asset.exchange for asset in assets.values()}
    assert {asset.fractionable for asset in assets.values()} == {True, False}


def test_a_new_account_holds_its_cash_and_nothing_else(broker: Any) -> None:
    account = broker.get_account_info()
    assert (account.equity, account.cash, account.trading_blocked) == (Decimal(100000), Decimal(100000), False)
    assert broker.get_positions() == ()
    assert broker.open_orders() == ()


def test_the_calendar_knows_half_days_and_daylight_saving(broker: Any) -> None:
    (half,) = broker.get_calendar(date(2026, 11, 27), date(2026, 11, 27))
    assert (half.early_close, half.close) == (True, datetime(2026, 11, 27, 18, tzinfo=UTC))
    days = broker.get_calendar(date(2026, 3, 6), date(2026, 3, 9))
    assert [day.open.hour for day in days] == [14, 13]


def test_the_clock_says_time_speed_and_hours(broker: Any) -> None:
    clock = broker.get_clock()
    assert (clock.is_open, clock.speed) == (True, Decimal(60))
    assert clock.now < clock.next_close < clock.next_open


# orders


def test_a_market_order_fills_and_every_execution_is_told_exactly(broker: Any, names: Any, wait: Any) -> None:
    before = broker.get_clock().now
    order = intent(names[0], quantity=Decimal("2.5"))
    assert broker.submit_order(order).client_id == order.client_id
    report = filled(broker, wait, order)
    fills = broker.executions_since(before)
    assert sum(fill.quantity for fill in fills) == report.filled_quantity == Decimal("2.5")
    assert {(fill.client_id, fill.broker_order_id) for fill in fills} == {(order.client_id, report.broker_id)}
    assert len({fill.execution_id for fill in fills}) == len(fills)
    spent = sum(fill.quantity * fill.price for fill in fills)
    assert broker.get_account_info().cash == pytest.approx(Decimal(100000) - spent, abs=Decimal("0.01"))
    (position,) = broker.get_positions()
    assert (position.symbol, position.quantity) == (names[0], Decimal("2.5"))


def test_executions_since_the_last_one_include_it_and_nothing_older(broker: Any, names: Any, wait: Any) -> None:
    first, second = intent(names[0]), intent(names[1])
    for order in (first, second):
        broker.submit_order(order)
        filled(broker, wait, order)
    everything = broker.executions_since(datetime(2026, 1, 5, tzinfo=UTC))
    last = everything[-1].at
    assert broker.executions_since(last) == tuple(fill for fill in everything if fill.at >= last)
    assert broker.executions_since(last + timedelta(milliseconds=1)) == ()


def test_fills_carry_our_id_for_an_adapter_that_never_saw_the_order(venue: Any, names: Any, wait: Any) -> None:
    first = venue.broker("RESTARTED")
    order = intent(names[0])
    first.submit_order(order)
    filled(first, wait, order)
    fills = venue.broker("RESTARTED").executions_since(datetime(2026, 1, 5, tzinfo=UTC))
    assert {fill.client_id for fill in fills} == {order.client_id}


def test_a_notional_order_buys_for_its_dollars(broker: Any, names: Any, wait: Any) -> None:
    order = intent(names[0], notional=Decimal("500.00"))
    broker.submit_order(order)
    report = filled(broker, wait, order)
    assert report.average_price is not None
    assert abs(report.filled_quantity * report.average_price - 500) < 1


def test_a_limit_order_rests_until_it_is_cancelled_and_cancelling_twice_is_no_error(
    broker: Any, names: Any, wait: Any
) -> None:
    limit = (price_of(broker, names[0]) / 2).quantize(Decimal("0.01"))
    order = intent(names[0], type=OrderType.LIMIT, limit_price=limit)
    broker.submit_order(order)
    assert [report.client_id for report in broker.open_orders()] == [order.client_id]
    broker.cancel_order(order.client_id)
    wait(lambda: broker.get_order(order.client_id).status is OrderStatus.CANCELLED)
    broker.cancel_order(order.client_id)
    assert broker.open_orders() == ()


def test_stops_and_trailing_stops_rest_and_protect(broker: Any, names: Any, wait: Any) -> None:
    for symbol in names[:2]:
        order = intent(symbol)
        broker.submit_order(order)
        filled(broker, wait, order)
    stop = (price_of(broker, names[0]) / 2).quantize(Decimal("0.01"))
    sell = {"side": Side.SELL, "purpose": Purpose.PROTECT, "time_in_force": TimeInForce.GTC}
    broker.submit_order(intent(names[0], type=OrderType.STOP, stop_price=stop, **sell))
    broker.submit_order(intent(names[1], type=OrderType.TRAILING_STOP, trail_percent=Decimal(20), **sell))
    assert {report.type for report in broker.open_orders()} == {OrderType.STOP, OrderType.TRAILING_STOP}


def test_a_resting_stop_may_be_a_fraction_as_the_capabilities_say(broker: Any, names: Any, wait: Any) -> None:
    order = intent(names[0], quantity=Decimal("1.5"))
    broker.submit_order(order)
    filled(broker, wait, order)
    stop = (price_of(broker, names[0]) / 2).quantize(Decimal("0.01"))
    protect = intent(
        names[0],
        quantity=Decimal("1.5"),
        side=Side.SELL,
        purpose=Purpose.PROTECT,
        type=OrderType.STOP,
        stop_price=stop,
    )
    assert broker.capabilities.resting_stop_fractional
    assert broker.submit_order(protect).status is OrderStatus.ACCEPTED


def test_a_bracket_leaves_both_exits_resting(broker: Any, names: Any, wait: Any) -> None:
    price = price_of(broker, names[0])
    order = intent(
        names[0],
        take_profit_price=(price * 2).quantize(Decimal("0.01")),
        stop_loss_price=(price / 2).quantize(Decimal("0.01")),
    )
    broker.submit_order(order)
    filled(broker, wait, order)
    legs = wait(lambda: broker.open_orders() if len(broker.open_orders()) == 2 else (), what="two legs")
    assert {(leg.side, leg.type) for leg in legs} == {(Side.SELL, OrderType.LIMIT), (Side.SELL, OrderType.STOP)}
    for leg in legs:
        broker.cancel_order(leg.client_id)
    wait(lambda: not broker.open_orders(), what="both legs cancelled")


def test_a_partial_fill_is_told_as_one(venue: Any, broker: Any, names: Any, wait: Any, heard: Any) -> None:
    venue.fault(partial_fills=1)
    broker.start(heard.handlers())
    wait(lambda: heard.up("trading"))
    order = intent(names[0], quantity=Decimal(10))
    broker.submit_order(order)
    filled(broker, wait, order)
    wait(lambda: [report.status for report in heard.orders][-1:] == [OrderStatus.FILLED], what="the fill's message")
    assert OrderStatus.PARTIALLY_FILLED in {report.status for report in heard.orders}
    fills = broker.executions_since(datetime(2026, 1, 5, tzinfo=UTC))
    assert len(fills) >= 2
    assert sum(fill.quantity for fill in fills) == 10


def test_a_duplicate_id_returns_the_first_order(broker: Any, names: Any, wait: Any) -> None:
    order = intent(names[0])
    first = broker.submit_order(order)
    again = broker.submit_order(replace(order, quantity=Decimal(50)))
    assert (again.broker_id, again.quantity) == (first.broker_id, Decimal(5))
    assert filled(broker, wait, order).filled_quantity == 5


def test_an_answer_lost_after_acceptance_is_unknown_and_there_is_exactly_one_order(
    venue: Any, broker: Any, names: Any, wait: Any
) -> None:
    venue.fault(http_status=504, http_count=1, http_method="POST", http_path="/v2/orders")
    order = intent(names[0])
    with pytest.raises(OrderFateUnknown):
        broker.submit_order(order)
    assert filled(broker, wait, order).filled_quantity == 5
    (position,) = broker.get_positions()
    assert position.quantity == 5


def test_a_full_rate_limit_is_waited_out(venue: Any, broker: Any, names: Any, wait: Any) -> None:
    venue.fault(http_status=429, http_count=2)
    order = intent(names[0])
    assert broker.submit_order(order).client_id == order.client_id
    venue.fault(http_status=429, http_count=2)
    assert broker.get_account_info().cash > 0


def test_a_server_error_on_a_question_is_asked_again(venue: Any, broker: Any) -> None:
    venue.fault(http_status=503, http_count=2)
    assert broker.get_positions() == ()


def test_what_the_account_cannot_pay_is_refused_with_the_brokers_words(broker: Any, names: Any) -> None:
    with pytest.raises(OrderRefused, match="buying power") as caught:
        broker.submit_order(intent(names[0], quantity=Decimal(1_000_000)))
    assert caught.value.code == "40310000"


def test_a_price_between_the_steps_is_refused(broker: Any, names: Any) -> None:
    with pytest.raises(OrderRefused):
        broker.submit_order(intent(names[0], type=OrderType.LIMIT, limit_price=Decimal("10.001")))


def test_an_unknown_symbol_is_refused_and_an_unknown_order_is_none(broker: Any) -> None:
    with pytest.raises(OrderRefused):
        broker.submit_order(intent(Symbol("NOSUCHSYM")))
    assert broker.get_order(ClientOrderId("tb-nobody")) is None


def test_a_killed_broker_comes_back_with_every_order_and_fill(own_venue: Any, wait: Any) -> None:
    broker = own_venue.broker("SURVIVOR")
    bought = intent(Symbol("SPY"), quantity=Decimal(3))
    broker.submit_order(bought)
    filled(broker, wait, bought)
    rests = intent(Symbol("SPY"), type=OrderType.LIMIT, limit_price=Decimal("5.00"))
    broker.submit_order(rests)
    before = broker.get_clock().now
    fills = broker.executions_since(datetime(2026, 1, 5, tzinfo=UTC))
    own_venue.kill()
    own_venue.start()
    assert broker.executions_since(datetime(2026, 1, 5, tzinfo=UTC)) == fills
    assert [report.client_id for report in broker.open_orders()] == [rests.client_id]
    (position,) = broker.get_positions()
    assert position.quantity == 3
    assert broker.get_clock().now >= before
