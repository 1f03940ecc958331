"""Laws of closed positions: shares and money are neither lost nor made."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.paper.account import traded
from tbot_bot.paper.book import Fill, Position
from tools.counterparts.tradier.gains import match

TRADES = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["buy", "sell"]), st.integers(1, 9), st.integers(1, 500)),
    max_size=30,
)


def fills_of(trades: list[tuple[str, str, int, int]]) -> list[Fill]:
    return [
        Fill(
            execution_id=str(at),
            account="a",
            order_id=str(at),
            symbol=symbol,
            side=side,  # type: ignore[arg-type]
            qty=Decimal(qty),
            price=Decimal(cents) / 100,
            time_ms=at * 1000,
            kind="fill",
            cumulative=Decimal(qty),
            leaves=Decimal(0),
            order_status="filled",
        )
        for at, (symbol, side, qty, cents) in enumerate(trades)
    ]


@given(TRADES)
def test_the_lots_left_are_the_positions(trades: list[tuple[str, str, int, int]]) -> None:
    fills = fills_of(trades)
    _, lots = match(fills)
    positions: dict[str, Position | None] = {}
    for fill in fills:
        signed = fill.qty if fill.side == "buy" else -fill.qty
        positions[fill.symbol] = traded(positions.get(fill.symbol), fill.symbol, signed, fill.price)
    held = {symbol: position.qty for symbol, position in positions.items() if position is not None}
    assert {symbol: sum(lot.qty for lot in each) for symbol, each in lots.items()} == held


@given(TRADES)
def test_gains_and_the_cost_of_what_is_left_are_the_money_that_moved(trades: list[tuple[str, str, int, int]]) -> None:
    fills = fills_of(trades)
    closed, lots = match(fills)
    moved = sum((f.qty * f.price * (-1 if f.side == "buy" else 1) for f in fills), Decimal(0))
    left = sum((lot.qty * lot.fill.price for each in lots.values() for lot in each), Decimal(0))
    assert sum((each.gain for each in closed), Decimal(0)) == moved + left


@given(TRADES)
def test_the_oldest_shares_are_closed_first(trades: list[tuple[str, str, int, int]]) -> None:
    closed, lots = match(fills_of(trades))
    for symbol in ("A", "B"):
        opened = [each.opened_ms for each in closed if each.symbol == symbol]
        assert opened == sorted(opened)
        assert all(lot.fill.time_ms >= max(opened, default=0) for lot in lots.get(symbol, ()))
