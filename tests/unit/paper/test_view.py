import numpy as np
from hypothesis import given
from hypothesis import settings as configure
from hypothesis import strategies as st

from tbot_bot.paper.view import path_price, reach
from tests.unit.paper.floor import SYMBOLS, open_floor

SESSION_MS = 390 * 60_000


@configure(deadline=None, max_examples=300)
@given(row=st.integers(0, SYMBOLS - 1), after=st.integers(0, SESSION_MS - 1), seed=st.sampled_from((7, 11)))
def test_one_rows_price_and_quote_are_those_of_the_whole_market(row: int, after: int, seed: int) -> None:
    with open_floor(seed) as floor:
        view, now = floor.view, floor.days[0].open_ms + after
        bars = view.bars(now)
        price, bid, ask = view.quotes(np.array([row]), now)
        quote = view.quote_in(bars, row, now)
        assert (path_price(bars, row, now), quote.bid, quote.ask) == (int(price[0]), int(bid[0]), int(ask[0]))
        low, high = reach(bars, row, after // 60_000)
        assert low <= int(price[0]) <= high
        assert quote.ask > quote.bid


def test_prices_move_one_way_only_within_a_segment() -> None:
    with open_floor() as floor:
        bars, rows = floor.view.bars(floor.now), range(0, SYMBOLS, 7)
        for segment in floor.view.segments(floor.now, floor.now + 20 * 60_000):
            times = np.linspace(segment.start_ms, segment.end_ms - 1, 9).astype(int).tolist()
            for row in rows:
                quotes = [floor.view.quote_in(bars, row, at) for at in times]
                for series in ([q.bid for q in quotes], [q.ask for q in quotes]):
                    assert series in (sorted(series), sorted(series, reverse=True))
