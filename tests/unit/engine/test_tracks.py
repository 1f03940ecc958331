from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.engine.tracks import Range, Track, Tracks, range_of, tick_bar
from tbot_bot.strategy.indicators import vwap_price
from tools.simulation.builders import HOURS, bar

AAA = Symbol("AAA")


def track(**closes: str) -> Track:
    found = Track()
    for minute, close in closes.items():
        found.learn(int(minute[1:]), tick_bar(bar("AAA", int(minute[1:]), close)))
    return found


def test_bars_teach_open_close_and_vwap() -> None:
    found = track(m0="10", m1="11", m3="12")
    assert (found.session_open, found.close, found.price) == (100_000, 120_000, Decimal(12))
    assert vwap_price(found.vwap) == 110_000


def test_a_minute_is_learnt_once_and_in_order() -> None:
    found = track(m0="10", m2="11")
    assert not found.learn(2, tick_bar(bar("AAA", 2, "15")))
    assert not found.learn(1, tick_bar(bar("AAA", 1, "15")))
    assert found.adx.bars == 2


def test_impossible_bars_are_ignored() -> None:
    crossed = replace(bar("AAA", 0, "10"), high=Decimal(9))
    worthless = bar("AAA", 0, "0")
    assert not Track().learn(0, tick_bar(crossed))
    assert not Track().learn(0, tick_bar(worthless))


def test_the_open_is_unknown_when_the_morning_is_missing() -> None:
    assert track(m15="10").session_open == 0
    assert track(m14="10").session_open == 100_000


def test_marks_carry_the_last_price_forward_and_begin_at_the_open() -> None:
    found = track(m0="10", m1="11", m4="12")
    assert found.marks(end=6, step=2) == [100_000, 110_000, 110_000, 120_000]
    assert found.marks(end=5, step=2) == [100_000, 110_000, 120_000]


def test_the_range_covers_the_bars_between() -> None:
    found = Track()
    for minute, (high, low) in enumerate((("11", "9"), ("12", "10"), ("15", "8"))):
        found.learn(minute, tick_bar(bar("AAA", minute, "10", high=high, low=low)))
    assert range_of(found.between(0, 2)) == Range(120_000, 90_000)


def test_only_the_universe_inside_the_session_is_learnt() -> None:
    tracks = Tracks(HOURS, frozenset({AAA}))
    outside = replace(bar("AAA", 0, "10"), start=HOURS.open - timedelta(minutes=1))
    assert tracks.learn({AAA: outside}) == []
    assert tracks.learn({AAA: bar("AAA", 0, "10"), Symbol("BBB"): bar("BBB", 0, "10")}) == [AAA]
    assert tracks.session_minutes == 390
