from decimal import Decimal

import pytest

from tbot_bot.paper.book import ZERO, Order
from tbot_bot.paper.depth import MIN_CAPACITY, Taken, depth, levels
from tbot_bot.paper.view import dollars
from tests.unit.paper.floor import Floor, blank_order, open_floor

CENT = Decimal("0.01")
SECOND = 1000


def quiet(floor: Floor) -> str:
    """The symbol whose book is the smallest."""
    volumes = floor.view.bars(floor.now).volume[:, 0]
    return floor.view.market.instruments[int(volumes.argmin())].symbol


def ask(floor: Floor, symbol: str, at: int | None = None) -> Decimal:
    quote = floor.view.quote(symbol, floor.now if at is None else at)
    assert quote is not None
    return dollars(quote.ask)


def held(floor: Floor, symbol: str) -> Decimal:
    position = floor.account.positions.get(symbol)
    return position.qty if position else ZERO


def test_levels_are_cents_away_and_hold_a_tenth_of_a_thirds_volume() -> None:
    book = depth(90_000, 4_000, 300)
    assert book.capacity == 3000
    assert book.step == 400
    assert list(levels(book, Taken(), "buy", 500_000, None)) == [
        (500_000, Decimal(1200)),
        (500_400, Decimal(900)),
        (500_800, Decimal(600)),
        (501_200, Decimal(300)),
    ]
    assert depth(0, 0, 0).capacity == MIN_CAPACITY


def test_what_one_side_took_leaves_the_other_side_its_levels_but_not_more_volume_than_there_is() -> None:
    book, taken = depth(0, 0, 0), Taken()
    taken.add("buy", Decimal(60))
    assert list(levels(book, taken, "buy", 10_000, None)) == [
        (10_100, Decimal(10)),
        (10_200, Decimal(20)),
        (10_300, Decimal(10)),
    ]
    assert list(levels(book, taken, "sell", 10_000, None)) == [(10_000, Decimal(40))]


def test_a_large_order_walks_the_book_and_the_rest_waits_for_the_next_third() -> None:
    with open_floor() as floor:
        floor.advance(SECOND)
        symbol = quiet(floor)
        order = floor.accept(blank_order(symbol, "buy", "large", qty=Decimal(150)))
        floor.advance(5 * SECOND)
        prices = [fill.price for fill in floor.fills]
        assert [fill.qty for fill in floor.fills] == [40, 30, 20, 10]
        assert prices == sorted(set(prices))
        assert prices[0] == ask(floor, symbol, floor.fills[0].time_ms)
        assert (order.status, order.remaining) == ("partially_filled", 50)
        floor.advance(20 * SECOND)
        assert [fill.qty for fill in floor.fills[4:]] == [40, 10]
        assert [event.kind for event in floor.events] == ["new", *["partial_fill"] * 5, "fill"]


def test_a_limit_keeps_an_order_from_the_levels_beyond_it() -> None:
    with open_floor() as floor:
        floor.advance(SECOND)
        symbol = quiet(floor)
        order = floor.accept(
            blank_order(symbol, "buy", "bound", type="limit", qty=Decimal(90), limit_price=ask(floor, symbol))
        )
        floor.advance(100)
        assert [(fill.qty, fill.price) for fill in floor.fills] == [(Decimal(40), order.limit_price)]


def test_an_order_trades_only_after_its_latency_and_differs_from_its_neighbours() -> None:
    with open_floor(latency_ms=1000) as floor:
        floor.advance(SECOND)
        for place in range(5):
            floor.accept(blank_order("SPY", "buy", f"late-{place}"))
        floor.advance(400)
        assert floor.fills == []
        floor.advance(1200)
        waits = [fill.time_ms - floor.exchange.orders[fill.order_id].submitted_ms for fill in floor.fills]
        assert len(set(waits)) == 5
        assert all(500 <= wait <= 1500 for wait in waits)


