"""Two brokers behind one face: what goes where, and that nothing goes to both."""

import random
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from tbot_bot.broker.failover import FailoverBroker
from tbot_bot.broker.gateway import BrokerConnection
from tbot_bot.broker.health import Health, Patience
from tbot_bot.broker.merged import common
from tbot_bot.broker.routes import PRIMARY, SECONDARY, RouteLog
from tbot_bot.domain.errors import BrokerError, BrokerUnavailable, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderIntent, OrderReport, OrderStatus, Purpose, Side
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.ports.broker import StreamHandlers
from tests.unit.runtime.fakes import AT, FakeBroker, execution, intent

PATIENCE = Patience(2, 1.0, 5.0)


class Exchange(FakeBroker):
    """Fills market orders at once; `down`: nothing is answered, `deaf`: orders are taken and not answered."""

    def __init__(self, account: str) -> None:
        super().__init__()
        self.account = account
        self.orders: dict[ClientOrderId, OrderReport] = {}
        self.fills: tuple[Execution, ...] = ()
        self.deaf = False
        self.heard: StreamHandlers | None = None

    def submit_order(self, order: OrderIntent) -> OrderReport:
        if self.down:
            raise OrderFateUnknown(order.client_id)
        if order.client_id not in self.orders:
            self.sent.append(order)
            shares = Decimal(order.quantity or 0)
            told = OrderReport(
                order.client_id, "1", order.symbol, order.side, OrderStatus.FILLED, shares, Decimal(20), AT, shares
            )
            self.orders[order.client_id] = told
            signed = shares if order.side is Side.BUY else -shares
            before = next((p.quantity for p in self.held if p.symbol == order.symbol), Decimal(0))
            others = tuple(p for p in self.held if p.symbol != order.symbol)
            now = Position(order.symbol, before + signed, Decimal(20))
            self.held = (*others, now) if now.quantity else others
        if self.deaf:
            raise OrderFateUnknown(order.client_id)
        return self.orders[order.client_id]

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        self._check()
        return self.orders.get(client_id)

    def cancel_order(self, client_id: ClientOrderId) -> None:
        self._check()
        self.cancelled.append(client_id)

    def get_account_info(self) -> Account:
        return replace(super().get_account_info(), account_id=self.account)

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        self._check()
        return tuple(each for each in self.fills if each.at >= since)

    def start(self, handlers: StreamHandlers) -> None:
        self.heard = handlers

    def stop(self) -> None: ...
    def close(self) -> None: ...


class Pair:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "routes.jsonl"
        self.one, self.two = Exchange("A1"), Exchange("B2")
        self.seconds = 0.0
        self.switches: list[bool] = []
        self.broker = self.open()

    def open(self) -> FailoverBroker:
        one, two = cast("BrokerConnection", self.one), cast("BrokerConnection", self.two)
        tell = lambda up, words: self.switches.append(up)  # noqa: E731 - one line of a test's wiring
        return FailoverBroker(one, two, RouteLog(self.path), "TAG", tell, PATIENCE, lambda: self.seconds)

    def look(self, times: int = 3) -> None:
        """The bot's own questions, a second apart."""
        for _ in range(times):
            self.seconds += 1
            try:
                self.broker.get_positions()
            except BrokerUnavailable:
                continue

    def lose(self) -> None:
        self.one.down = True
        self.look()
        assert not self.broker.on_primary


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path)
    made.broker.connect()
    return made


def exit_of(name: str, trade: str, symbol: str = "XYZ") -> OrderIntent:
    return replace(intent(name, Side.SELL, symbol), purpose=Purpose.EXIT, trade_id=ClientOrderId(trade))


def test_entries_go_to_the_primary_while_it_answers(pair: Pair) -> None:
    pair.broker.submit_order(intent("a"))
    assert ([o.client_id for o in pair.one.sent], pair.two.sent) == (["a"], [])


