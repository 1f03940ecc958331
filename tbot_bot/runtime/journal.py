"""The order journal of one session: every intent durable before it is sent, every answer after."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tbot_bot.domain.money import parse_decimal
from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderReport, OrderStatus
from tbot_bot.support.atomic_file import LineLog, read_lines
from tbot_bot.support.codec import from_json, to_json
from tbot_bot.support.path_resolver import Paths


@dataclass(frozen=True, slots=True)
class JournalledOrder:
    """An order of the session: what we wanted, and the last word on it (None: none came yet)."""

    intent: OrderIntent
    report: OrderReport | None = None


@dataclass(frozen=True, slots=True)
class JournalState:
    """What a session's journal says: enough to go on after a crash."""

    opening_equity: Decimal | None = None
    first_opened: datetime | None = None
    tripped: str = ""
    done: bool = False
    account_id: str = ""
    orders: Mapping[ClientOrderId, JournalledOrder] = field(default_factory=dict)


def read_journal(paths: Paths, session: date) -> JournalState:
    """The state that the journal of `session` adds up to; empty when there is none."""
    state = JournalState()
    orders: dict[ClientOrderId, JournalledOrder] = {}
    for row in read_lines(paths.journal(session)):
        state = _apply(state, orders, row)
    return replace(state, orders=orders)


def unfinished_session(paths: Paths) -> date | None:
    """The newest session whose journal was begun and not closed."""
    folder = paths.output / "journal"
    names = sorted(p.stem for p in folder.glob("????-??-??.jsonl")) if folder.is_dir() else []
    if not names:
        return None
    session = date.fromisoformat(names[-1])
    # Asked many times a second: without reading the orders.
    kinds = [row.get("kind") for row in read_lines(paths.journal(session))]
    ends = [kind for kind in kinds if kind in ("day", "done")]
    return None if ends and ends[-1] == "done" else session


def _apply(state: JournalState, orders: dict[ClientOrderId, JournalledOrder], row: dict[str, Any]) -> JournalState:
    kind = row.get("kind")
    if kind == "day":
        account = str(row.get("account", ""))
        if account and state.account_id not in ("", account):
            # Another account's orders and losses are none of this one's.
            state = JournalState()
            orders.clear()
        first = parse_decimal(row["opening_equity"]) if state.opening_equity is None else state.opening_equity
        opened = state.first_opened or datetime.fromisoformat(row["at"])
        return replace(
            state, done=False, opening_equity=first, first_opened=opened, account_id=account or state.account_id
        )
    if kind == "tripped":
        return replace(state, tripped=str(row["why"]))
    if kind == "done":
        return replace(state, done=True)
    if kind == "intent":
        intent = from_json(OrderIntent, row["intent"])
        orders[intent.client_id] = JournalledOrder(intent)
    elif kind == "report":
        report = from_json(OrderReport, row["report"])
        if report.client_id in orders:
            orders[report.client_id] = replace(orders[report.client_id], report=report)
    return state


class Journal:
    """Appends to one session's journal; each line is on disk before the call returns."""

    def __init__(self, paths: Paths, session: date) -> None:
        self._log = LineLog(paths.journal(session))

    def open_day(self, opening_equity: Decimal, at: datetime, account_id: str = "") -> None:
        """Begin, or begin again after a stop or a restart; the session's first equity is what counts.

        Under another account the session begins anew."""
        row = {"kind": "day", "opening_equity": str(opening_equity), "at": at.isoformat(), "account": account_id}
        self._log.append(row)

    def intend(self, intent: OrderIntent) -> None:
        self._log.append({"kind": "intent", "intent": to_json(intent)})

    def report(self, report: OrderReport) -> None:
        self._log.append({"kind": "report", "report": to_json(report)})

    def trip(self, why: str) -> None:
        self._log.append({"kind": "tripped", "why": why})

    def finish(self) -> None:
        self._log.append({"kind": "done"})

    def close(self) -> None:
        self._log.close()


def dead_report(intent: OrderIntent, status: OrderStatus, reason: str, at: Any) -> OrderReport:
    """A report of our own making for an order that never lived (refused, absent) or whose fate is unknown."""
    return OrderReport(
        client_id=intent.client_id,
        broker_id="",
        symbol=intent.symbol,
        side=intent.side,
        status=status,
        filled_quantity=Decimal(0),
        average_price=None,
        at=at,
        quantity=intent.quantity,
        type=intent.type,
        reason=reason,
    )
