"""CLOSE at the desk: what the window's watcher makes of a session's bars."""

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.session import StrategyName
from tbot_bot.engine.commands import AskQuotes, Decide, Submit
from tbot_bot.engine.signals import watcher
from tbot_bot.engine.tracks import Tracks
from tests.unit.engine.desk import Desk, only, those
from tools.simulation.builders import HOURS, at, bar, context

AAA = Symbol("AAA")


def afternoon(desk: Desk, window: tuple[str, ...]) -> None:
    """300 minutes in which five-minute returns alternate by ±0.1 %, then the analysis window's closes."""
    for minute in range(300):
        desk.closes(minute, AAA="20.02" if minute // 5 % 2 else "20.00")
    for minute, close in enumerate(window, start=300):
        desk.closes(minute, AAA=close)
    desk.account()


def test_momentum_into_the_close_is_followed() -> None:
    desk = Desk()
    afternoon(desk, ("20.03", "20.03", "20.04", "20.04", "20.05"))
    assert only(desk.closes(305, AAA="20.06"), AskQuotes).symbols == ("AAA",)
    intent = only(desk.quotes(AAA="20.06"), Submit).intent
    assert "momentum: z +1.5" in intent.reason
    assert intent.exit_plan is not None
    assert intent.exit_plan.target_distance is None


def test_an_extreme_move_is_faded_with_the_inverse_fund() -> None:
    desk = Desk()
    afternoon(desk, ("20.10", "20.15", "20.20", "20.25", "20.30"))
    assert not those(desk.closes(305, AAA="20.25"), AskQuotes)
    assert only(desk.closes(306, AAA="20.14"), AskQuotes).symbols == ("PSQ",)


def test_a_quiet_afternoon_is_a_near_miss() -> None:
    desk = Desk()
    afternoon(desk, ("20.02", "20.02", "20.02", "20.02", "20.03"))
    desk.closes(305, AAA="20.03")
    miss = those(desk.time(310), Decide)[-1]
    assert (miss.symbol, miss.reason, miss.needed) == ("AAA", "z is too small", 1.0)


def test_a_symbol_without_its_morning_is_thin_for_mid() -> None:
    given = context(("AAA",))
    tracks = Tracks(HOURS, frozenset({AAA}))
    window = next(w for w in given.plan.windows if w.strategy is StrategyName.MID)
    eyes = watcher(window, tracks, given.settings, {})
    for minute in range(20, 76):
        tracks.learn({AAA: bar("AAA", minute, "20.00")})
    assert at(75) == window.analysis_end
    assert eyes.look([AAA]) == []
    assert eyes.thin == {AAA}
