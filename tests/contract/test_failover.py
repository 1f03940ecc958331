"""Two venues as one broker: the first dies, entries go to the second, nothing is sent twice, nothing is forgotten."""

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.broker.failover import FailoverBroker
from tbot_bot.broker.health import Patience
from tbot_bot.broker.routes import PRIMARY, SECONDARY, RouteLog
from tbot_bot.domain.errors import BrokerDenied, BrokerError, BrokerUnavailable, OrderFateUnknown, OrderRefused
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderStatus, OrderType, Purpose, Side
from tools.counterparts.rigs import FIRST, AlpacaRig, Rig

DAWN = datetime(2026, 1, 5, tzinfo=UTC)
TAG = "FAILOVER_ACTIVE"
AT_ONCE = Patience(failures=2, down_after_s=0.0, up_after_s=0.0)
ONE, TWO = "FAILONE", "FAILTWO"
SYMBOLS = [Symbol(name) for name in ("SPY", "SH", "PSQ")]


class Pair:
    """Two venues, and the broker that they make."""

    def __init__(self, first: Rig, second: Rig, folder: Path) -> None:
        self.first, self.second = first, second
        self.folder = folder
        self.switches: list[bool] = []
        self.account = f"{random.getrandbits(40):X}"
        self.broker = self.open()

    def open(self) -> FailoverBroker:
        made = FailoverBroker(
            self.first.broker(ONE + self.account),
            self.second.broker(TWO + self.account),
            RouteLog(self.folder / f"routes-{self.account}.jsonl"),
            TAG,
            lambda up, words: self.switches.append(up),
            AT_ONCE,
        )
        made.connect()
        return made

    def fail_first(self) -> None:
        """From now on the first broker does not answer; until that is noticed."""
        self.first.fault(http_status=503, http_count=100_000)
        for _ in range(3):
            with suppress(BrokerUnavailable):
                self.broker.get_positions()
            if not self.broker.on_primary:
                return
        pytest.fail("the loss was not noticed")

    def heal_first(self) -> None:
        self.first.clear()
        self.broker.get_positions()
        self.broker.get_positions()
        assert self.broker.on_primary

    def sent(self, rig: Rig, key: str) -> list[Any]:
        return list(rig.truth(key + self.account)["orders"])


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Rig]]:
    made = (AlpacaRig(tmp_path_factory.mktemp("one")), AlpacaRig(tmp_path_factory.mktemp("two")))
    for rig in made:
        rig.retries = 0
        rig.start()
        rig.run_from(FIRST)
    yield made
    for rig in made:
        rig.close()


@pytest.fixture
def pair(rigs: tuple[Rig, Rig], tmp_path: Path) -> Iterator[Pair]:
    for rig in rigs:
        rig.clear()
        rig.keep_open()
    made = Pair(*rigs, tmp_path)
    yield made
    made.broker.close()
    for rig in rigs:
        rig.clear()


def test_entries_go_to_the_second_while_the_first_is_down_and_back_afterwards(
    pair: Pair, intent: Any, filled: Any
) -> None:
    before, during, after = (intent(symbol) for symbol in SYMBOLS)
    pair.broker.submit_order(before)
    filled(pair.broker, before)
    pair.broker.get_positions()
    pair.fail_first()
    pair.broker.submit_order(during)
    filled(pair.broker, during)
    assert {p.symbol for p in pair.broker.get_positions()} == {before.symbol, during.symbol}
    pair.heal_first()
    pair.broker.submit_order(after)
    filled(pair.broker, after)
    assert pair.switches == [False, True]
    assert [o["client_order_id"] for o in pair.sent(pair.first, ONE)] == [before.client_id, after.client_id]
    assert [o["client_order_id"] for o in pair.sent(pair.second, TWO)] == [during.client_id]
    fills = pair.broker.executions_since(DAWN)
    assert {f.client_id for f in fills} == {before.client_id, during.client_id, after.client_id}
    tagged = {f.client_id for f in fills if f.broker_order_id.startswith(f"{TAG}:")}
    assert tagged == {during.client_id}


def test_exits_stay_with_the_broker_that_holds_the_position(pair: Pair, intent: Any, filled: Any, wait: Any) -> None:
    here, there = intent(SYMBOLS[0]), intent(SYMBOLS[1])
    pair.broker.submit_order(here)
    filled(pair.broker, here)
    pair.broker.get_positions()
    pair.fail_first()
    pair.broker.submit_order(there)
    filled(pair.broker, there)
    leave = intent(here.symbol, side=Side.SELL, purpose=Purpose.EXIT, trade_id=here.client_id)
    with pytest.raises((OrderFateUnknown, OrderRefused)):
        pair.broker.submit_order(leave)
    assert [o["side"] for o in pair.sent(pair.second, TWO)] == ["buy"]
    out = intent(there.symbol, side=Side.SELL, purpose=Purpose.EXIT, trade_id=there.client_id)
    pair.broker.submit_order(out)
    filled(pair.broker, out)
    pair.heal_first()
    again = intent(here.symbol, side=Side.SELL, purpose=Purpose.EXIT, trade_id=here.client_id)
    pair.broker.submit_order(again)
    filled(pair.broker, again)
    wait(lambda: pair.broker.get_positions() == (), what="flat at both")


