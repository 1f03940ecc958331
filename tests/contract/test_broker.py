"""What every broker's adapter must do, against its counterpart on loopback."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerDenied, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderStatus, OrderType, Purpose, Side, TimeInForce

DAWN = datetime(2026, 1, 5, tzinfo=UTC)

# connection and facts


def test_good_credentials_pass_the_self_check(broker: Any) -> None:
    broker.connect()
    assert broker.self_check() == ()


def test_wrong_credentials_are_denied(venue: Any) -> None:
    first, other = venue.broker("KEYWITHSECRET"), venue.broker("KEYWITHSECRET", "another-secret")
    first.connect()
    first.close()
    with pytest.raises(BrokerDenied):
        other.connect()
    other.close()


def test_assets_have_exchanges_and_flags(broker: Any, names: Any) -> None:
    assets = {asset.symbol: asset for asset in broker.get_assets([*names[:3], "SPY", "SH", "NOSUCHSYM"])}
    assert assets.keys() == {*names[:3], "SPY", "SH"}
    assert all(asset.tradable and asset.exchange for asset in assets.values())
    if not broker.capabilities.fractional:
        assert not any(asset.fractionable for asset in assets.values())


def test_all_assets_are_listed_or_the_broker_says_that_it_cannot(broker: Any) -> None:
    if not broker.capabilities.listing:
        with pytest.raises(BrokerDenied, match="list"):
            broker.get_assets()
        return
    assets = {asset.symbol: asset for asset in broker.get_assets()}
    assert {"SPY", "SH"} <= assets.keys()
    assert {"NASDAQ", "NYSE"} <= {asset.exchange for asset in assets.values()}
    assert {asset.fractionable for asset in assets.values()} == {True, False}


def test_a_new_account_holds_its_cash_and_nothing_else(broker: Any) -> None:
    account = broker.get_account_info()
    assert (account.equity, account.cash, account.trading_blocked) == (Decimal(100000), Decimal(100000), False)
    assert account.buying_power >= account.cash
    assert broker.get_positions() == ()
    assert broker.open_orders() == ()
    assert broker.executions_since(DAWN) == ()


def test_the_calendar_knows_half_days_and_daylight_saving(broker: Any) -> None:
    (half,) = broker.get_calendar(date(2026, 11, 27), date(2026, 11, 27))
    assert (half.early_close, half.close) == (True, datetime(2026, 11, 27, 18, tzinfo=UTC))
    days = broker.get_calendar(date(2026, 3, 6), date(2026, 3, 9))
    assert [day.open.hour for day in days] == [14, 13]


def test_the_calendar_leaves_holidays_out(broker: Any) -> None:
    days = broker.get_calendar(date(2025, 12, 24), date(2026, 1, 2))
    assert [day.day.day for day in days] == [24, 26, 29, 30, 31, 2]


def test_the_clock_says_time_and_hours(broker: Any, venue: Any) -> None:
    clock = broker.get_clock()
    assert clock.is_open
    assert clock.speed in (Decimal(1), Decimal(venue.speed))
    assert clock.now < clock.next_close < clock.next_open


# orders


def test_a_market_order_fills_and_every_execution_is_told_exactly(
    broker: Any, names: Any, intent: Any, filled: Any
) -> None:
    quantity = Decimal("2.5") if broker.capabilities.fractional else Decimal(3)
    order = intent(names[0], quantity=quantity)
    assert broker.submit_order(order).client_id == order.client_id
    report = filled(broker, order)
    fills = broker.executions_since(DAWN)
    assert sum(fill.quantity for fill in fills) == report.filled_quantity == quantity
    assert {(fill.client_id, fill.broker_order_id) for fill in fills} == {(order.client_id, report.broker_id)}
    assert len({fill.execution_id for fill in fills}) == len(fills)
    spent = sum(fill.quantity * fill.price + fill.fee for fill in fills)
    assert broker.get_account_info().cash == pytest.approx(Decimal(100000) - spent, abs=Decimal("0.01"))
    (position,) = broker.get_positions()
    assert (position.symbol, position.quantity) == (names[0], quantity)
    assert position.average_price == pytest.approx(report.average_price, abs=Decimal("0.01"))


def test_executions_since_the_last_one_include_it_and_nothing_older(
    broker: Any, names: Any, intent: Any, filled: Any
) -> None:
    for order in (intent(names[0]), intent(names[1])):
        broker.submit_order(order)
        filled(broker, order)
    everything = broker.executions_since(DAWN)
    last = everything[-1].at
    assert broker.executions_since(last) == tuple(fill for fill in everything if fill.at >= last)
    assert broker.executions_since(last + timedelta(seconds=1)) == ()


def test_fills_carry_our_id_for_an_adapter_that_never_saw_the_order(
    venue: Any, account: str, broker: Any, names: Any, intent: Any, filled: Any
) -> None:
    order = intent(names[0])
    broker.submit_order(order)
    filled(broker, order)
    broker.close()
    other = venue.broker(account)
    assert {fill.client_id for fill in other.executions_since(DAWN)} == {order.client_id}
    other.close()


def test_a_notional_order_buys_for_its_dollars_or_is_refused(broker: Any, names: Any, intent: Any, filled: Any) -> None:
    order = intent(names[0], notional=Decimal("500.00"))
    if not broker.capabilities.notional:
        with pytest.raises(OrderRefused):
            broker.submit_order(order)
        return
    broker.submit_order(order)
    report = filled(broker, order)
    assert report.average_price is not None
    assert abs(report.filled_quantity * report.average_price - 500) < 1


def test_a_fraction_is_traded_or_refused(broker: Any, names: Any, intent: Any, filled: Any) -> None:
    order = intent(names[0], quantity=Decimal("1.5"))
    if not broker.capabilities.fractional:
        with pytest.raises(OrderRefused):
            broker.submit_order(order)
        assert broker.open_orders() == ()
        return
    broker.submit_order(order)
    assert filled(broker, order).filled_quantity == Decimal("1.5")


def test_a_limit_order_rests_until_it_is_cancelled_and_cancelling_twice_is_no_error(
    broker: Any, names: Any, intent: Any, price: Any, wait: Any
) -> None:
    order = intent(names[0], type=OrderType.LIMIT, limit_price=price(names[0], "0.5"))
    broker.submit_order(order)
    (resting,) = broker.open_orders()
    assert (resting.client_id, resting.limit_price) == (order.client_id, order.limit_price)
    broker.cancel_order(order.client_id)
    wait(lambda: broker.get_order(order.client_id).status is OrderStatus.CANCELLED)
    broker.cancel_order(order.client_id)
    assert broker.open_orders() == ()


def test_a_marketable_limit_order_fills_no_worse_than_its_limit(
    broker: Any, names: Any, intent: Any, price: Any, filled: Any
) -> None:
    order = intent(names[0], type=OrderType.LIMIT, limit_price=price(names[0], "1.03"))
    broker.submit_order(order)
    assert filled(broker, order).average_price <= order.limit_price


@pytest.mark.parametrize("kind", [OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP])
@pytest.mark.parametrize("force", list(TimeInForce))
def test_exits_of_every_kind_rest_and_protect_or_are_refused(
    broker: Any, names: Any, intent: Any, price: Any, filled: Any, kind: OrderType, force: TimeInForce
) -> None:
    bought = intent(names[0])
    broker.submit_order(bought)
    filled(broker, bought)
    prices = {
        OrderType.STOP: {"stop_price": price(names[0], "0.5")},
        OrderType.STOP_LIMIT: {"stop_price": price(names[0], "0.5"), "limit_price": price(names[0], "0.45")},
        OrderType.TRAILING_STOP: {"trail_percent": Decimal(20)},
    }[kind]
    exit_ = intent(
        names[0],
        side=Side.SELL,
        purpose=Purpose.PROTECT,
        type=kind,
        time_in_force=force,
        trade_id=bought.client_id,
        **prices,
    )
    if kind is OrderType.TRAILING_STOP and not broker.capabilities.trailing:
        with pytest.raises(OrderRefused):
            broker.submit_order(exit_)
        return
    assert broker.submit_order(exit_).status is OrderStatus.ACCEPTED
    (resting,) = broker.open_orders()
    assert (resting.client_id, resting.type, resting.side) == (exit_.client_id, kind, Side.SELL)


def test_a_resting_stop_may_be_a_fraction_as_the_capabilities_say(
    broker: Any, names: Any, intent: Any, price: Any, filled: Any
) -> None:
    if not broker.capabilities.fractional:
        assert not broker.capabilities.resting_stop_fractional
        return
    part = {"quantity": Decimal("1.5")}
    order = intent(names[0], **part)
    broker.submit_order(order)
    filled(broker, order)
    stop = price(names[0], "0.5")
    protect = intent(names[0], side=Side.SELL, purpose=Purpose.PROTECT, type=OrderType.STOP, stop_price=stop, **part)
    assert broker.capabilities.resting_stop_fractional
    assert broker.submit_order(protect).status is OrderStatus.ACCEPTED


def test_a_bracket_leaves_both_exits_resting(
    broker: Any, names: Any, intent: Any, price: Any, filled: Any, wait: Any
) -> None:
    order = intent(names[0], take_profit_price=price(names[0], "2"), stop_loss_price=price(names[0], "0.5"))
    broker.submit_order(order)
    filled(broker, order)
    legs = wait(lambda: broker.open_orders() if len(broker.open_orders()) == 2 else (), what="two legs")
    assert {(leg.side, leg.type) for leg in legs} == {(Side.SELL, OrderType.LIMIT), (Side.SELL, OrderType.STOP)}
    for leg in legs:
        broker.cancel_order(leg.client_id)
    wait(lambda: not broker.open_orders(), what="both legs cancelled")
    (position,) = broker.get_positions()
    assert position.quantity == 5


@pytest.mark.parametrize("exit_", ["take_profit_price", "stop_loss_price"])
def test_an_entry_with_one_exit_leaves_it_resting(
    broker: Any, names: Any, intent: Any, price: Any, filled: Any, wait: Any, exit_: str
) -> None:
    factor = {"take_profit_price": "2", "stop_loss_price": "0.5"}[exit_]
    order = intent(names[0], **{exit_: price(names[0], factor)})
    broker.submit_order(order)
    filled(broker, order)
    (leg,) = wait(lambda: broker.open_orders() if len(broker.open_orders()) == 1 else (), what="one leg")
    assert leg.side is Side.SELL
    assert broker.get_order(leg.client_id).broker_id == leg.broker_id


def test_a_short_sale_is_opened_and_covered(venue: Any, broker: Any, names: Any, intent: Any, filled: Any) -> None:
    symbol = next(a.symbol for a in broker.get_assets(names) if a.easy_to_borrow)
    sold = intent(symbol, side=Side.SELL)
    broker.submit_order(sold)
    filled(broker, sold)
    (position,) = broker.get_positions()
    assert position.quantity == -5
    covered = intent(symbol, side=Side.BUY, purpose=Purpose.EXIT, trade_id=sold.client_id)
    broker.submit_order(covered)
    filled(broker, covered)
    assert broker.get_positions() == ()
    assert {fill.side for fill in broker.executions_since(DAWN)} == {Side.BUY, Side.SELL}


def test_a_partial_fill_is_told_as_one(
    venue: Any, broker: Any, names: Any, intent: Any, filled: Any, wait: Any, heard: Any
) -> None:
    venue.fault(partial_fills=1)
    broker.start(heard.handlers())
    wait(lambda: heard.up("trading"))
    order = intent(names[0], quantity=Decimal(10))
    broker.submit_order(order)
    report = filled(broker, order)
    wait(lambda: [report.status for report in heard.orders][-1:] == [OrderStatus.FILLED], what="the fill's message")
    fills = broker.executions_since(DAWN)
    assert sum(fill.quantity for fill in fills) == report.filled_quantity == 10
    if venue.each_fill:
        assert OrderStatus.PARTIALLY_FILLED in {report.status for report in heard.orders}
        assert len(fills) >= 2


# never twice


def test_a_duplicate_id_returns_the_first_order(broker: Any, names: Any, intent: Any, filled: Any) -> None:
    order = intent(names[0])
    first = broker.submit_order(order)
    again = broker.submit_order(replace(order, quantity=Decimal(50)))
    assert (again.broker_id, again.quantity) == (first.broker_id, Decimal(5))
    assert filled(broker, order).filled_quantity == 5


def test_a_duplicate_id_from_another_process_returns_the_first_order(
    venue: Any, account: str, broker: Any, names: Any, intent: Any, filled: Any
) -> None:
    order = intent(names[0])
    first = broker.submit_order(order)
    filled(broker, order)
    broker.close()
    other = venue.broker(account)
    assert other.submit_order(order).broker_id == first.broker_id
    (position,) = other.get_positions()
    assert position.quantity == 5
    other.close()


@pytest.mark.parametrize("fault", ["lost answers", "cut after"])
def test_an_answer_lost_after_acceptance_is_unknown_and_there_is_exactly_one_order(
    venue: Any, broker: Any, names: Any, intent: Any, filled: Any, fault: str
) -> None:
    venue.fault(**venue.faults[fault])
    order = intent(names[0])
    with pytest.raises(OrderFateUnknown):
        broker.submit_order(order)
    venue.clear()
    assert filled(broker, order).filled_quantity == 5
    assert broker.submit_order(order).filled_quantity == 5
    (position,) = broker.get_positions()
    assert position.quantity == 5


def test_an_order_that_never_arrived_is_unknown_and_then_absent(
    venue: Any, broker: Any, names: Any, intent: Any
) -> None:
    venue.fault(**venue.faults["cut before"])
    order = intent(names[0])
    with pytest.raises(OrderFateUnknown):
        broker.submit_order(order)
    venue.clear()
    assert broker.get_order(order.client_id) is None
    assert broker.get_positions() == ()


def test_what_the_account_cannot_pay_is_refused_with_the_brokers_words(broker: Any, names: Any, intent: Any) -> None:
    """At once, or by a report that says so."""
    order = intent(names[0], quantity=Decimal(1_000_000))
    try:
        report = broker.submit_order(order)
        words = report.reason if report.status is OrderStatus.REJECTED else "it was taken in"
    except OrderRefused as refused:
        words = refused.reason
    assert "buying power" in words


def test_a_price_between_the_steps_is_refused(broker: Any, names: Any, intent: Any) -> None:
    assert broker.capabilities.price_step(Decimal(10)) == Decimal("0.01")
    with pytest.raises(OrderRefused):
        broker.submit_order(intent(names[0], type=OrderType.LIMIT, limit_price=Decimal("10.001")))


def test_an_unknown_symbol_is_refused_and_an_unknown_order_is_none(broker: Any, intent: Any) -> None:
    with pytest.raises(OrderRefused):
        broker.submit_order(intent(Symbol("NOSUCHSYM")))
    assert broker.get_order(ClientOrderId("tb-nobody")) is None


def test_a_killed_broker_comes_back_with_every_order_and_fill(
    own_venue: Any, intent: Any, filled: Any, wait: Any
) -> None:
    broker = own_venue.broker(own_venue.new_account())
    bought = intent(Symbol("SPY"), quantity=Decimal(3))
    broker.submit_order(bought)
    filled(broker, bought)
    rests = intent(Symbol("SPY"), type=OrderType.LIMIT, limit_price=Decimal("5.00"))
    broker.submit_order(rests)
    before = broker.get_clock().now
    fills = broker.executions_since(DAWN)
    own_venue.kill()
    own_venue.start()
    assert broker.executions_since(DAWN) == fills
    assert [report.client_id for report in broker.open_orders()] == [rests.client_id]
    (position,) = broker.get_positions()
    assert position.quantity == 3
    assert broker.get_clock().now >= before - timedelta(seconds=1)
    broker.close()
