"""Random orders under random faults: in the end the adapter sees exactly what the exchange holds."""

import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tbot_bot.domain.errors import BrokerError
from tbot_bot.domain.orders import FINAL_STATUSES, ClientOrderId, OrderChange, OrderType, Purpose, Side
from tools.order_safety.verdict import OPEN, name_of

DAWN = datetime(2026, 1, 5, tzinfo=UTC)
ACTS = ("buy", "buy", "rest", "rest", "stop", "sell", "cancel", "change", "again", "fault", "clear", "restart", "look")
STEPS = 25


class Trading:
    """What a sequence may do next; errors of the broker are part of it."""

    def __init__(self, venue: Any, account: str, names: Any, intent: Any, dice: random.Random) -> None:
        self.venue, self.account, self.dice = venue, account, dice
        self.names = names[:3]
        self.intent = intent
        self.orders: list[Any] = []
        self.broker = venue.broker(account)

    def act(self, what: str) -> None:
        with suppress(BrokerError, StopIteration):
            getattr(self, what)()

    def send(self, symbol: Any, **terms: Any) -> None:
        order = self.intent(symbol, **{"quantity": Decimal(self.dice.randint(1, 9)), **terms})
        self.orders.append(order)
        self.broker.submit_order(order)

    def priced(self, symbol: Any, factor: str) -> Decimal:
        (quote,) = self.broker.quotes([symbol])
        return Decimal((quote.price * Decimal(factor)).quantize(Decimal("0.01")))

    def buy(self) -> None:
        self.send(self.dice.choice(self.names))

    def rest(self) -> None:
        symbol = self.dice.choice(self.names)
        self.send(
            symbol, type=OrderType.LIMIT, limit_price=self.priced(symbol, self.dice.choice(("0.6", "0.99", "1.02")))
        )

    def stop(self) -> None:
        held = self.dice.choice(self.broker.get_positions() or [None])
        if held is not None:
            kind = {"type": OrderType.STOP, "stop_price": self.priced(held.symbol, "0.6")}
            self.send(held.symbol, side=Side.SELL, purpose=Purpose.PROTECT, quantity=Decimal(1), **kind)

    def sell(self) -> None:
        held = self.dice.choice(self.broker.get_positions() or [None])
        if held is not None:
            self.send(held.symbol, side=Side.SELL, purpose=Purpose.EXIT, quantity=Decimal(1))

    def cancel(self) -> None:
        if self.orders:
            self.broker.cancel_order(self.dice.choice(self.orders).client_id)

    def change(self) -> None:
        order = self.dice.choice([o for o in self.orders if o.limit_price is not None] or [None])
        if order is not None:
            name = ClientOrderId(f"{order.client_id}-c{len(self.orders)}")
            self.broker.replace_order(
                order.client_id, OrderChange(name, limit_price=order.limit_price - Decimal("0.10"))
            )

    def again(self) -> None:
        if self.orders:
            self.broker.submit_order(self.dice.choice(self.orders))

    def fault(self) -> None:
        self.venue.fault(**self.venue.faults[self.dice.choice(sorted(self.venue.faults))])

    def clear(self) -> None:
        self.venue.clear()

    def restart(self) -> None:
        self.broker.close()
        self.broker = self.venue.broker(self.account)

    def look(self) -> None:
        self.broker.open_orders()

    def end(self, wait: Any) -> None:
        """Everything final: then sums of fills can be compared at brokers that tell no more."""
        self.venue.clear()
        self.restart()

        def closed() -> bool:
            working = self.broker.open_orders()
            for order in working:
                with suppress(BrokerError):
                    self.broker.cancel_order(order.client_id)
            return not working

        wait(closed, 20, "all orders final")


@pytest.mark.parametrize("seed", range(5))
def test_a_random_sequence_ends_with_one_truth(
    venue: Any, account: str, names: Any, intent: Any, wait: Any, seed: int
) -> None:
    dice = random.Random(f"{venue.name} {seed}")
    trading = Trading(venue, account, names, intent, dice)
    for _ in range(STEPS):
        trading.act(dice.choice(ACTS))
    trading.end(wait)
    truth, broker = venue.truth(account), trading.broker
    sent = Counter(name_of(order) for order in truth["orders"])
    assert [name for name, count in sent.items() if count > 1] == []
    assert not [order for order in truth["orders"] if order["status"] in OPEN]
    told = {position.symbol: position.quantity for position in broker.get_positions()}
    assert told == {name: Decimal(quantity) for name, quantity in truth["positions"].items()}
    assert filled(broker.executions_since(DAWN)) == real(truth["fills"])
    for order in truth["orders"]:
        report = broker.get_order(ClientOrderId(name_of(order)))
        assert report is not None
        assert report.status in FINAL_STATUSES
        assert report.filled_quantity == Decimal(order["filled_qty"])
    broker.close()


def filled(executions: Any) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for each in executions:
        sums[str(each.symbol), each.side.value] += each.quantity
    return sums


def real(fills: Any) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for each in fills:
        sums[each["symbol"], each["side"]] += Decimal(each["qty"])  # type: ignore[assignment]
    return sums
