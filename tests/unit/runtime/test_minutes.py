from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tbot_bot.domain.market import Bar, Symbol
from tbot_bot.domain.session import SessionHours
from tbot_bot.runtime.minutes import Minutes

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
HOURS = SessionHours(date(2026, 1, 5), OPEN, OPEN + timedelta(minutes=390))
MINUTE = timedelta(minutes=1)
A, B = Symbol("A"), Symbol("B")


def bar(symbol: Symbol, minute: int) -> Bar:
    price = Decimal(10)
    return Bar(symbol, OPEN + minute * MINUTE, price, price, price, price, 100)


def minutes() -> Minutes:
    return Minutes([A, B], HOURS, 1.0)


def test_a_minute_with_all_its_bars_is_given_out_once() -> None:
    desk = minutes()
    desk.add(bar(A, 0))
    desk.add(bar(B, 0))
    given = desk.complete(OPEN + MINUTE)
    assert [m.end for m in given] == [OPEN + MINUTE]
    assert set(given[0].bars) == {A, B}
    assert not given[0].late
    assert desk.complete(OPEN + MINUTE) == ()


def test_a_minute_that_is_not_over_is_not_given_out() -> None:
    desk = minutes()
    desk.add(bar(A, 0))
    desk.add(bar(B, 0))
    assert desk.complete(OPEN + timedelta(seconds=59)) == ()


def test_missing_bars_are_asked_for_after_a_grace() -> None:
    desk = minutes()
    desk.add(bar(A, 0))
    assert desk.wanted(OPEN + MINUTE) is None
    assert desk.wanted(OPEN + timedelta(seconds=64)) == ((B,), OPEN, OPEN + MINUTE)


def test_an_answered_pull_closes_the_minute_even_for_symbols_that_did_not_trade() -> None:
    desk = minutes()
    desk.add(bar(A, 0))
    given = desk.pulled([], OPEN + MINUTE, OPEN + timedelta(seconds=65))
    assert set(given[0].bars) == {A}
    assert desk.wanted(OPEN + timedelta(seconds=70)) is None


def test_after_a_gap_old_minutes_come_in_order_and_late() -> None:
    desk = minutes()
    now = OPEN + timedelta(minutes=30)
    wanted = desk.wanted(now)
    assert wanted is not None
    given = desk.pulled([bar(s, m) for m in range(29) for s in (A, B)], wanted[2], now)
    assert [m.end for m in given] == [OPEN + (n + 1) * MINUTE for n in range(29)]
    assert given[0].late
    assert given[0].bars[A].start == OPEN


def test_bars_of_other_symbols_and_outside_the_session_are_dropped() -> None:
    desk = minutes()
    desk.add(bar(Symbol("Z"), 0))
    desk.add(bar(A, -5))
    desk.add(bar(A, 390))
    assert desk.pulled([], OPEN + MINUTE, OPEN + timedelta(seconds=65))[0].bars == {}


def test_nothing_is_given_out_after_the_close() -> None:
    desk = minutes()
    desk.pulled([], HOURS.close, HOURS.close)
    assert desk.wanted(HOURS.close + timedelta(hours=1)) is None
    assert desk.complete(HOURS.close + timedelta(hours=1)) == ()
