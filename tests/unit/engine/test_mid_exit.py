"""A MID trade from its signal to the touch of VWAP."""

from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import Direction
from tbot_bot.engine.commands import AskQuotes, Cancel, Submit, Watch
from tests.unit.engine.desk import Desk, only, those


def morning(desk: Desk, direction: int) -> tuple[object, ...]:
    """80 minutes around 20.00, then a minute 3 % away."""
    for minute in range(80):
        desk.closes(minute, AAA="20.02" if minute % 2 else "19.98")
    desk.account()
    return desk.closes(80, AAA="19.40" if direction > 0 else "20.60")


def test_a_fall_below_vwap_is_bought_and_left_at_vwap() -> None:
    desk = Desk()
    assert only(morning(desk, 1), AskQuotes).symbols == ("AAA",)  # type: ignore[arg-type]
    entry = only(desk.quotes(AAA="19.40"), Submit).intent
    assert entry.exit_plan is not None
    assert (entry.exit_plan.vwap_symbol, entry.exit_plan.target_distance) == ("AAA", None)
    stop = only(desk.report(entry, "filled", "41", "19.40"), Submit).intent
    assert stop.stop_price == Decimal("19.11")
    assert not those(desk.quotes(AAA="19.90"), Cancel)
    told = desk.quotes(AAA="20.00")
    assert "touched its VWAP 19.99" in only(told, Cancel).why


def test_a_rise_is_traded_with_the_fund_and_left_at_the_signals_vwap() -> None:
    desk = Desk()
    assert only(morning(desk, -1), AskQuotes).symbols == ("PSQ",)  # type: ignore[arg-type]
    told = desk.quotes(PSQ="40.00")
    entry = only(told, Submit).intent
    assert (entry.signal_symbol, entry.direction) == (Symbol("AAA"), Direction.BEARISH)
    assert only(told, Watch).symbols == ("AAA", "PSQ")
    stop = only(desk.report(entry, "filled", "20", "40.00"), Submit).intent
    desk.report(stop, "accepted")
    assert not those(desk.quotes(AAA="20.20"), Cancel)
    assert "AAA touched its VWAP" in only(desk.closes(81, AAA="20.00"), Cancel).why
