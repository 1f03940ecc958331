"""A whole Trader in-process against a living fake of the broker, on a root of its own."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ExitPlan, OrderIntent, OrderReport, OrderStatus, Purpose, Side, client_order_id
from tbot_bot.domain.session import BotState, StrategyName
from tbot_bot.runtime.compose import Trading
from tbot_bot.runtime.desk import Desk, Inbox
from tbot_bot.runtime.journal import Journal, JournalState, read_journal
from tbot_bot.runtime.services import Services
from tbot_bot.runtime.trader import Trader
from tbot_bot.screeners.providers.no_reference import NoReference
from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.calendar import ExchangeCalendar
from tbot_bot.support.clock import FollowedClock, SystemClock
from tbot_bot.support.logs import JsonFormatter, TailHandler
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.process import Process
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile
from tests.unit.runtime.fakes import LivingBroker, Notices
from tools.simulation.builders import settings

DAY = date(2025, 1, 6)
NEXT_DAY_MORNING = datetime(2025, 1, 7, 15, 0, tzinfo=UTC)
NOON = datetime(2025, 1, 6, 17, 0, tzinfo=UTC)
XYZ = Symbol("XYZ")
TEN = Decimal(10)
CALENDAR = ExchangeCalendar(date(2024, 1, 2))


class TraderDesk:
    """The trader's turns are made by hand; nothing is provisioned, so the connection is put in from here."""

    def __init__(self, root: Path, state: BotState, now: datetime = NOON) -> None:
        self.paths = Paths(root)
        self.broker = LivingBroker()
        self.notices = Notices()
        self.clock = FollowedClock()
        self.set_clock(now)
        for folder in (self.paths.control, self.paths.kill_flag.parent, self.paths.ledger_db.parent):
            ensure_folder(folder)
        create(self.paths.ledger_db)
        self.write_state(state)
        self.trader = self._make()

    def _make(self) -> Trader:
        process = Process(threading.Event(), SdNotify(), TailHandler(JsonFormatter("bot")))
        trader = Trader(self.paths, process)
        publisher = Publisher(self.paths, "bot", SystemClock())
        self.ledger = LedgerStore(self.paths.ledger_db)
        services = Services(
            paths=self.paths,
            wall=SystemClock(),
            clock=self.clock,
            calendar=CALENDAR,
            settings=settings(SLEEP_TIME="100ms"),
            bot_id="bot-1",
            live=False,
            broker=self.broker,
            reference=NoReference(),
            ledger=self.ledger,
            audit=self.notices,
            notifier=self.notices,
            state=StateFile(self.paths, SystemClock()),
            publisher=publisher,
        )
        inbox: Inbox = Inbox()
        desk = Desk(self.broker, self.broker, self.clock, inbox, (0.01, 0.01, 0.01))
        trader._desk = Trading(services, desk, inbox, "", ExitStack())
        return trader

    def restart(self) -> None:
        """As after kill -9: nothing is said to the day; a new trader finds what is on disk."""
        self.close()
        self.trader = self._make()

    def close(self) -> None:
        self.trader._drop()
        self.ledger.close()

    def set_clock(self, now: datetime) -> None:
        self.broker.set_clock(now)
        self.clock.sample(now, 1.0)

    def write_state(self, state: BotState) -> None:
        write_bytes(self.paths.bot_state, state.encode() + b"\n")

    @property
    def state(self) -> BotState:
        return StateFile(self.paths, SystemClock()).read()

    @property
    def journal(self) -> JournalState:
        return read_journal(self.paths, DAY)

    @property
    def flat(self) -> bool:
        return not self.broker.get_positions() and not self.broker.open_orders()

    def shown(self, name: str) -> list[dict[str, Any]]:
        """Rows of a published snapshot; none when there is none."""
        try:
            rows = json.loads((self.paths.published / f"{name}.json").read_bytes())["body"]["rows"]
        except FileNotFoundError:
            return []
        return list(rows)

    def turns_until(self, done: Callable[[], bool], seconds: float = 8.0) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"{self.state}, {self.trader._why}, {self.notices.told}"
            self.trader._turn()

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.trader._turn()

    def entered_before(self, account: str = "A") -> OrderIntent:
        """What a session leaves that was cut off with ten shares bought: its journal and the broker's position."""
        entry = intent_of(NOON - timedelta(hours=1))
        said = OrderReport(
            entry.client_id, "b-1", XYZ, Side.BUY, OrderStatus.FILLED, TEN, Decimal(20), entry.created_at, TEN
        )
        self.broker.known[entry.client_id] = said
        self.broker._fill(said)
        journal = Journal(self.paths, DAY)
        journal.open_day(Decimal(100_000), entry.created_at, account)
        journal.intend(entry)
        journal.report(said)
        journal.close()
        return entry


def intent_of(at: datetime) -> OrderIntent:
    name = client_order_id("bot-1", DAY, StrategyName.OPEN, XYZ, Purpose.ENTRY, 1)
    plan = ExitPlan(Decimal("0.02"), Decimal("0.04"), Decimal("0.02"), NOON + timedelta(hours=1))
    return OrderIntent(
        client_id=name,
        session=DAY,
        strategy=StrategyName.OPEN,
        symbol=XYZ,
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        trade_id=name,
        created_at=at,
        reason="breakout",
        quantity=TEN,
        reference_price=Decimal(20),
        exit_plan=plan,
    )
