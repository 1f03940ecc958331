"""Loss limit, kill, stop and the end of the day."""

from datetime import date

from tbot_bot.domain.orders import Purpose
from tbot_bot.domain.session import BotState, SessionHours
from tbot_bot.engine import events as e
from tbot_bot.engine.commands import Alarm, AskAccount, Cancel, CancelEverything, DayDone, MoveState, Submit
from tests.unit.engine.desk import Desk, only, those
from tools.simulation.builders import at


def test_one_cent_above_the_limit_trades_on() -> None:
    desk = Desk()
    desk.hold()
    assert not those(desk.account("95000.01"), MoveState)


def test_the_loss_limit_cancels_flattens_verifies_and_shuts_down() -> None:
    desk = Desk()
    _, stop = desk.hold()
    told = desk.account("95000.00", {"AAA": "38"})
    assert only(told, MoveState).to is BotState.EMERGENCY_CLOSING
    assert only(told, CancelEverything)
    leaving = only(desk.report(stop, "cancelled"), Submit).intent
    assert leaving.purpose is Purpose.EXIT
    told = desk.report(leaving, "filled", "38", "20.00")
    assert only(told, AskAccount)
    assert not those(told, DayDone)
    assert not those(desk.account(None), DayDone)
    told = desk.account("95000.00")
    assert only(told, MoveState).to is BotState.SHUTDOWN_TRIGGERED
    done = only(told, DayDone)
    assert "loss limit" in done.tripped
    assert done.realised == -38


def test_a_failed_position_question_is_never_flat() -> None:
    desk = Desk()
    desk.feed(e.KillRequested(desk.now, "anna", "test"))
    for second in range(1, 20):
        desk.time(1, second)
        assert not those(desk.account(None), DayDone)
    assert those(desk.account(), DayDone)


def test_kill_flattens_positions_that_are_not_ours() -> None:
    desk = Desk()
    desk.feed(e.KillRequested(desk.now, "anna", "test"))
    told = desk.account(positions={"ZZZ": "7", "YYY": "-3"})
    sent = {s.intent.symbol: s.intent for s in those(told, Submit)}
    assert (sent["ZZZ"].side, sent["ZZZ"].quantity) == ("sell", 7)
    assert (sent["YYY"].side, sent["YYY"].quantity) == ("buy", 3)
    assert not those(told, DayDone)
    for intent in sent.values():
        desk.report(intent, "filled", str(intent.quantity), "10.00")
    assert only(desk.account(), DayDone).tripped == "kill by anna: test"


def test_after_a_kill_nothing_is_entered_and_it_is_told_once() -> None:
    desk = Desk()
    desk.quiet_morning()
    desk.feed(e.KillRequested(desk.now, "anna", "test"))
    desk.feed(e.KillRequested(desk.now, "anna", "again"))
    assert only(desk.all, CancelEverything).why == "kill by anna: test"
    desk.closes(20, AAA="25.00")
    desk.quotes(AAA="25.00")
    assert not desk.intents


def test_stop_closes_in_good_order_and_leaves_others_alone() -> None:
    desk = Desk()
    _, stop = desk.hold()
    told = desk.feed(e.StopRequested(desk.now, "anna"))
    assert only(told, MoveState).to is BotState.GRACEFUL_CLOSING
    leaving = only(desk.report(stop, "cancelled"), Submit).intent
    desk.report(leaving, "filled", "38", "21.50")
    told = desk.account(positions={"ZZZ": "7"})
    assert only(told, MoveState).to is BotState.IDLE
    assert only(told, DayDone).tripped == ""
    assert only(told, DayDone).realised == 19


def test_kill_overrides_a_stop_in_progress() -> None:
    desk = Desk()
    desk.hold()
    desk.feed(e.StopRequested(desk.now, "anna"))
    assert only(desk.feed(e.KillRequested(desk.now, "anna", "now")), MoveState).to is BotState.EMERGENCY_CLOSING