def test_entries_go_to_the_secondary_once_the_primary_is_down_and_are_tagged(pair: Pair) -> None:
    pair.lose()
    told = pair.broker.submit_order(intent("a"))
    assert ([o.client_id for o in pair.two.sent], pair.one.sent) == (["a"], [])
    assert told.client_id == "a"
    assert pair.switches == [False]


def test_one_failure_or_a_refusal_is_no_outage(pair: Pair) -> None:
    pair.one.down = True
    with pytest.raises(BrokerUnavailable):
        pair.broker.get_positions()
    pair.one.down = False
    pair.look()
    pair.one.submit_error = OrderRefused("a", "no")
    pair.seconds += 100
    assert pair.broker.on_primary


def test_an_exit_stays_with_the_broker_that_took_the_entry(pair: Pair) -> None:
    pair.broker.submit_order(intent("a"))
    pair.look()
    pair.lose()
    with pytest.raises(OrderFateUnknown):
        pair.broker.submit_order(exit_of("b", "a"))
    assert pair.two.sent == []
    pair.one.down = False
    pair.broker.submit_order(exit_of("b", "a"))
    assert [o.client_id for o in pair.one.sent] == ["a", "b"]
    assert pair.one.held == ()


def use_both(pair: Pair) -> None:
    """Something went to the secondary, which is asked from then on; the primary is back."""
    pair.lose()
    pair.broker.submit_order(intent("z", symbol="ZZZ"))
    pair.one.down = False
    pair.look(8)
    assert pair.broker.on_primary


def test_a_symbol_entered_at_the_secondary_is_not_entered_at_the_primary_too(pair: Pair) -> None:
    use_both(pair)
    with pytest.raises(OrderRefused, match="other broker may hold"):
        pair.broker.submit_order(intent("y", symbol="ZZZ"))
    assert pair.one.sent == []


def test_an_exit_without_a_known_entry_goes_to_the_holder(pair: Pair) -> None:
    use_both(pair)
    pair.two.held = (Position(Symbol("XYZ"), Decimal(10), Decimal(20)),)
    pair.look()
    pair.broker.submit_order(exit_of("b", "unheard-of"))
    assert [o.client_id for o in pair.two.sent] == ["z", "b"]


def test_an_exit_is_refused_when_both_hold_the_symbol(pair: Pair) -> None:
    use_both(pair)
    pair.one.held = pair.two.held = (Position(Symbol("XYZ"), Decimal(10), Decimal(20)),)
    pair.look()
    with pytest.raises(OrderRefused, match="both brokers hold"):
        pair.broker.submit_order(exit_of("b", "unheard-of"))


def test_an_order_of_unknown_fate_and_its_symbol_go_nowhere_else(pair: Pair) -> None:
    pair.one.deaf = True
    with pytest.raises(OrderFateUnknown):
        pair.broker.submit_order(intent("a"))
    pair.lose()
    with pytest.raises(OrderFateUnknown):
        pair.broker.submit_order(intent("a"))
    with pytest.raises(OrderRefused, match="may hold"):
        pair.broker.submit_order(intent("b"))
    assert pair.two.sent == []
    with pytest.raises(BrokerUnavailable, match="just before"):
        pair.broker.get_positions()
    pair.broker.submit_order(intent("c", symbol="OTHER"))
    assert [o.client_id for o in pair.two.sent] == ["c"]


def test_a_symbol_that_the_primary_held_overnight_is_not_entered_elsewhere(pair: Pair) -> None:
    pair.one.held = (Position(Symbol("XYZ"), Decimal(10), Decimal(20)),)
    pair.look()
    pair.lose()
    with pytest.raises(OrderRefused, match="may hold"):
        pair.broker.submit_order(intent("a"))


def test_a_lost_brokers_positions_are_what_was_last_seen_and_never_none(pair: Pair) -> None:
    pair.broker.submit_order(intent("a"))
    pair.look()
    pair.lose()
    assert [(p.symbol, p.quantity) for p in pair.broker.get_positions()] == [("XYZ", Decimal(10))]


