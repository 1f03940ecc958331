"""Laws of the exchange that hold for any orders, any steps of time and any cuts."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as configure
from hypothesis import strategies as st

from tbot_bot.paper.book import ZERO, Fill, Order
from tbot_bot.paper.depth import MIN_CAPACITY, PARTICIPATION
from tbot_bot.paper.market_events import disturbance
from tbot_bot.paper.sessions import MINUTE_MS
from tbot_bot.paper.view import THIRD_MS, dollars
from tests.unit.paper.floor import CASH, Floor, blank_order, open_floor

Action = tuple[Any, ...]
CENT = Decimal("0.01")

_symbols = st.integers(0, 3)
_sides = st.sampled_from(("buy", "sell"))
_shares = st.one_of(st.integers(1, 30), st.integers(31, 3000))
_offsets = st.integers(-60, 60)
_simple = st.tuples(
    st.just("order"),
    _symbols,
    _sides,
    st.sampled_from(("market", "limit", "stop", "stop_limit", "trailing_stop")),
    st.sampled_from(("day", "gtc", "ioc", "fok")),
    _shares,
    _offsets,
    _offsets,
)
_complex = st.tuples(
    st.just("complex"),
    _symbols,
    _sides,
    st.sampled_from(("bracket", "oco", "oto")),
    _shares,
    st.integers(1, 40),
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(-20, 20)),
)
_actions = st.one_of(
    _simple,
    _complex,
    st.tuples(st.just("money"), _symbols, st.integers(1, 40_000)),
    st.tuples(st.just("fraction"), _symbols, st.integers(1, 9_000)),
    st.tuples(st.just("wait"), st.sampled_from((40, 700, 2_400, 9_000, 20_000, 61_000, 400_000))),
    st.tuples(st.just("wait"), st.integers(1, 90_000)),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("jump"), _symbols, st.integers(-20, 20), st.integers(0, 3)),
    st.tuples(st.just("halves"), st.integers(1, 2)),
    st.tuples(st.just("cut")),
)
_programs = st.lists(_actions, min_size=4, max_size=24)


def _cents(price: Decimal, offset: int) -> Decimal:
    return max(price.quantize(CENT) + offset * CENT, CENT)


def _order(floor: Floor, action: Action, name: str) -> Any:
    _, place, side, kind, force, shares, stop, limit = action
    symbol = floor.symbol(place)
    price = floor.price(symbol)
    fields: dict[str, Any] = {"type": kind, "qty": Decimal(shares), "time_in_force": force}
    if kind in ("limit", "stop_limit"):
        fields["limit_price"] = _cents(price, limit)
    if kind in ("stop", "stop_limit"):
        fields["stop_price"] = _cents(price, stop)
    if kind == "trailing_stop":
        fields["trail_price"] = (abs(stop) + 1) * CENT
    return floor.submit(blank_order(symbol, side, name, **fields))


def _complex_order(floor: Floor, action: Action, name: str) -> Any:
    _, place, side, kind, shares, profit, loss, limit = action
    symbol = floor.symbol(place)
    price, sign = floor.price(symbol), 1 if (side == "buy") != (kind == "oco") else -1
    fields: dict[str, Any] = {
        "qty": Decimal(shares),
        "order_class": kind,
        "take_profit_limit": _cents(price, sign * (profit + 1)),
        "stop_loss_stop": _cents(price, -sign * (loss + 1)),
        "type": "limit" if kind == "oco" else "market",
    }
    if kind == "oto":
        fields["take_profit_limit"] = None
    if limit is not None and kind != "oco":
        fields |= {"type": "limit", "limit_price": _cents(price, limit)}
    return floor.submit(blank_order(symbol, side, name, **fields))


def act(floor: Floor, action: Action, name: str, *, cuts: bool = True) -> None:
    kind = action[0]
    if kind == "order":
        _order(floor, action, name)
    elif kind == "complex":
        _complex_order(floor, action, name)
    elif kind in ("money", "fraction"):
        symbol = floor.symbol(action[1])
        amount = {"qty": None, "notional": Decimal(action[2])} if kind == "money" else {"qty": Decimal(action[2]) / 7}
        if kind == "fraction":
            amount["qty"] = (Decimal(action[2]) / 7).quantize(Decimal("0.000000001"))
        floor.submit(blank_order(symbol, "buy", name, **amount))
    elif kind == "wait":
        floor.advance(action[1])
    elif kind == "cancel" and floor.exchange.open:
        orders = list(floor.exchange.open.values())
        floor.exchange.cancel(orders[action[1] % len(orders)], floor.now)
        floor.exchange.commit()
    elif kind == "jump":
        symbol = floor.symbol(action[1])
        floor.market.add(disturbance(floor.view, symbol, action[2], action[3], floor.now))
    elif kind == "halves" and cuts:
        floor.faults.partial_fills = action[1]
    elif kind == "cut" and cuts:
        floor.cut()


def run(floor: Floor, program: list[Action], *, cuts: bool = True) -> None:
    floor.advance(1)
    for place, action in enumerate(program):
        act(floor, action, f"order-{place}", cuts=cuts)
    floor.advance(130_000)


laws = configure(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _by_order(fills: list[Fill]) -> dict[str, list[Fill]]:
    found: dict[str, list[Fill]] = defaultdict(list)
    for fill in fills:
        found[fill.order_id].append(fill)
    return found


def _check_amounts(floor: Floor) -> None:
    by_order = _by_order(floor.fills)
    for order in floor.exchange.orders.values():
        fills = by_order.get(order.id, [])
        assert sum((fill.qty for fill in fills), ZERO) == order.filled_qty
        assert sum((fill.qty * fill.price for fill in fills), ZERO) == order.filled_cost
        assert order.qty is None or order.filled_qty <= order.qty
        assert (order.status == "filled") == (order.qty is not None and order.filled_qty == order.qty)
        if order.notional is not None:
            assert order.filled_cost <= order.notional
        if order.time_in_force in ("ioc", "fok") and fills:
            assert len({fill.time_ms for fill in fills}) == 1
        if order.time_in_force == "fok":
            assert order.filled_qty in (ZERO, order.qty)


def _check_books(floor: Floor) -> None:
    cash, shares = CASH, defaultdict[str, Decimal](Decimal)
    for fill in floor.fills:
        signed = fill.qty if fill.side == "buy" else -fill.qty
        cash -= signed * fill.price + fill.fee
        shares[fill.symbol] += signed
    assert floor.account.cash == cash
    positions = floor.account.positions
    assert {name: held.qty for name, held in positions.items()} == {name: qty for name, qty in shares.items() if qty}


def _check_prices(floor: Floor) -> None:
    for fill in floor.fills:
        quote = floor.view.quote(fill.symbol, fill.time_ms)
        order = floor.exchange.orders[fill.order_id]
        assert quote is not None
        if fill.side == "buy":
            assert fill.price >= dollars(quote.ask)
        else:
            assert fill.price <= dollars(quote.bid)
        if order.type in ("limit", "stop_limit") and order.limit_price is not None:
            assert fill.price <= order.limit_price if fill.side == "buy" else fill.price >= order.limit_price
        assert fill.time_ms >= order.submitted_ms + (0 if order.role not in (None, "entry") else floor.latency_ms // 2)


def _check_volumes(floor: Floor) -> None:
    used: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for fill in floor.fills:
        used[(fill.symbol, fill.time_ms // THIRD_MS)] += fill.qty
    for (symbol, third), qty in used.items():
        bars = floor.view.bars(third * THIRD_MS)
        minute = (third * THIRD_MS - bars.open_ms) // MINUTE_MS
        volume = int(bars.volume[floor.view.market.index[symbol], minute])
        assert qty <= max(MIN_CAPACITY, volume * PARTICIPATION / 3)


def _check_times(floor: Floor) -> None:
    times = [fill.time_ms for fill in floor.fills]
    assert times == sorted(times)
    assert [fill.sequence for fill in floor.fills] == list(range(1, len(times) + 1))


def _groups(floor: Floor) -> dict[str, list[Order]]:
    found: dict[str, list[Order]] = defaultdict(list)
    for order in floor.exchange.orders.values():
        if order.group is not None:
            found[order.group].append(order)
    return found


def _check_groups(floor: Floor) -> None:
    first = {name: min(fill.time_ms for fill in fills) for name, fills in _by_order(floor.fills).items()}
    for orders in _groups(floor).values():
        closing = [order for order in orders if order.role != "entry"]
        entry = next((order for order in orders if order.role == "entry"), None)
        assert sum(order.status == "filled" for order in closing) <= 1
        closed = sum((order.filled_qty for order in closing), ZERO)
        if entry is None:
            assert closed <= max(order.qty or ZERO for order in closing) + ZERO
            continue
        assert closed <= entry.filled_qty
        for leg in closing:
            assert leg.id not in first or first[leg.id] >= first[entry.id]


@laws
@given(seed=st.sampled_from((7, 11)), latency=st.sampled_from((0, 20, 900)), program=_programs)
def test_no_program_of_orders_steps_and_cuts_breaks_a_law(seed: int, latency: int, program: list[Action]) -> None:
    with open_floor(seed, latency) as floor:
        run(floor, program)
        for check in (
            _check_amounts,
            _check_books,
            _check_prices,
            _check_volumes,
            _check_times,
            _check_groups,
        ):
            check(floor)


@laws
@given(program=_programs, cut=st.integers(0, 30))
def test_what_a_kill_interrupted_happens_again_as_it_would_have(program: list[Action], cut: int) -> None:
    with open_floor() as whole, open_floor() as killed:
        for floor in (whole, killed):
            floor.advance(1)
        for place, action in enumerate(program):
            act(whole, action, f"order-{place}", cuts=False)
            act(killed, action, f"order-{place}", cuts=False)
            if place == cut % len(program):
                killed.cut()
        for floor in (whole, killed):
            floor.advance(130_000)
        assert _story(whole) == _story(killed)
        assert whole.account.cash == killed.account.cash


def _story(floor: Floor) -> list[tuple[Any, ...]]:
    """The fills without the ids that are drawn by lot."""
    orders = floor.exchange.orders
    return [
        (orders[fill.order_id].sequence, fill.symbol, fill.side, fill.qty, fill.price, fill.time_ms, fill.leaves)
        for fill in floor.fills
    ]


@laws
@given(program=_programs)
def test_events_are_told_once_in_the_order_of_time_and_every_fill_has_one(program: list[Action]) -> None:
    with open_floor() as floor:
        run(floor, [action for action in program if action[0] != "cut"])
        told = [event.fill.execution_id for event in floor.events if event.fill is not None]
        assert told == [fill.execution_id for fill in floor.fills]
        last = {event.order.id: event.kind for event in floor.events}
        for order in floor.exchange.orders.values():
            if not order.is_open:
                assert last[order.id] == ("fill" if order.status == "filled" else order.status)


@pytest.mark.parametrize("seed", [7, 11])
def test_the_laws_hold_for_orders_that_do_trade(seed: int) -> None:
    """So that the laws above are known to be asked of many fills."""
    with open_floor(seed) as floor:
        floor.advance(1)
        for turn in range(40):
            side = "buy" if turn % 3 else "sell"
            act(floor, ("order", turn % 4, side, "market", "day", 700, 0, 0), f"m{turn}")
            act(floor, ("order", (turn + 1) % 4, side, "limit", "gtc", 300, 0, turn % 9 - 4), f"l{turn}")
            floor.advance(13_000)
        assert len(floor.fills) > 60
        for check in (_check_amounts, _check_books, _check_prices, _check_volumes, _check_times):
            check(floor)
