"""What is wrong with a finished demo, asked of the files alone: the venue's database, the journal, the ledger, the
audit log and the state file. Nothing of tbot's own judgement is taken over; empty = nothing is wrong."""

import itertools
from collections import Counter
from datetime import date
from decimal import Decimal

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.domain.books import BookedFill
from tbot_bot.domain.errors import TbotError
from tbot_bot.domain.orders import FINAL_STATUSES, ClientOrderId, Purpose
from tbot_bot.domain.session import NEXT, BotState
from tbot_bot.paper.book import Fill, Order
from tbot_bot.paper.store import Store
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.runtime.journal import JournalledOrder, read_journal
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile

CENT = Decimal("0.01")


def day_faults(paths: Paths) -> tuple[str, ...]:
    """Every fault, in sentences."""
    venue = Store(paths.paper)
    try:
        orders, fills = tuple(venue.orders()), tuple(venue.fills())
        positions, accounts = tuple(venue.positions()), tuple(venue.accounts())
    finally:
        venue.close()
    journalled = _journal(paths)
    faults = [f"the venue holds {qty} {symbol}" for _, symbol, qty, _ in positions]
    faults += [f"venue order {o.client_order_id} is {o.status}" for o in orders if o.is_open]
    faults += _order_faults(orders, journalled, paths)
    faults += _entry_faults(journalled)
    faults += _ledger_faults(paths, fills, sum((account.cash for account in accounts), Decimal(0)))
    return (*faults, *_audit_faults(paths), *_state_faults(paths))


def _journal(paths: Paths) -> dict[ClientOrderId, JournalledOrder]:
    """All sessions' orders."""
    found: dict[ClientOrderId, JournalledOrder] = {}
    for path in sorted((paths.output / "journal").glob("*.jsonl")):
        found.update(read_journal(paths, date.fromisoformat(path.stem)).orders)
    return found


def _order_faults(
    orders: tuple[Order, ...], journalled: dict[ClientOrderId, JournalledOrder], paths: Paths
) -> list[str]:
    """Each intent is at most one order at the venue and each order has its intent; both say the same in the end."""
    sent = Counter(order.client_order_id for order in orders if order.is_entry)
    faults = [f"client id {name} was used {times} times at the venue" for name, times in sent.items() if times > 1]
    faults += [f"venue order {name} has no intent in the journal" for name in sent if name not in journalled]
    at_venue = {order.client_order_id: order for order in orders}
    for name, ours in journalled.items():
        report, order = ours.report, at_venue.get(name)
        if report is None or report.status not in FINAL_STATUSES:
            faults.append(f"order {name} ended as {report.status if report else 'intended'} in the journal")
        elif (order.filled_qty if order else Decimal(0)) != report.filled_quantity:
            faults.append(f"order {name}: the journal says {report.filled_quantity} filled, the venue otherwise")
    intents = Counter(
        str(row["intent"]["client_id"])
        for path in (paths.output / "journal").glob("*.jsonl")
        for row in read_lines(path)
        if row.get("kind") == "intent"
    )
    return faults + [f"order {name} was meant {times} times" for name, times in intents.items() if times > 1]


def _entry_faults(journalled: dict[ClientOrderId, JournalledOrder]) -> list[str]:
    """A bot that forgot what it did enters a second time; one strategy enters a symbol once a day."""
    entered = Counter(
        (order.intent.strategy, order.intent.symbol, order.intent.created_at.date())
        for order in journalled.values()
        if order.intent.purpose is Purpose.ENTRY and order.report is not None and order.report.filled_quantity > 0
    )
    return [f"{strategy} entered {symbol} {n} times" for (strategy, symbol, _), n in entered.items() if n > 1]


def _ledger_faults(paths: Paths, fills: tuple[Fill, ...], cash: Decimal) -> list[str]:
    """The ledger's fills are the venue's, each once, with the same figures; it balances and agrees on the cash."""
    try:
        ledger = LedgerStore(paths.ledger_db)
    except TbotError as error:
        return [str(error)]
    try:
        booked: list[BookedFill] = []
        for path in sorted((paths.output / "journal").glob("*.jsonl")):
            booked += ledger.fills(date.fromisoformat(path.stem))
        balance = ledger.trial_balance()
        faults = list(ledger.verify())
        if abs(ledger.cash() - cash) > CENT:
            faults.append(f"the ledger has {ledger.cash()} in cash, the venue {cash}")
    finally:
        ledger.close()
    if sum(debit for debit, _ in balance.values()) != sum(credit for _, credit in balance.values()):
        faults.append("debits and credits differ")
    ours = Counter(_figures(f.execution_id, f.symbol, f.side.value, f.quantity, f.price) for f in booked)
    theirs = Counter(_figures(f.execution_id, f.symbol, f.side, f.qty, f.price) for f in fills)
    faults += [f"fill {figures} is not in the ledger" for figures in theirs - ours]
    return faults + [f"fill {figures} is in the ledger but not so at the venue" for figures in ours - theirs]


def _figures(execution_id: str, symbol: str, side: str, quantity: Decimal, price: Decimal) -> tuple[str, ...]:
    """A fill as comparable text; Alpaca's activity ids carry the execution id behind a time."""
    return execution_id.rpartition("::")[2], symbol, side, *(format(v.normalize(), "f") for v in (quantity, price))


def _audit_faults(paths: Paths) -> tuple[str, ...]:
    try:
        found = verify(paths)
    except TbotError as error:
        return (f"the audit log: {error}",)
    return () if found.problem is None else (f"the audit log after record {found.last}: {found.problem}",)


def _state_faults(paths: Paths) -> list[str]:
    """The state is a word, the log counts on, and each logged move is in the table."""
    try:
        StateFile(paths, SystemClock()).read()
    except TbotError as error:
        return [str(error)]
    rows = read_lines(paths.state_log)
    faults = [
        f"state log: {a['seq']} is followed by {b['seq']}"
        for a, b in itertools.pairwise(rows)
        if b["seq"] != a["seq"] + 1
    ]
    return faults + [
        f"state log: {row['from']} moved to {row['to']}"
        for row in rows
        if row["from"] is not None and BotState(row["to"]) not in NEXT[BotState(row["from"])]
    ]