def test_equity_is_of_both_and_buying_power_of_the_one_that_takes_entries(pair: Pair) -> None:
    told = pair.broker.get_account_info()
    assert (told.account_id, told.equity, told.buying_power) == ("A1", Decimal(200_000), Decimal(200_000))


def test_it_goes_back_only_after_the_primary_was_well_for_a_while(pair: Pair) -> None:
    pair.lose()
    pair.one.down = False
    pair.look(3)
    assert not pair.broker.on_primary
    pair.look(4)
    assert pair.switches == [False, True]


def test_executions_missed_during_an_outage_are_told_after_it_and_ids_never_clash(pair: Pair) -> None:
    use_both(pair)
    pair.one.fills = pair.two.fills = (execution(1, "a", 5),)
    assert [e.execution_id for e in pair.broker.executions_since(AT)] == ["x1", "2-x1"]
    pair.lose()
    assert [e.execution_id for e in pair.broker.executions_since(AT)] == ["2-x1"]
    pair.one.down = False
    later = AT.replace(hour=20)
    assert [e.execution_id for e in pair.broker.executions_since(later)] == ["x1"]
    assert pair.broker.executions_since(later) == ()


def test_cancels_follow_the_order(pair: Pair) -> None:
    pair.lose()
    pair.broker.submit_order(intent("a"))
    pair.one.down = False
    pair.broker.cancel_order(ClientOrderId("a"))
    assert (pair.one.cancelled, pair.two.cancelled) == ([], ["a"])


def test_a_route_that_cannot_be_written_means_that_nothing_is_sent(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RouteLog, "choose", full)
    with pytest.raises(OrderRefused, match="No space"):
        pair.broker.submit_order(intent("a"))
    assert pair.one.sent == pair.two.sent == []


def test_capabilities_are_what_both_can_do() -> None:
    rich = FakeBroker.capabilities
    poor = replace(
        rich, fractional=False, share_step=Decimal(1), bar_symbols=30, price_steps=((Decimal(0), Decimal("0.05")),)
    )
    both = common(rich, poor)
    assert (both.fractional, both.share_step, both.bar_symbols) == (False, Decimal(1), 30)
    assert both.price_step(Decimal(20)) == Decimal("0.05")
    assert common(rich, rich) == rich


def test_health_needs_failures_over_time() -> None:
    seconds = 0.0
    health = Health(Patience(3, 10, 60), lambda up, words: None, lambda: seconds)
    for _ in range(9):
        health.failed("silent")
    assert health.up
    seconds = 10
    health.failed("silent")
    assert not health.up


@pytest.mark.parametrize("seed", range(40))
def test_whatever_fails_and_dies_each_id_reaches_one_broker_and_each_symbol_too(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    pair = Pair(tmp_path)
    pair.broker.connect()
    entries: list[OrderIntent] = []
    for step in range(60):
        pair.one.down, pair.two.down = dice.random() < 0.4, dice.random() < 0.15
        pair.one.deaf, pair.two.deaf = dice.random() < 0.2, dice.random() < 0.2
        pair.look(dice.randrange(4))
        act = dice.random()
        if act < 0.1:
            pair.broker.close()
            pair.broker = pair.open()
        elif act < 0.6 or not entries:
            entries.append(intent(f"e{step}", symbol=f"S{dice.randrange(8)}"))
            _try(pair, entries[-1])
        elif act < 0.75:
            _try(pair, dice.choice(entries))
        else:
            entry = dice.choice(entries)
            _try(pair, exit_of(f"x-{entry.client_id}", entry.client_id, entry.symbol))
    one, two = ({o.client_id for o in place.sent} for place in (pair.one, pair.two))
    assert not one & two
    bought = [{o.symbol for o in place.sent} for place in (pair.one, pair.two)]
    assert not bought[0] & bought[1]
    routes = RouteLog(pair.path)
    assert all(routes.of(name) == PRIMARY for name in one)
    assert all(routes.of(name) == SECONDARY for name in two)


def _try(pair: Pair, order: OrderIntent) -> None:
    try:
        pair.broker.submit_order(order)
    except BrokerError:
        return
