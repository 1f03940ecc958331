from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderStatus, Purpose, Side
from tbot_bot.domain.session import StrategyName
from tbot_bot.runtime.journal import Journal, dead_report, read_journal, unfinished_session
from tbot_bot.support.path_resolver import Paths

DAY = date(2026, 1, 5)
AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def intent(name: str) -> OrderIntent:
    return OrderIntent(
        client_id=ClientOrderId(name),
        session=DAY,
        strategy=StrategyName.OPEN,
        symbol=Symbol("XYZ"),
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        trade_id=ClientOrderId(name),
        created_at=AT,
        reason="breakout",
        quantity=Decimal(10),
    )


def test_an_intent_without_an_answer_is_found_after_a_crash(tmp_path: Path) -> None:
    journal = Journal(Paths(tmp_path), DAY)
    journal.open_day(Decimal("100000"), AT)
    journal.intend(intent("a"))
    state = read_journal(Paths(tmp_path), DAY)
    assert state.orders[ClientOrderId("a")].report is None
    assert state.opening_equity == Decimal("100000")
    journal.close()


def test_the_last_report_counts(tmp_path: Path) -> None:
    journal = Journal(Paths(tmp_path), DAY)
    journal.intend(intent("a"))
    journal.report(dead_report(intent("a"), OrderStatus.UNKNOWN, "timeout", AT))
    journal.report(dead_report(intent("a"), OrderStatus.REJECTED, "no", AT))
    journal.close()
    report = read_journal(Paths(tmp_path), DAY).orders[ClientOrderId("a")].report
    assert report is not None
    assert report.status is OrderStatus.REJECTED


def test_the_first_opening_equity_of_a_session_counts_and_a_new_start_reopens_it(tmp_path: Path) -> None:
    journal = Journal(Paths(tmp_path), DAY)
    journal.open_day(Decimal("100000"), AT)
    journal.finish()
    assert unfinished_session(Paths(tmp_path)) is None
    journal.open_day(Decimal("99000"), AT)
    journal.close()
    assert unfinished_session(Paths(tmp_path)) == DAY
    assert read_journal(Paths(tmp_path), DAY).opening_equity == Decimal("100000")


def test_a_tripped_kill_switch_stays_in_the_journal(tmp_path: Path) -> None:
    journal = Journal(Paths(tmp_path), DAY)
    journal.trip("loss limit")
    journal.close()
    assert read_journal(Paths(tmp_path), DAY).tripped == "loss limit"


def test_a_torn_line_loses_only_itself(tmp_path: Path) -> None:
    journal = Journal(Paths(tmp_path), DAY)
    journal.intend(intent("a"))
    journal.close()
    with Paths(tmp_path).journal(DAY).open("ab") as file:
        file.write(b'{"kind":"intent","intent":{"client_id":"b"')
    assert set(read_journal(Paths(tmp_path), DAY).orders) == {"a"}
