from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderStatus, Purpose, Side
from tbot_bot.domain.session import BotState
from tbot_bot.engine import events as e
from tbot_bot.runtime.journal import Journal, JournalledOrder, read_journal, unfinished_session
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.state_file import StateFile
from tests.unit.runtime.fakes import intent, report
from tests.unit.runtime.trader_desk import DAY, NEXT_DAY_MORNING, NOON, XYZ, TraderDesk, intent_of

OVERNIGHT = datetime(2025, 1, 7, 12, 0, tzinfo=UTC)
LAST_SECONDS = datetime(2025, 1, 6, 20, 59, 30, tzinfo=UTC)
Open = Callable[..., TraderDesk]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Open]:
    made: list[TraderDesk] = []

    def open_desk(state: BotState, now: datetime = NOON) -> TraderDesk:
        made.append(TraderDesk(tmp_path, state, now))
        return made[-1]

    yield open_desk
    for each in made:
        each.close()


def sales(desk: TraderDesk) -> Decimal:
    return sum((i.quantity or Decimal(0) for i in desk.broker.sent if i.purpose is Purpose.EXIT), Decimal(0))


@pytest.mark.parametrize(
    ("state", "end"),
    [
        (BotState.ANALYZING, BotState.IDLE),
        (BotState.TRADING, BotState.IDLE),
        (BotState.MONITORING, BotState.IDLE),
        (BotState.UPDATING, BotState.IDLE),
        (BotState.GRACEFUL_CLOSING, BotState.IDLE),
        (BotState.IDLE, BotState.IDLE),
        (BotState.EMERGENCY_CLOSING, BotState.SHUTDOWN_TRIGGERED),
        (BotState.SHUTDOWN_TRIGGERED, BotState.SHUTDOWN_TRIGGERED),
        (BotState.ERROR, BotState.ERROR),
    ],
)
def test_a_restart_without_universe_closes_what_is_open_in_every_state(
    desk: Open, state: BotState, end: BotState
) -> None:
    d = desk(state)
    d.entered_before()

    d.turns_until(lambda: d.journal.done)

    assert d.flat
    assert sales(d) == 10
    assert d.state is end


def test_stop_after_a_restart_closes_what_the_session_left(desk: Open) -> None:
    d = desk(BotState.MONITORING)
    d.entered_before()
    d.paths.stop_flag.touch()

    d.turns_until(lambda: d.journal.done)

    assert d.flat
    assert d.state is BotState.IDLE
    assert not d.paths.stop_flag.exists()


def test_stop_waits_for_the_broker(desk: Open) -> None:
    d = desk(BotState.MONITORING)
    d.entered_before()
    d.paths.stop_flag.touch()
    d.broker.down = True
    with pytest.raises(Exception, match="down"):
        d.trader._turn()
    assert d.paths.stop_flag.exists()
    d.broker.down = False

    d.turns_until(lambda: d.journal.done)

    assert d.flat


def test_kill_while_idle_flattens_a_foreign_position_and_cancels_foreign_orders(desk: Open) -> None:
    d = desk(BotState.IDLE)
    d.broker.shares[Symbol("ZZZ")] = Decimal(7)
    d.broker.known[ClientOrderId("by-hand")] = report("by-hand", OrderStatus.ACCEPTED, symbol="YYY")
    d.paths.kill_flag.touch()

    d.turns_until(lambda: d.state is BotState.SHUTDOWN_TRIGGERED and d.journal.done)

    assert d.flat
    assert not d.paths.kill_flag.exists()


def test_kill_in_a_session_whose_journal_is_done_is_obeyed(desk: Open) -> None:
    d = desk(BotState.IDLE)
    d.entered_before()
    d.turns_until(lambda: d.journal.done)
    d.broker.shares[XYZ] = Decimal(3)
    d.paths.kill_flag.touch()

    d.turns_until(lambda: d.state is BotState.SHUTDOWN_TRIGGERED and d.journal.done)

    assert d.flat


def test_what_a_closed_session_left_is_shown_at_its_very_end(desk: Open) -> None:
    d = desk(BotState.TRADING)
    d.entered_before()
    d.turns_until(lambda: bool(d.shown("positions")))
    d.paths.kill_flag.touch()

    d.turns_until(lambda: d.state is BotState.SHUTDOWN_TRIGGERED and d.journal.done)
    d.turns(1)

    assert d.flat
    assert d.shown("positions") == []