def test_reports_follow_their_fills_after_their_latency() -> None:
    with open_floor() as floor:
        floor.exchange._report_latency = 3000
        floor.advance(SECOND)
        order = floor.accept(blank_order("SPY", "buy", "told-late"))
        floor.advance(SECOND)
        assert order.status == "filled"
        assert floor.events == []
        floor.advance(3 * SECOND)
        assert [event.kind for event in floor.events] == ["new", "fill"]


def test_an_immediate_order_takes_what_there_is_and_ends() -> None:
    with open_floor() as floor:
        floor.advance(SECOND)
        order = floor.accept(blank_order(quiet(floor), "buy", "now", qty=Decimal(150), time_in_force="ioc"))
        floor.advance(100)
        assert (order.status, order.filled_qty) == ("canceled", 100)


def test_an_immediate_order_off_the_market_ends_without_a_fill() -> None:
    with open_floor() as floor:
        floor.advance(SECOND)
        limit = floor.price("SPY").quantize(CENT) - 3
        order = floor.accept(blank_order("SPY", "buy", "off", type="limit", limit_price=limit, time_in_force="ioc"))
        floor.advance(100)
        assert (order.status, order.filled_qty) == ("canceled", 0)


@pytest.mark.parametrize(("qty", "status", "filled"), [(101, "canceled", 0), (100, "filled", 100)])
def test_an_all_or_nothing_order_fills_whole_or_not_at_all(qty: int, status: str, filled: int) -> None:
    with open_floor() as floor:
        floor.advance(SECOND)
        order = floor.accept(blank_order(quiet(floor), "buy", "all", qty=Decimal(qty), time_in_force="fok"))
        floor.advance(100)
        assert (order.status, order.filled_qty) == (status, filled)


def auction_order(floor: Floor, name: str, force: str, **more: object) -> Order:
    """Taken into the book as a face does that lets such orders pass."""
    order = floor.admission.build(
        floor.account, blank_order("SPY", "buy", name, time_in_force=force, **more), floor.now
    )
    floor.exchange.add(order)
    floor.exchange.commit()
    return order[0]


def test_orders_for_the_open_get_its_one_price_and_what_is_left_of_them_ends() -> None:
    with open_floor() as floor:
        floor.exchange.matched_ms -= 60 * SECOND
        opening = dollars(int(floor.view.bars(floor.days[0].open_ms).open[floor.view.market.index["SPY"], 0]))
        market = auction_order(floor, "moo", "opg", qty=Decimal(3))
        near = auction_order(floor, "loo", "opg", type="limit", limit_price=opening)
        low = auction_order(floor, "low", "opg", type="limit", limit_price=opening - 1)
        floor.advance(61 * SECOND)
        late = auction_order(floor, "late", "opg")
        floor.advance(SECOND)
        assert [(fill.price, fill.time_ms) for fill in floor.fills] == [(opening, floor.days[0].open_ms)] * 2
        assert [order.status for order in (market, near, low, late)] == ["filled", "filled", "canceled", "canceled"]


def test_orders_for_the_close_wait_for_its_price() -> None:
    with open_floor() as floor:
        day = floor.days[0]
        floor.exchange.advance(day.close_ms - 60 * SECOND)
        closing = dollars(int(floor.view.bars(day.open_ms).close[floor.view.market.index["SPY"], -1]))
        market = auction_order(floor, "moc", "cls", qty=Decimal(3))
        low = auction_order(floor, "loc", "cls", type="limit", limit_price=closing - CENT)
        floor.advance(59 * SECOND)
        assert floor.fills == []
        floor.advance(SECOND)
        assert [(fill.price, fill.time_ms) for fill in floor.fills] == [(closing, day.close_ms)]
        assert (market.status, low.status) == ("filled", "canceled")


