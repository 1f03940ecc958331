from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.domain.orders import ClientOrderId, OrderStatus
from tbot_bot.runtime.unresolved import Unresolved
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tests.unit.runtime.fakes import AT, intent, report

ORDER = intent("a")


def told(root: Path) -> list[dict[str, Any]]:
    return list(read_lines(Paths(root).unresolved_orders))


def kept(root: Path, unknown: tuple[ClientOrderId, ...] = ()) -> Unresolved:
    return Unresolved(Paths(root), ManualClock(AT), unknown)


def test_a_refusal_is_told_with_the_brokers_words_its_code_and_the_intent(tmp_path: Path) -> None:
    said = replace(report("a", OrderStatus.REJECTED), reason="insufficient buying power")
    kept(tmp_path).changed(ORDER, said, "40310000")
    (row,) = told(tmp_path)
    assert (row["kind"], row["reason"], row["code"]) == ("rejected", "insufficient buying power", "40310000")
    assert (row["at"], row["client_id"], row["intent"]["symbol"]) == (AT.isoformat(), "a", "XYZ")


@pytest.mark.parametrize("end", [OrderStatus.ACCEPTED, OrderStatus.FILLED, OrderStatus.REJECTED, OrderStatus.CANCELLED])
def test_an_unknown_fate_is_told_once_and_so_is_what_became_of_it(tmp_path: Path, end: OrderStatus) -> None:
    log = kept(tmp_path)
    for _ in range(3):
        log.changed(ORDER, report("a", OrderStatus.UNKNOWN))
    log.changed(ORDER, report("a", end))
    log.changed(ORDER, report("a", OrderStatus.FILLED, 10))
    assert [(row["kind"], row["status"]) for row in told(tmp_path)] == [("unknown", "unknown"), ("resolved", end.value)]


def test_what_was_unknown_before_a_restart_is_resolved_after_it(tmp_path: Path) -> None:
    kept(tmp_path, (ClientOrderId("a"),)).changed(ORDER, report("a", OrderStatus.FILLED, 10))
    assert [row["kind"] for row in told(tmp_path)] == ["resolved"]


def test_an_order_that_goes_well_is_not_told(tmp_path: Path) -> None:
    for status in (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED):
        kept(tmp_path).changed(ORDER, report("a", status))
    assert told(tmp_path) == []


def test_what_cannot_be_written_keeps_no_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Paths(tmp_path).unresolved_orders.mkdir(parents=True)
    kept(tmp_path).changed(ORDER, report("a", OrderStatus.REJECTED))
    assert "could not be written down" in caplog.text