def test_kill_while_a_finished_day_settles_is_not_swallowed(desk: Open) -> None:
    d = desk(BotState.GRACEFUL_CLOSING)
    d.entered_before()
    d.broker.tells_fills = False
    d.turns_until(lambda: d.trader._day is not None and d.trader._day.done is not None)
    d.broker.tells_fills = True
    d.broker.shares[XYZ] = Decimal(3)
    d.paths.kill_flag.touch()

    d.turns_until(lambda: d.state is BotState.SHUTDOWN_TRIGGERED and d.journal.done)

    assert d.flat


def test_stop_while_a_finished_day_settles_is_not_swallowed(desk: Open) -> None:
    d = desk(BotState.ANALYZING, LAST_SECONDS)
    day = d.trader._begin(d.trader._hours(), emergency=True)
    while day.done is None:
        d.trader._read_messages(d.trader._connected())
        day.turn()
    d.paths.stop_flag.touch()

    d.turns_until(lambda: d.journal.done)

    assert d.state is BotState.IDLE


@pytest.mark.parametrize("flag", ["stop_flag", "kill_flag"])
def test_a_second_start_does_not_start_again_after_stop_or_kill(desk: Open, flag: str) -> None:
    d = desk(BotState.MONITORING)
    d.entered_before()
    d.paths.start_flag.touch()
    getattr(d.paths, flag).touch()

    d.turns_until(lambda: d.journal.done)
    d.turns(3)

    assert d.state in (BotState.IDLE, BotState.SHUTDOWN_TRIGGERED)
    assert not d.paths.start_flag.exists()


def test_an_unfinished_session_found_the_next_day_is_sold_in_the_present_session(desk: Open) -> None:
    d = desk(BotState.MONITORING, NEXT_DAY_MORNING)
    d.entered_before()

    d.turns_until(lambda: d.journal.done)

    assert d.flat
    assert sales(d) == 10


def test_an_unfinished_session_found_overnight_waits_for_the_open(desk: Open) -> None:
    d = desk(BotState.GRACEFUL_CLOSING, OVERNIGHT)
    d.entered_before()
    d.turns(10)
    assert not d.broker.sent
    d.set_clock(NEXT_DAY_MORNING)

    d.turns_until(lambda: d.journal.done)

    assert d.flat


def test_orders_of_another_account_are_not_closed_here(desk: Open) -> None:
    d = desk(BotState.GRACEFUL_CLOSING)
    d.entered_before()
    d.broker.account_id = "B"
    d.broker.shares.clear()
    d.broker.fills.clear()

    d.turns_until(lambda: d.journal.done)

    assert not d.broker.sent
    assert ("another account" in [subject for subject, _ in d.notices.told]) is True


def test_a_session_that_is_over_is_not_opened_again_in_its_last_minute(desk: Open) -> None:
    d = desk(BotState.ANALYZING, LAST_SECONDS)
    journal = Journal(d.paths, DAY)
    journal.open_day(Decimal(100_000), NOON, "A")
    journal.finish()
    journal.close()

    d.turns(3)

    assert d.trader._day is None
    assert unfinished_session(d.paths) is None


def test_a_full_disk_keeps_neither_exits_nor_the_account_from_the_engine(desk: Open) -> None:
    d = desk(BotState.GRACEFUL_CLOSING)
    d.entered_before()
    day = d.trader._begin(d.trader._hours(), emergency=True)
    for log in (day._equity_log, day._decisions):
        log.close()
    day._equity_log._handle = day._decisions._handle = -1

    account = d.broker.get_account_info()
    day.feed(e.AccountSeen(NOON, account, d.broker.get_positions()))

    assert day.engine.view().pnl == 0
    d.turns_until(lambda: d.flat)
    d.trader._day = None
    day._journal.close()


