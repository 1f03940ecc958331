"""Restart in the middle of a day: the journal is all that is left."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderReport, OrderStatus, Purpose
from tbot_bot.domain.session import BotState
from tbot_bot.engine import events as e
from tbot_bot.engine.commands import CancelEverything, DayDone, Inquire, MoveState, Submit
from tbot_bot.engine.context import RestoredOrder
from tests.unit.engine.desk import Desk, only, those
from tools.simulation.builders import at


def word(intent: OrderIntent, status: str, filled: str = "0", price: str | None = None) -> OrderReport:
    average = Decimal(price) if price else None
    return OrderReport(
        intent.client_id, "b", intent.symbol, intent.side, OrderStatus(status), Decimal(filled), average, at(21)
    )


def filled(entry: OrderIntent) -> RestoredOrder:
    return RestoredOrder(entry, word(entry, "filled", "38", "21.00"))


def told(intent: OrderIntent, status: str) -> RestoredOrder:
    return RestoredOrder(intent, word(intent, status))


@pytest.fixture
def journal() -> tuple[OrderIntent, OrderIntent]:
    """An entry of 38 shares at 21.00 and its resting stop."""
    return Desk().hold()


def reborn(*orders: RestoredOrder, names: tuple[str, ...] = ("AAA",), **changes: object) -> Desk:
    return Desk(names, restored=orders, **changes)


def test_a_position_is_guarded_again_after_a_restart(journal: tuple[OrderIntent, OrderIntent]) -> None:
    entry, stop = journal
    desk = reborn(filled(entry), told(stop, "accepted"))
    assert only(desk.all, Inquire).client_id == stop.client_id
    view = desk.engine.view().trades[0]
    assert (view.held, view.target, view.stop_rests_at_broker) == (38, Decimal("21.84"), True)
    assert not desk.intents


def test_a_position_without_a_stop_gets_one_with_a_new_id(journal: tuple[OrderIntent, OrderIntent]) -> None:
    entry, stop = journal
    desk = reborn(filled(entry), told(stop, "cancelled"))
    assert desk.intents[0].purpose is Purpose.PROTECT
    assert desk.intents[0].client_id != stop.client_id


def test_an_intent_without_a_word_is_unknown_until_the_broker_answers(
    journal: tuple[OrderIntent, OrderIntent],
) -> None:
    entry, _ = journal
    desk = reborn(RestoredOrder(entry, None))
    assert only(desk.all, Inquire).client_id == entry.client_id
    assert desk.engine.view().trades[0].status is OrderStatus.UNKNOWN
    answer = desk.report(entry, "filled", "38", "21.00")
    assert only(answer, Submit).intent.purpose is Purpose.PROTECT


def test_an_intent_that_the_broker_never_had_frees_its_slot(journal: tuple[OrderIntent, OrderIntent]) -> None:
    entry, _ = journal
    desk = reborn(RestoredOrder(entry, None), names=("AAA", "BBB"))
    desk.feed(e.OrderAbsent(desk.now, entry.client_id))
    desk.breakout(BBB="21.00")
    assert only(desk.quotes(BBB="21.00"), Submit).intent.weight_index == 1


def test_weights_and_tickers_stay_used(journal: tuple[OrderIntent, OrderIntent]) -> None:
    entry, stop = journal
    done = (
        filled(entry),
        RestoredOrder(stop, word(stop, "filled", "38", "20.58")),
    )
    desk = reborn(*done, names=("AAA", "BBB"))
    desk.breakout(AAA="22.00", BBB="21.00")
    intent = only(desk.quotes(AAA="22.00", BBB="21.00"), Submit).intent
    assert (intent.symbol, intent.weight_index) == ("BBB", 2)


def test_a_passed_deadline_ends_the_trade_at_once(journal: tuple[OrderIntent, OrderIntent]) -> None:
    entry, stop = journal
    early = replace(entry, exit_plan=replace(entry.exit_plan, deadline=at(-1)))  # type: ignore[type-var]
    desk = reborn(RestoredOrder(early, word(entry, "filled", "38", "21.00")), told(stop, "cancelled"))
    assert desk.intents[0].purpose is Purpose.EXIT
    assert "deadline" in desk.intents[0].reason


def test_an_exit_under_way_is_not_sent_again(journal: tuple[OrderIntent, OrderIntent]) -> None:
    entry, _ = journal
    leaving = replace(entry, purpose=Purpose.EXIT, client_id=ClientOrderId("x1"), notional=None, quantity=Decimal(38))
    desk = reborn(filled(entry), RestoredOrder(leaving, None))
    assert not desk.intents
    desk.report(leaving, "filled", "38", "21.10")
    assert desk.engine.view().trades[0].closed


def test_a_kill_survives_the_restart(journal: tuple[OrderIntent, OrderIntent]) -> None:
    entry, stop = journal
    desk = reborn(
        filled(entry),
        told(stop, "cancelled"),
        tripped="loss limit",
        state=BotState.ANALYZING,
    )
    assert only(desk.all, CancelEverything)
    assert only(desk.all, MoveState).to is BotState.EMERGENCY_CLOSING
    assert desk.intents[0].purpose is Purpose.EXIT


def test_a_stop_in_progress_is_taken_up_again() -> None:
    desk = Desk(state=BotState.GRACEFUL_CLOSING)
    answer = desk.account()
    assert only([*desk.all], DayDone).tripped == ""
    assert not those(answer, Submit)


def test_a_tripped_day_does_not_begin_again_when_all_is_flat() -> None:
    desk = Desk(tripped="loss limit", state=BotState.SHUTDOWN_TRIGGERED)
    desk.account()
    assert only(desk.all, DayDone).tripped == "loss limit"
    desk.breakout(AAA="21.00")
    desk.quotes(AAA="21.00")
    assert not desk.intents


def test_realised_counts_only_what_came_after_the_restart(journal: tuple[OrderIntent, OrderIntent]) -> None:
    entry, stop = journal
    desk = reborn(
        filled(entry),
        RestoredOrder(stop, word(stop, "filled", "38", "20.50")),
        realised_before=Decimal("-19.30"),
        state=BotState.GRACEFUL_CLOSING,
    )
    desk.account()
    assert only(desk.all, DayDone).realised == Decimal("-19.30")