def test_a_day_without_trades_ends_once_at_flat_by() -> None:
    desk = Desk()
    assert not those(desk.time(388, 59), DayDone)
    assert only(desk.time(389), AskAccount)
    assert only(desk.account(), DayDone)
    desk.time(390)
    assert not those(desk.account(), DayDone)


def test_an_open_position_at_the_close_alarms_and_the_day_is_not_done() -> None:
    desk = Desk()
    _, stop = desk.hold()
    desk.time(389)
    desk.report(stop, "cancelled")
    told = desk.time(390)
    assert any(a.subject == "not flat at the close" and "AAA" in a.text for a in those(told, Alarm))
    assert not those(told, DayDone)


def test_shares_missing_at_the_broker_are_written_off_after_two_answers() -> None:
    desk = Desk()
    _, stop = desk.hold()
    desk.feed(e.StopRequested(desk.now, "anna"))
    leaving = only(desk.report(stop, "cancelled"), Submit).intent
    desk.report(leaving, "rejected", reason="nothing to sell")
    again = only(desk.time(21, 1), Submit).intent
    desk.report(again, "rejected", reason="nothing to sell")
    desk.account()
    assert not desk.engine.view().trades[0].closed
    desk.now = at(21, 4)
    told = desk.account()
    assert any("38 AAA less than our fills say" in a.text for a in those(told, Alarm))
    assert not those(told, Submit)
    assert only(desk.account(), DayDone)


def test_shares_that_appear_after_the_last_exit_are_closed_too() -> None:
    desk = Desk()
    _, stop = desk.hold()
    desk.feed(e.StopRequested(desk.now, "anna"))
    leaving = only(desk.report(stop, "cancelled"), Submit).intent
    desk.report(leaving, "filled", "38", "21.00")
    assert not those(desk.account(positions={"AAA": "2"}), Submit)
    desk.now = at(21, 3)
    again = only(desk.account(positions={"AAA": "2"}), Submit).intent
    assert (again.quantity, again.purpose) == (2, Purpose.EXIT)
    desk.report(again, "filled", "2", "21.00")
    assert only(desk.account(), DayDone)


def test_a_fill_after_the_day_was_done_is_closed_and_alarmed() -> None:
    desk = Desk()
    entry = desk.enter()
    desk.feed(e.StopRequested(desk.now, "anna"))
    desk.report(entry, "cancelled")
    assert only(desk.account(), DayDone)
    told = desk.report(entry, "filled", "5", "21.00")
    assert only(told, Submit).intent.quantity == 5
    assert any(a.subject == "late fill" for a in those(told, Alarm))


def test_an_answer_asked_before_the_books_were_flat_does_not_prove_it() -> None:
    desk = Desk()
    asked_before = desk.now
    desk.time(1)
    desk.feed(e.KillRequested(desk.now, "anna", "test"))
    old = e.AccountSeen(asked_before, desk.engine._day.account, ())

    assert not those(desk.feed(old), DayDone)
    assert those(desk.account(), DayDone)


def test_an_order_taken_for_dead_that_lives_is_cancelled() -> None:
    desk = Desk()
    _, stop = desk.hold()
    desk.time(21, 40)
    desk.feed(e.OrderLost(desk.now, stop.client_id))
    desk.feed(e.OrderAbsent(desk.now, stop.client_id))

    told = desk.report(stop, "accepted")

    assert only(told, Cancel).client_id == stop.client_id


def test_what_is_left_at_the_close_is_sold_in_the_next_session() -> None:
    day, opened, closed = date(2025, 1, 7), at(24 * 60), at(24 * 60 + 390)
    desk = Desk(later=(SessionHours(day, opened, closed),))
    _, stop = desk.hold()
    desk.time(391)
    assert not those(desk.report(stop, "expired"), Submit)
    assert not those(desk.time(24 * 60 - 1), Submit)

    assert only(desk.time(24 * 60), Submit).intent.quantity == 38
