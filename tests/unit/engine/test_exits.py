from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tbot_bot.domain.orders import OrderType, Purpose, Side
from tbot_bot.engine import events as e
from tbot_bot.engine.commands import Alarm, Cancel, Inquire, Submit
from tests.unit.engine.desk import Desk, only, those
from tools.simulation.builders import PAPER, at, bar, settings


def test_a_filled_entry_rests_its_stop_at_the_broker() -> None:
    entry, stop = Desk().hold()
    assert (stop.type, stop.side, stop.quantity) == (OrderType.STOP, Side.SELL, Decimal(38))
    assert stop.stop_price == Decimal("20.58")
    assert stop.trade_id == entry.client_id


def test_fractions_rest_only_where_the_broker_can() -> None:
    desk = Desk(capabilities=replace(PAPER, resting_stop_fractional=False))
    entry = desk.enter()
    assert not those(desk.report(entry, "filled", "38.09", "21.00"), Submit)
    told = desk.quotes(AAA="20.50")
    assert only(told, Submit).intent.reason == "stop 20.58 reached"


def test_the_target_is_left_through_cancel_then_market_sell() -> None:
    desk = Desk()
    _, stop = desk.hold()
    told = desk.quotes(AAA="21.90")
    assert only(told, Cancel).client_id == stop.client_id
    assert not those(told, Submit)
    intent = only(desk.report(stop, "cancelled"), Submit).intent
    assert (intent.purpose, intent.type, intent.quantity) == (Purpose.EXIT, OrderType.MARKET, Decimal(38))
    assert intent.reason == "target 21.84 reached"


def test_a_stop_that_fills_meanwhile_needs_no_other_exit() -> None:
    desk = Desk()
    _, stop = desk.hold()
    desk.quotes(AAA="21.90")
    told = desk.report(stop, "filled", "38", "20.57")
    assert not those(told, Submit)
    assert desk.engine.view().trades[0].closed


def test_a_partly_filled_stop_leaves_only_the_rest_to_sell() -> None:
    desk = Desk()
    _, stop = desk.hold()
    desk.quotes(AAA="21.90")
    desk.report(stop, "partially_filled", "10", "20.57")
    assert only(desk.report(stop, "cancelled", "10", "20.57"), Submit).intent.quantity == 28


def test_the_bid_decides_for_a_long() -> None:
    desk = Desk()
    desk.hold()
    assert not those(desk.quotes(AAA="21.85", half_spread="0.02"), Cancel)
    assert those(desk.quotes(AAA="21.86", half_spread="0.02"), Cancel)


def test_the_trailing_stop_follows_the_best_bid() -> None:
    desk = Desk(settings=settings(TRAIL_PCT_OPEN="0.01"))
    desk.hold()
    desk.quotes(AAA="21.51", half_spread="0.01")
    assert not those(desk.quotes(AAA="21.30"), Cancel)
    told = desk.quotes(AAA="21.29")
    assert only(told, Cancel).why == "trailing stop reached"
    assert desk.engine.view().trades[0].stop == Decimal("21.28")


def test_within_a_bar_the_stop_comes_before_the_target() -> None:
    desk = Desk(capabilities=replace(PAPER, resting_stop_fractional=False))
    entry = desk.enter()
    desk.report(entry, "filled", "38.5", "21.00")
    wild = bar("AAA", 22, "21.00", high="22.50", low="20.00")
    told = desk.feed(e.MinuteClosed(at(23), {wild.symbol: wild}))
    assert only(told, Submit).intent.reason == "stop 20.58 reached"


def test_the_minute_of_the_entry_counts_with_its_close_alone() -> None:
    desk = Desk()
    desk.quiet_morning()
    desk.closes(20, AAA="21.00")
    desk.now = at(21, 5)
    desk.account()
    entry = only(desk.quotes(AAA="21.00"), Submit).intent
    desk.report(entry, "filled", "38", "21.00")
    early = bar("AAA", 21, "21.10", high="22.50", low="20.00")
    assert not those(desk.feed(e.MinuteClosed(at(22), {early.symbol: early})), Cancel)


def test_the_deadline_ends_a_trade() -> None:
    desk = Desk()
    _, stop = desk.hold()
    assert not those(desk.time(50, 59), Cancel)
    told = desk.time(51)
    assert only(told, Cancel).client_id == stop.client_id
    assert "deadline" in only(told, Cancel).why


def test_flat_by_ends_everything() -> None:
    desk = Desk(settings=settings(OPEN_MONITORING_TIME="390"))
    _, stop = desk.hold()
    assert not those(desk.time(388, 59), Cancel)
    assert only(desk.time(389), Cancel).client_id == stop.client_id


def test_an_entry_that_still_works_is_cancelled_before_its_shares_are_sold() -> None:
    desk = Desk()
    entry = desk.enter()
    desk.report(entry, "partially_filled", "10", "21.00")
    told = desk.quotes(AAA="20.00")
    assert only(told, Cancel).client_id == entry.client_id
    assert not those(told, Submit)
    assert only(desk.report(entry, "cancelled", "10", "21.00"), Submit).intent.quantity == 10


