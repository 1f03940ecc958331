"""What must hold when a small day has ended: the broker's own truth against what the trader believes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tbot_bot.domain.orders import FINAL_STATUSES, Execution, Side
from tbot_bot.runtime.reconciler import status_of
from tools.order_safety.plan import Act, Kind, Orders, attempts

OPEN = frozenset({"pending_new", "accepted", "new", "partially_filled", "held"})


def violations(
    acts: Sequence[Act], orders: Orders, executions: Sequence[Execution], truth: Mapping[str, Any]
) -> list[str]:
    """In words; empty when every order is known, sent once, closed, and every fill is told once."""
    theirs = tuple(truth["orders"])
    return [
        *_duplicates(acts, orders, theirs),
        *_orphans(orders, theirs),
        *_left_over(orders, theirs, truth["positions"]),
        *_fills(orders, executions, truth["fills"]),
    ]


def _duplicates(acts: Sequence[Act], orders: Orders, theirs: Sequence[Mapping[str, Any]]) -> list[str]:
    """One order an id, and no act that was carried out twice."""
    counts = Counter(name_of(order) for order in theirs)
    wrong = [f"duplicate: {count} orders named {name}" for name, count in counts.items() if count > 1]
    filled = Counter[str]()
    for order in theirs:
        filled[name_of(order)] += Decimal(order["filled_qty"])  # type: ignore[assignment]
    for act in acts:
        names = {each.intent.client_id for each in attempts(act, orders)}
        got = sum((Decimal(filled[name]) for name in names), Decimal(0))
        if act.kind in (Kind.BUY, Kind.SELL) and got > act.quantity:
            wrong.append(f"duplicate: {act.kind.value} of {act.symbol} filled {got} of {act.quantity}")
        if act.kind in (Kind.REST, Kind.STOP) and got:
            wrong.append(f"a far order of {act.symbol} filled {got}")
    return wrong


def _orphans(orders: Orders, theirs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Orders at the broker that the journal does not know, or believes dead while they lived."""
    wrong = []
    for order in theirs:
        ours = orders.get(name_of(order))  # type: ignore[call-overload]
        if ours is None:
            wrong.append(f"orphan: the broker has {name_of(order)}, the journal does not")
        elif ours.report is None or ours.report.filled_quantity != Decimal(order["filled_qty"]):
            told = ours.report.filled_quantity if ours.report is not None else None
            wrong.append(f"orphan: {name_of(order)} filled {order['filled_qty']}, the journal says {told}")
    return wrong


def _left_over(orders: Orders, theirs: Sequence[Mapping[str, Any]], positions: Mapping[str, str]) -> list[str]:
    wrong = [f"still open at the broker: {name_of(order)}" for order in theirs if order["status"] in OPEN]
    wrong += [f"still held: {quantity} {symbol}" for symbol, quantity in positions.items()]
    wrong += [f"not final: {name}" for name, order in orders.items() if status_of(order) not in FINAL_STATUSES]
    return wrong


def _fills(orders: Orders, executions: Sequence[Execution], fills: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each fill told once: the ids differ, and sums of shares and money are the exchange's own, by symbol and side."""
    ids = Counter(each.execution_id for each in executions)
    wrong = [f"told twice: execution {name}" for name, count in ids.items() if count > 1]
    told, real = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for each in executions:
        _add(told, str(each.symbol), "buy" if each.side is Side.BUY else "sell", each.quantity, each.price)
    for fill in fills:
        _add(real, fill["symbol"], fill["side"], Decimal(fill["qty"]), Decimal(fill["price"]))
    wrong += [
        f"fills differ in {' '.join(key)}: told {told[key]}, real {real[key]}"
        for key in sorted({*told, *real})
        if abs(Decimal(told[key]) - Decimal(real[key])) > Decimal("0.01")
    ]
    unknown = [each.execution_id for each in executions if each.client_id not in orders]
    return wrong + [f"execution {name} belongs to no order of ours" for name in unknown]


def _add(sums: Counter[tuple[str, str, str]], symbol: str, side: str, quantity: Decimal, price: Decimal) -> None:
    sums[(symbol, side, "shares")] += quantity  # type: ignore[assignment]
    sums[(symbol, side, "dollars")] += quantity * price  # type: ignore[assignment]


def name_of(order: Mapping[str, Any]) -> str:
    """Our id of an order, as the face that took it in keeps it: what follows the last separator."""
    return str(order["client_order_id"]).rpartition("|")[2]
