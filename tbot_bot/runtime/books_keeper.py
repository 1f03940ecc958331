"""Keeps the ledger equal to the broker's fills, each booked once, and knows whether any is still missing."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderIntent, OrderReport
from tbot_bot.ports.books import Ledger
from tbot_bot.support.logs import get_logger

log = get_logger("books")


class BooksKeeper:
    """Books executions against our intents and compares the sum with what the order reports claim."""

    def __init__(self, ledger: Ledger, since: datetime) -> None:
        self._ledger = ledger
        self.since = since
        self._executed: dict[ClientOrderId, Decimal] = {}
        self._seen: set[str] = set()
        self.refused: dict[str, str] = {}
        """Executions that the ledger would not take, and why; they stay missing until someone looks."""

    def book(
        self, executions: tuple[Execution, ...], intents: Mapping[ClientOrderId, OrderIntent]
    ) -> tuple[Execution, ...]:
        """Book what is new; returns the executions that were booked now."""
        fresh = []
        for execution in executions:
            if execution.execution_id in self._seen or execution.execution_id in self.refused:
                continue
            intent = intents.get(execution.client_id) if execution.client_id else None
            try:
                if self._ledger.book_execution(execution, intent):
                    fresh.append(execution)
            except LedgerRefused as error:
                self.refused[execution.execution_id] = str(error)
                log.critical("a fill was not booked", extra={"fields": {"why": str(error)}})
                continue
            self._seen.add(execution.execution_id)
            if intent is not None:
                total = self._executed.get(intent.client_id, Decimal(0)) + execution.quantity
                self._executed[intent.client_id] = total
        return tuple(fresh)

    def missing(self, reports: Mapping[ClientOrderId, OrderReport]) -> dict[ClientOrderId, Decimal]:
        """Shares that reports say were filled and that no execution has told yet, by order."""
        return {
            client_id: report.filled_quantity - self._executed.get(client_id, Decimal(0))
            for client_id, report in reports.items()
            if report.filled_quantity > self._executed.get(client_id, Decimal(0))
        }