def test_the_loss_limit_is_journalled_before_the_state_word_says_so(desk: Open) -> None:
    d = desk(BotState.MONITORING)
    d.entered_before()
    d.trader._begin(d.trader._hours(), emergency=True)
    day = d.trader._day
    assert day is not None
    d.paths.bot_state.unlink()  # the crash point: the state word cannot be moved
    account = d.broker.get_account_info()
    poor = type(account)("A", Decimal(1), Decimal(1), Decimal(1), Decimal(1))

    day.feed(e.AccountSeen(NOON, poor, d.broker.get_positions()))

    assert "loss limit" in read_journal(d.paths, DAY).tripped
    d.write_state(BotState.EMERGENCY_CLOSING)
    d.restart()
    d.turns_until(lambda: d.state is BotState.SHUTDOWN_TRIGGERED and d.journal.done)
    d.paths.start_flag.touch()
    d.turns(3)
    assert d.state is BotState.SHUTDOWN_TRIGGERED


def test_kill_is_obeyed_again_after_a_crash_that_left_its_flag(desk: Open) -> None:
    d = desk(BotState.MONITORING)
    d.entered_before()
    d.paths.kill_flag.touch()
    d.broker.down = True
    with pytest.raises(Exception, match="down"):
        d.trader._turn()
    d.restart()
    d.broker.down = False

    d.turns_until(lambda: d.state is BotState.SHUTDOWN_TRIGGERED and d.journal.done)

    assert d.flat
    assert all(order.side is Side.SELL for order in d.broker.sent)
    assert StateFile(d.paths, SystemClock()).last_reason() != ""


def test_kill_is_carried_out_to_the_end_while_nothing_can_be_audited(desk: Open) -> None:
    d = desk(BotState.MONITORING)
    d.entered_before()
    d.broker.shares[Symbol("ZZZ")] = Decimal(7)
    d.notices.unavailable = True
    d.paths.kill_flag.touch()

    d.turns_until(lambda: d.state is BotState.SHUTDOWN_TRIGGERED and d.journal.done)

    assert d.flat
    assert d.notices.recorded == []


def test_a_stop_closes_every_position_while_nothing_can_be_audited(desk: Open) -> None:
    d = desk(BotState.GRACEFUL_CLOSING)
    d.entered_before()
    d.notices.unavailable = True

    d.turns_until(lambda: d.journal.done)

    assert d.flat


def test_an_order_that_closes_is_sent_before_it_is_audited_and_an_entry_after(desk: Open) -> None:
    """A disk that hangs must not hold up a kill; an entry without a record must not go out."""
    d = desk(BotState.MONITORING)
    d.entered_before()
    day = d.trader._begin(d.trader._hours(), emergency=True)
    order: list[str] = []
    sent, recorded = day._desk.submit, d.notices.record

    def submit(intent: OrderIntent) -> None:
        order.append("sent")
        sent(intent)

    def record(event: str, actor: str, detail: Mapping[str, Any]) -> None:
        order.append(event)
        recorded(event, actor, detail)

    day._desk.submit, d.notices.record = submit, record  # type: ignore[method-assign]
    day._submit(replace(intent_of(NOON), client_id=ClientOrderId("another")))
    assert order == ["order", "sent"]

    order.clear()
    day.feed(e.KillRequested(NOON, "operator", "kill flag"))
    d.turns_until(lambda: d.flat)
    assert [word for word in order if word in {"sent", "order"}][:2] == ["sent", "order"]


def test_a_refused_and_a_lost_order_are_on_the_list_of_unresolved_ones_until_their_end(desk: Open) -> None:
    d = desk(BotState.GRACEFUL_CLOSING)
    day = d.trader._begin(d.trader._hours(), emergency=True)
    for name in ("refused", "lost"):
        day.orders[ClientOrderId(name)] = JournalledOrder(intent(name))
    day.feed(e.OrderNotSent(NOON, ClientOrderId("refused"), "no shares to borrow", "42210000"))
    day.feed(e.OrderLost(NOON, ClientOrderId("lost"), "504: too slow"))
    day.feed(e.OrderLost(NOON, ClientOrderId("lost"), "504: too slow"))
    day.feed(e.OrderAbsent(NOON, ClientOrderId("lost")))

    rows = [(row["client_id"], row["kind"], row["reason"]) for row in read_lines(d.paths.unresolved_orders)]
    assert rows == [
        ("refused", "rejected", "no shares to borrow"),
        ("lost", "unknown", "504: too slow"),
        ("lost", "resolved", "never reached the broker"),
    ]