def test_a_part_of_the_take_profit_makes_the_stop_loss_smaller_and_the_rest_ends_it() -> None:
    with open_floor() as floor:
        floor.advance(SECOND)
        symbol = quiet(floor)
        floor.accept(blank_order(symbol, "buy", "entry", qty=Decimal(90)))
        floor.advance(20 * SECOND)
        bid = floor.view.quote(symbol, floor.now)
        assert bid is not None
        profit = floor.accept(
            blank_order(
                symbol,
                "sell",
                "oco",
                type="limit",
                order_class="oco",
                qty=Decimal(90),
                take_profit_limit=dollars(bid.bid),
                stop_loss_stop=dollars(bid.bid) - 5,
            )
        )
        (stop,) = floor.exchange.legs(profit)
        floor.advance(100)
        assert profit.filled_qty == 40
        assert stop.qty == 50
        profit.limit_price = dollars(bid.bid) - 2
        floor.advance(40 * SECOND)
        assert (profit.status, stop.status, held(floor, symbol)) == ("filled", "canceled", 0)


def test_no_leg_trades_at_a_price_from_before_its_entry() -> None:
    """The entry's limit is met on the way down; the profit's limit was met only before that."""
    with open_floor() as floor:
        floor.advance(SECOND)
        view, row = floor.view, floor.view.market.index["SPY"]
        bars = view.bars(floor.now)
        third = next(
            segment
            for segment in view.segments(floor.now + 20 * SECOND, floor.days[0].close_ms)
            if view.quote_in(bars, row, segment.start_ms).bid - view.quote_in(bars, row, segment.end_ms - 1).ask > 1500
        )
        floor.exchange.advance(third.start_ms)
        first, last = view.quote_in(bars, row, third.start_ms), view.quote_in(bars, row, third.end_ms - 1)
        limit = dollars((first.bid + last.ask) // 200 * 100)
        entry = floor.accept(
            blank_order(
                "SPY",
                "buy",
                "dip",
                type="limit",
                order_class="oto",
                limit_price=limit,
                take_profit_limit=limit + 2 * CENT,
            )
        )
        floor.exchange.advance(third.end_ms)
        (leg,) = floor.exchange.legs(entry)
        assert entry.status == "filled"
        assert leg.status == "new"


def test_a_halt_holds_all_orders_and_the_reopening_takes_the_price_that_is_then() -> None:
    with open_floor() as floor:
        floor.advance(SECOND)
        floor.faults.halted.add("SPY")
        market = floor.accept(blank_order("SPY", "buy", "held"))
        now = floor.accept(blank_order("SPY", "buy", "at-once", time_in_force="ioc"))
        floor.advance(300 * SECOND)
        assert (market.status, now.status, floor.fills) == ("new", "canceled", [])
        floor.faults.halted.clear()
        reopened = floor.now
        floor.advance(SECOND)
        assert [(fill.time_ms, fill.price) for fill in floor.fills] == [(reopened, ask(floor, "SPY", reopened))]


def test_a_brokers_fee_is_paid_in_cash_and_told_with_the_fill() -> None:
    with open_floor() as floor:
        floor.exchange.fee = lambda order, qty, price: max(Decimal("0.35"), qty * Decimal("0.0035"))
        cash = floor.account.cash
        floor.advance(SECOND)
        floor.accept(blank_order("SPY", "buy", "paid"))
        floor.advance(SECOND)
        (fill,) = floor.fills
        assert fill.fee == Decimal("0.35")
        assert floor.account.cash == cash - fill.price - fill.fee
        floor.cut()
        assert floor.fills[0].fee == Decimal("0.35")


def test_an_order_for_dollars_that_walks_the_book_costs_no_more_than_asked() -> None:
    with open_floor() as floor:
        floor.advance(SECOND)
        symbol = quiet(floor)
        money = (ask(floor, symbol) * 250).quantize(CENT)
        order = floor.accept(blank_order(symbol, "buy", "money", qty=None, notional=money))
        floor.advance(70 * SECOND)
        assert order.status == "filled"
        assert len(floor.fills) > 8
        assert money - CENT < order.filled_cost <= money