def test_shares_are_sold_after_30_s_even_if_the_entrys_cancel_stays_unanswered() -> None:
    desk = Desk()
    entry = desk.enter()
    desk.report(entry, "partially_filled", "10", "21.00")
    desk.quotes(AAA="20.00")
    assert not those(desk.time(21, 29), Submit)
    assert only(desk.time(21, 31), Submit).intent.quantity == 10


def test_a_cancel_is_repeated_every_ten_real_seconds() -> None:
    desk = Desk()
    desk.hold()
    assert those(desk.time(51), Cancel)
    assert not those(desk.time(51, 9), Cancel)
    assert those(desk.time(51, 10), Cancel)


def test_refused_exits_are_paced_then_escalated_and_never_given_up() -> None:
    desk = Desk()
    _, stop = desk.hold()
    desk.time(51)
    exits = [only(desk.report(stop, "cancelled"), Submit).intent]
    second = 0.0
    while len(exits) < 7:
        desk.feed(e.OrderNotSent(desk.now, exits[-1].client_id, "halted"))
        while True:
            second += 1
            found = those(desk.time(51, second), Submit)
            if found:
                exits.append(found[0].intent)
                break
    assert second == 4 + 30 + 30
    assert len({i.client_id for i in exits}) == 7
    critical = [a for a in those(desk.all, Alarm) if a.subject == "exit of AAA fails"]
    assert len(critical) == 1


def test_an_exit_of_unknown_fate_is_not_sent_again() -> None:
    desk = Desk()
    _, stop = desk.hold()
    desk.time(51)
    leaving = only(desk.report(stop, "cancelled"), Submit).intent
    assert only(desk.feed(e.OrderLost(desk.now, leaving.client_id)), Inquire)
    assert not those(desk.time(52), Submit)
    assert only(desk.feed(e.OrderAbsent(desk.now, leaving.client_id)), Submit).intent.quantity == 38


def test_a_refused_stop_is_watched_here_instead() -> None:
    desk = Desk()
    entry = desk.enter()
    stop = only(desk.report(entry, "filled", "38", "21.00"), Submit).intent
    told = desk.feed(e.OrderNotSent(desk.now, stop.client_id, "no stops today"))
    assert "no stops today" in only(told, Alarm).text
    assert not those(told, Submit)
    assert only(desk.quotes(AAA="20.50"), Submit).intent.reason == "stop 20.58 reached"


def test_a_stop_that_someone_cancelled_is_rested_again() -> None:
    desk = Desk()
    _, stop = desk.hold()
    again = only(desk.report(stop, "cancelled"), Submit).intent
    assert again.purpose is Purpose.PROTECT
    assert again.client_id != stop.client_id


def test_orders_of_which_nothing_is_heard_are_asked_for() -> None:
    desk = Desk()
    entry = desk.enter()
    assert not those(desk.time(21, 29), Inquire)
    assert only(desk.time(21, 30), Inquire).client_id == entry.client_id


@pytest.mark.parametrize("price", ["19.37", "19.40"])
def test_a_short_is_left_by_buying_at_the_ask(price: str) -> None:
    desk = Desk(settings=settings(SHORT_TYPE_OPEN="ShortSell"))
    desk.breakout(AAA="19.00")
    entry = only(desk.quotes(AAA="19.00"), Submit).intent
    stop = only(desk.report(entry, "filled", "42", "19.00"), Submit).intent
    assert (stop.side, stop.stop_price, stop.quantity) == (Side.BUY, Decimal("19.38"), Decimal(42))
    desk.report(stop, "rejected")
    assert only(desk.quotes(AAA=price), Submit).intent.side is Side.BUY


def test_a_short_takes_its_target_below() -> None:
    desk = Desk(settings=settings(SHORT_TYPE_OPEN="ShortSell"))
    desk.breakout(AAA="19.00")
    entry = only(desk.quotes(AAA="19.00"), Submit).intent
    stop = only(desk.report(entry, "filled", "42", "19.00"), Submit).intent
    assert not those(desk.quotes(AAA="18.30"), Cancel)
    told = desk.quotes(AAA="18.20")
    assert only(told, Cancel).client_id == stop.client_id
    assert "target 18.24" in only(told, Cancel).why


def test_near_flat_by_the_trail_is_tightened() -> None:
    desk = Desk(settings=settings(OPEN_MONITORING_TIME="390"))
    desk.hold()
    late = desk.context.plan.flat_by - timedelta(seconds=150)
    desk.now = late - timedelta(seconds=1)
    assert not those(desk.quotes(AAA="20.80"), Cancel)
    desk.now = late
    assert "trailing" in only(desk.quotes(AAA="20.79"), Cancel).why


def test_a_report_that_moves_backwards_is_dropped() -> None:
    desk = Desk()
    entry, _ = desk.hold()
    assert not desk.report(entry, "partially_filled", "20", "21.00")
    assert not desk.report(entry, "accepted")
    assert desk.engine.view().trades[0].held == 38