def test_an_order_of_unknown_fate_is_never_sent_elsewhere(pair: Pair, intent: Any, filled: Any) -> None:
    order = intent(SYMBOLS[0])
    pair.first.fault(cut="after", cut_count=1, cut_method="POST")
    with pytest.raises(OrderFateUnknown):
        pair.broker.submit_order(order)
    pair.fail_first()
    with pytest.raises((OrderFateUnknown, BrokerUnavailable)):
        pair.broker.submit_order(order)
    with pytest.raises(OrderRefused, match="unknown fate"):
        pair.broker.submit_order(intent(order.symbol))
    assert pair.sent(pair.second, TWO) == []
    pair.heal_first()
    assert filled(pair.broker, order).filled_quantity == 5
    assert len(pair.sent(pair.first, ONE)) == 1


def test_no_entry_in_what_the_lost_broker_may_hold(pair: Pair, intent: Any, filled: Any) -> None:
    order = intent(SYMBOLS[0])
    pair.broker.submit_order(order)
    filled(pair.broker, order)
    pair.broker.get_positions()
    pair.fail_first()
    with pytest.raises(OrderRefused, match="may hold"):
        pair.broker.submit_order(intent(order.symbol))


def test_a_switch_is_no_gain_and_money_is_counted_once(pair: Pair, intent: Any) -> None:
    before = pair.broker.get_account_info()
    assert (before.equity, before.buying_power) == (200_000, 200_000)
    pair.fail_first()
    during = pair.broker.get_account_info()
    assert (during.equity, during.buying_power) == (before.equity, 200_000)
    assert during.account_id == before.account_id


def test_a_process_that_comes_after_knows_every_route(pair: Pair, intent: Any, filled: Any) -> None:
    order = intent(SYMBOLS[0], type=OrderType.LIMIT, limit_price=Decimal("5.00"))
    pair.fail_first()
    pair.broker.submit_order(order)
    pair.first.clear()
    pair.broker.close()
    pair.broker = pair.open()
    assert pair.broker.get_order(order.client_id).status is OrderStatus.ACCEPTED  # type: ignore[union-attr]
    assert [o.client_id for o in pair.broker.open_orders()] == [order.client_id]
    assert pair.broker.submit_order(order).client_id == order.client_id
    pair.broker.cancel_order(order.client_id)
    assert pair.sent(pair.first, ONE) == []
    assert len(pair.sent(pair.second, TWO)) == 1


def test_without_an_answer_from_both_nothing_is_opened(pair: Pair) -> None:
    pair.second.fault(http_status=503, http_count=1000)
    with pytest.raises(BrokerUnavailable, match="secondary broker"):
        pair.open()


def test_routes_outlive_a_torn_line(tmp_path: Path) -> None:
    file = tmp_path / "routes.jsonl"
    log = RouteLog(file)
    assert log.choose(ClientOrderId("a"), SECONDARY) == SECONDARY
    log.close()
    with file.open("ab") as torn:
        torn.write(b'{"id": "b", "rou')
    log = RouteLog(file)
    assert log.choose(ClientOrderId("a"), PRIMARY) == SECONDARY
    assert log.of(ClientOrderId("b")) is None
    log.close()


@pytest.mark.parametrize("seed", range(6))
def test_random_outages_and_orders_send_each_id_to_one_broker(pair: Pair, intent: Any, seed: int) -> None:
    dice = random.Random(seed)
    orders: list[Any] = []
    for _ in range(40):
        act = dice.choice(("order", "order", "again", "outage", "heal", "cut", "restart", "look"))
        try:
            if act == "order":
                orders.append(intent(dice.choice(SYMBOLS), quantity=Decimal(1)))
                pair.broker.submit_order(orders[-1])
            elif act == "again" and orders:
                pair.broker.submit_order(dice.choice(orders))
            elif act == "outage":
                pair.first.fault(http_status=dice.choice((500, 503, 504)), http_count=dice.choice((2, 8, 1000)))
            elif act == "heal":
                pair.first.clear()
            elif act == "cut":
                pair.first.fault(cut=dice.choice(("before", "after")), cut_count=1, cut_method="POST")
            elif act == "restart":
                pair.broker.close()
                pair.first.clear()
                pair.broker = pair.open()
            else:
                pair.broker.get_positions()
        except BrokerError:
            continue
    pair.first.clear()
    sent = [o["client_order_id"] for rig, key in ((pair.first, ONE), (pair.second, TWO)) for o in pair.sent(rig, key)]
    assert len(sent) == len(set(sent))
    assert set(sent) <= {order.client_id for order in orders}


def test_one_account_twice_is_refused(pair: Pair) -> None:
    same = FailoverBroker(
        pair.first.broker(ONE + pair.account),
        pair.first.broker(ONE + pair.account),
        RouteLog(pair.folder / "same.jsonl"),
        TAG,
        lambda up, words: None,
    )
    with pytest.raises(BrokerDenied, match="second account"):
        same.connect()
    same.close()
