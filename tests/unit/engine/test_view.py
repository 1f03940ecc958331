from decimal import Decimal

import pytest

from tests.unit.engine.desk import Desk
from tools.simulation.builders import at


def test_a_trade_is_shown_with_its_prices_and_limits_with_their_use() -> None:
    desk = Desk()
    desk.hold()
    desk.quotes(AAA="21.31")
    view = desk.engine.view()
    trade = view.trades[0]
    assert (trade.entry_price, trade.mark, trade.target) == (Decimal("21.00"), Decimal("21.30"), Decimal("21.84"))
    assert trade.unrealised == Decimal("11.40")
    assert trade.stop == Decimal("20.87")
    assert trade.deadline == at(51)
    used = {limit.name: limit.used for limit in view.limits}
    assert used["MAX_OPEN_POSITIONS"] == 1
    assert used["MAX_EXPOSURE"] == Decimal("809.40")
    assert used["DAILY_LOSS_LIMIT"] == 0
    assert [w.phase for w in view.windows] == ["breakout", "waiting", "waiting"]
    assert view.windows[0].trades == 1
    assert view.entries_blocked == ""


def test_what_blocks_entries_is_said() -> None:
    assert Desk(healthy=False).engine.view().entries_blocked == "today's P&L is unknown"
    assert "kill switch" in Desk(tripped="loss limit").engine.view().entries_blocked


def test_a_view_cannot_be_changed() -> None:
    view = Desk().engine.view()
    with pytest.raises(AttributeError):
        view.done = True  # type: ignore[misc]


def test_between_windows_is_when_no_window_runs_and_nothing_is_held_or_ordered() -> None:
    desk = Desk()
    windows = desk.context.plan.windows
    assert not desk.engine.between_windows  # the OPEN window begins with the session
    ends = [(w.breakout_end - at(0)).total_seconds() / 60 for w in windows]
    begins = [(w.start - at(0)).total_seconds() / 60 for w in windows]
    desk.time(ends[0] - 1)
    assert not desk.engine.between_windows
    desk.time(ends[0])
    assert desk.engine.between_windows
    desk.time(begins[1])
    assert not desk.engine.between_windows
    desk.time(ends[2])
    assert desk.engine.between_windows


def test_a_held_position_keeps_the_day_from_being_between_windows() -> None:
    desk = Desk()
    desk.hold()
    desk.time((desk.context.plan.windows[0].breakout_end - at(0)).total_seconds() / 60)
    assert not desk.engine.between_windows
