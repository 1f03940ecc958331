"""The verdict over a finished day sees what must not be."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tbot_bot.accounting.store import LedgerStore, create
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import (
    ClientOrderId,
    Execution,
    OrderIntent,
    OrderReport,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
)
from tbot_bot.domain.session import StrategyName
from tbot_bot.paper.book import Account, Fill, Order, Position
from tbot_bot.paper.store import Changes, Store
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.runtime.journal import Journal
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile
from tools.day_verdict import day_faults

DAY = date(2026, 1, 5)
AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
MS = int(AT.timestamp() * 1000)
NAME = ClientOrderId("tb-1")
ACCOUNT = Account("acc", "key", "hash", MS, Decimal(99_990), Decimal(100_000))
ORDER = Order("o1", 1, "acc", NAME, "AAA", "buy", "market", "day", "2026-01-05", MS, status="filled")
ORDER = replace(ORDER, qty=Decimal(1), filled_qty=Decimal(1), filled_cost=Decimal(10))
FILL = Fill("e1", "acc", "o1", "AAA", "buy", Decimal(1), Decimal(10), MS, "fill", Decimal(1), Decimal(0), "filled", 1)
INTENT = OrderIntent(
    NAME, DAY, StrategyName.OPEN, Symbol("AAA"), Side.BUY, Purpose.ENTRY, NAME, AT, "test", quantity=Decimal(1)
)
REPORT = OrderReport(
    client_id=NAME,
    broker_id="o1",
    symbol=Symbol("AAA"),
    side=Side.BUY,
    status=OrderStatus.FILLED,
    filled_quantity=Decimal(1),
    average_price=Decimal(10),
    at=AT,
    quantity=Decimal(1),
    type=OrderType.MARKET,
    reason="",
)
EXECUTION = Execution("e1", "o1", NAME, Symbol("AAA"), Side.BUY, Decimal(1), Decimal(10), AT)


class DayFiles:
    """A finished day in which all agrees, before a test breaks it."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.venue = Store(self.paths.paper)
        self.venue.commit(Changes(orders={"o1": ORDER}, accounts={"acc": ACCOUNT}, fills=[FILL]), MS)
        self.journal = Journal(self.paths, DAY)
        self.journal.open_day(Decimal(100_000), AT)
        self.journal.intend(INTENT)
        self.journal.report(REPORT)
        create(self.paths.ledger_db)
        self.ledger = LedgerStore(self.paths.ledger_db)
        self.ledger.book_opening("acc", Decimal(100_000), AT)
        self.ledger.book_execution(EXECUTION, INTENT)
        AuditWriter(self.paths, SystemClock()).close()
        StateFile(self.paths, SystemClock()).initialize("test")

    def faults(self) -> tuple[str, ...]:
        return day_faults(self.paths)

    def close(self) -> None:
        self.venue.close()
        self.journal.close()
        self.ledger.close()


@pytest.fixture
def day(tmp_path: Path):  # type: ignore[no-untyped-def]
    made = DayFiles(tmp_path)
    yield made
    made.close()


def test_a_day_on_which_all_agrees_has_no_fault(day: DayFiles) -> None:
    assert day.faults() == ()


def test_a_position_left_at_the_venue_is_a_fault(day: DayFiles) -> None:
    day.venue.commit(Changes(positions={("acc", "AAA"): Position("AAA", Decimal(1), Decimal(10))}), MS)

    assert day.faults() == ("the venue holds 1 AAA",)


def test_an_order_without_intent_is_a_fault(day: DayFiles) -> None:
    day.venue.commit(
        Changes(orders={"o2": replace(ORDER, id="o2", sequence=2, client_order_id="other", filled_qty=Decimal(0))}), MS
    )

    assert day.faults() == ("venue order other has no intent in the journal",)


def test_an_order_sent_twice_is_a_fault(day: DayFiles) -> None:
    day.venue.commit(Changes(orders={"o2": replace(ORDER, id="o2", sequence=2)}), MS)

    assert day.faults() == ("client id tb-1 was used 2 times at the venue",)


def test_a_fill_that_is_not_in_the_ledger_is_a_fault(day: DayFiles) -> None:
    day.venue.commit(Changes(fills=[replace(FILL, execution_id="e2", sequence=2)]), MS)

    assert any("'e2'" in words and "not in the ledger" in words for words in day.faults())


def test_a_fill_that_the_venue_never_made_is_a_fault(day: DayFiles) -> None:
    day.ledger.book_execution(replace(EXECUTION, execution_id="e3"), INTENT)

    found = day.faults()
    assert any("'e3'" in words and "not so at the venue" in words for words in found)
    assert any("in cash" in words for words in found)


def test_an_intent_written_twice_is_a_fault(day: DayFiles) -> None:
    day.journal.intend(INTENT)
    day.journal.report(REPORT)

    assert day.faults() == ("order tb-1 was meant 2 times",)


def test_an_order_of_unknown_fate_is_a_fault(day: DayFiles) -> None:
    day.journal.report(replace(REPORT, status=OrderStatus.UNKNOWN))

    assert day.faults() == ("order tb-1 ended as unknown in the journal",)


def test_a_damaged_audit_log_and_state_are_faults(day: DayFiles) -> None:
    day.paths.audit_log.write_bytes(b"{}\n")
    day.paths.bot_state.write_text("nonsense")

    found = day.faults()
    assert any("audit log" in words for words in found)
    assert any("bot_state.txt" in words for words in found)
