"""The kill flag is raised while positions are open and the bot dies by kill -9 in the same moment."""

import os
import signal
from datetime import date
from pathlib import Path

import pytest

from tbot_bot.domain.orders import FINAL_STATUSES, OrderReport
from tbot_bot.domain.session import BotState
from tbot_bot.paper.store import Store
from tbot_bot.runtime.journal import JournalState, read_journal, unfinished_session
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile
from tools.demo_process import DemoProcess
from tools.patience import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SPEED = 200


def reports(journal: JournalState) -> list[OrderReport]:
    return [order.report for order in journal.orders.values() if order.report is not None]


def holds(paths: Paths) -> JournalState | None:
    """The session's journal once a fill is in it."""
    session = unfinished_session(paths)
    if session is None:
        return None
    journal = read_journal(paths, session)
    return journal if any(report.filled_quantity for report in reports(journal)) else None


def last_journal(paths: Paths) -> JournalState:
    newest = max((paths.output / "journal").glob("*.jsonl"))
    return read_journal(paths, date.fromisoformat(newest.stem))


def left_at_the_venue(paths: Paths) -> tuple[list[str], list[str]]:
    """(symbols still held, client ids of open orders), from the venue's own database."""
    store = Store(paths.paper)
    try:
        held = [symbol for _, symbol, _, _ in store.positions()]
        return held, [order.client_order_id for order in store.orders() if order.is_open]
    finally:
        store.close()


def test_kill_and_kill_dash_nine_in_one_moment_end_flat_and_halted(tmp_path: Path) -> None:
    demo = DemoProcess(tmp_path, SPEED)
    demo.start()
    try:
        until("a filled entry", 60, lambda: holds(demo.paths))
        pid = demo.pid_of("bot")
        assert pid is not None
        demo.paths.kill_flag.touch()
        os.kill(pid, signal.SIGKILL)
        assert demo.wait_for_unit("bot", other_than=pid) is not None
        state = StateFile(demo.paths, SystemClock())
        until("the halt", 30, lambda: state.read() is BotState.SHUTDOWN_TRIGGERED or None)
        until("closed books", 15, lambda: unfinished_session(demo.paths) is None or None)
    finally:
        demo.end()
    assert left_at_the_venue(demo.paths) == ([], [])
    assert all(report.status in FINAL_STATUSES for report in reports(last_journal(demo.paths)))
