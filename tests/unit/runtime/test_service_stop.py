"""A stop of the service, and the start after it: what becomes of the state word and of open positions."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tbot_bot.domain.errors import BrokerUnavailable
from tbot_bot.domain.orders import OrderIntent, OrderReport, Side
from tbot_bot.domain.session import ARMED_STATES, BotState
from tbot_bot.domain.settings import ServiceStop
from tbot_bot.runtime import compose
from tbot_bot.runtime.service_stop import AGAIN, KEPT, SERVICE, come_back, leave
from tbot_bot.runtime.views import status_line
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile
from tests.unit.runtime.trader_desk import DAY, NEXT_DAY_MORNING, NOON, TraderDesk


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    made = StateFile(Paths(tmp_path), SystemClock())
    made.initialize("runner")
    road = (BotState.INITIALIZE, BotState.PROVISIONING, BotState.BOOTSTRAPPING, BotState.IDLE)
    for frm, to in pairwise(road):
        made.move(frm, to, "runner", "set up")
    return made


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TraderDesk]:
    made = TraderDesk(tmp_path, BotState.TRADING)
    yield made
    made.close()


def policy(desk: TraderDesk, stop: ServiceStop) -> None:
    trading = desk.trader._desk
    assert trading is not None
    settings = trading.services.settings
    changed = replace(settings, execution=replace(settings.execution, service_stop=stop))
    desk.trader._desk = replace(trading, services=replace(trading.services, settings=changed))


def stop_service(desk: TraderDesk) -> None:
    """As SIGTERM does: the loop ends, and what comes after it is done."""
    desk.trader._process.stop.set()
    desk.trader.run()


@pytest.mark.parametrize("armed", sorted(ARMED_STATES))
def test_an_armed_bot_is_shut_down_by_the_stop_and_armed_by_the_start(state: StateFile, armed: BotState) -> None:
    if armed is not BotState.ANALYZING:
        state.move(BotState.IDLE, BotState.ANALYZING, "operator", "start")
    state.move(None, armed, "bot", "on its way")
    leave(state)
    assert (state.read(), state.last_move()["by"], state.last_reason()) == (BotState.SHUTDOWN, SERVICE, KEPT)
    come_back(state)
    assert (state.read(), state.last_reason()) == (BotState.ANALYZING, AGAIN)


def test_an_idle_bot_is_idle_after_the_start(state: StateFile) -> None:
    leave(state)
    assert state.read() is BotState.SHUTDOWN
    come_back(state)
    assert state.read() is BotState.IDLE


@pytest.mark.parametrize("to", [BotState.ERROR, BotState.EMERGENCY_CLOSING])
def test_an_error_and_a_kill_stay_what_they_are(state: StateFile, to: BotState) -> None:
    state.move(None, to, "bot", "it happened")
    leave(state)
    come_back(state)
    assert state.read() is to


def test_a_shutdown_that_was_no_stop_of_the_service_stays_one(state: StateFile) -> None:
    state.move(None, BotState.SHUTDOWN, "operator", "by hand")
    come_back(state)
    assert state.read() is BotState.SHUTDOWN


def test_before_the_first_provisioning_there_is_nothing_to_leave_or_to_take_up(tmp_path: Path) -> None:
    fresh = StateFile(Paths(tmp_path), SystemClock())
    leave(fresh)
    come_back(fresh)
    assert not fresh.exists()


def test_kept_positions_have_their_orders_and_the_next_start_goes_on_with_the_session(desk: TraderDesk) -> None:
    desk.entered_before()
    held = desk.broker.get_positions()
    stop_service(desk)
    assert (desk.state, desk.broker.get_positions()) == (BotState.SHUTDOWN, held)
    desk.restart()
    desk.trader._come_back()
    assert desk.state is BotState.ANALYZING
    desk.turns_until(lambda: desk.trader._day is not None)


def test_flatten_closes_everything_and_the_next_start_waits_for_start(desk: TraderDesk) -> None:
    desk.entered_before()
    policy(desk, ServiceStop.FLATTEN)
    stop_service(desk)
    assert (desk.flat, desk.state) == (True, BotState.SHUTDOWN)
    desk.restart()
    desk.trader._come_back()
    assert desk.state is BotState.IDLE


@pytest.mark.parametrize("stop", ServiceStop)
def test_a_stop_in_the_middle_of_a_kill_leaves_the_kill_to_the_next_start(desk: TraderDesk, stop: ServiceStop) -> None:
    desk.entered_before()
    policy(desk, stop)
    desk.paths.kill_flag.touch()
    desk.broker.down = True
    with pytest.raises(BrokerUnavailable):
        desk.trader._turn()
    desk.write_state(BotState.EMERGENCY_CLOSING)
    desk.trader._flatten_seconds = lambda: 0.3  # type: ignore[method-assign]
    stop_service(desk)
    assert desk.state is BotState.EMERGENCY_CLOSING
    desk.broker.down = False
    desk.restart()
    desk.trader._come_back()
    desk.turns_until(lambda: desk.flat and desk.state is BotState.SHUTDOWN_TRIGGERED)


def test_a_stop_in_the_middle_of_closing_leaves_it_to_the_next_start(desk: TraderDesk) -> None:
    desk.entered_before()
    desk.write_state(BotState.GRACEFUL_CLOSING)
    stop_service(desk)
    assert desk.state is BotState.GRACEFUL_CLOSING
    desk.restart()
    desk.trader._come_back()
    desk.turns_until(lambda: desk.flat and desk.state is BotState.IDLE)


def test_an_order_that_is_on_its_way_when_the_stop_comes_is_sent_once(desk: TraderDesk) -> None:
    desk.entered_before()
    taken, real = threading.Event(), desk.broker.submit_order

    def slow(order: OrderIntent) -> OrderReport:
        taken.set()
        time.sleep(0.5)
        return real(order)

    desk.broker.submit_order = slow  # type: ignore[method-assign]
    desk.paths.stop_flag.touch()
    desk.turns_until(taken.is_set)
    stop_service(desk)
    assert desk.state is BotState.GRACEFUL_CLOSING
    desk.broker.submit_order = real  # type: ignore[method-assign]
    desk.restart()
    desk.trader._come_back()
    desk.turns_until(lambda: desk.flat and desk.state is BotState.IDLE)
    exits = [order for order in desk.broker.sent if order.side is Side.SELL and order.stop_price is None]
    assert len(exits) == 1


def test_who_stops_in_the_session_and_starts_the_next_day_is_armed_and_what_was_left_is_closed(
    desk: TraderDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "_known", compose._nothing_but_defense)  # the build is fit to open a session
    desk.entered_before()
    stop_service(desk)
    desk.set_clock(NEXT_DAY_MORNING)
    desk.restart()
    desk.trader._come_back()
    desk.turns_until(lambda: desk.flat and desk.journal.done)
    desk.turns_until(lambda: desk.trader._over == DAY)
    assert desk.state in ARMED_STATES


def test_flatten_without_positions_ends_at_once(desk: TraderDesk) -> None:
    policy(desk, ServiceStop.FLATTEN)
    desk.set_clock(NOON - timedelta(hours=8))
    stop_service(desk)
    assert desk.state is BotState.SHUTDOWN


def test_what_cannot_be_closed_in_time_is_told_and_closed_by_the_next_start(
    desk: TraderDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.entered_before()
    policy(desk, ServiceStop.FLATTEN)
    monkeypatch.setattr(desk.trader, "_flatten_seconds", lambda: 0.3)
    desk.broker.down = True
    stop_service(desk)
    assert desk.state is BotState.GRACEFUL_CLOSING
    assert any("still open" in str(told) for told in desk.notices.told)
    desk.broker.down = False
    desk.restart()
    desk.trader._come_back()
    desk.turns_until(lambda: desk.flat)


def test_the_status_line_says_state_result_and_age_of_the_data() -> None:
    body = {"state": "trading", "day_pnl": "12.3", "data_age_s": 0.8, "why": ""}
    assert status_line(body) == "trading · P&L today +12.30 USD · data 1 s old"
    assert status_line({"state": "idle", "why": "ready; press Start"}) == "idle · ready; press Start"


def test_a_second_stop_signal_changes_nothing(state: StateFile) -> None:
    stop = threading.Event()
    stop.set()
    leave(state)
    leave(state)
    assert state.read() is BotState.SHUTDOWN
