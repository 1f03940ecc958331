"""The records that trading leaves: ledger, audit events, secrets, alerts."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from tbot_bot.domain.books import BookedFill, RoundTrip
from tbot_bot.domain.orders import Execution, OrderIntent


class Ledger(Protocol):
    """Double-entry books. A fill is booked once, whoever tells it how often."""

    def book_opening(self, account_id: str, cash: Decimal, at: datetime) -> bool:
        """Opening balance, once per account; False when it is there already."""
        ...

    def book_execution(self, execution: Execution, intent: OrderIntent | None) -> bool:
        """True when this execution id was new. Raises LedgerRefused."""
        ...

    def has_execution(self, execution_id: str) -> bool: ...
    def trial_balance(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """Account name → (debits, credits), USD."""
        ...

    def realised(self, session: date) -> Decimal:
        """Realised P&L of one session after fees, USD."""
        ...

    def fills(self, session: date) -> tuple[BookedFill, ...]:
        """The session's standing fills, by time."""
        ...

    def trades(self, session: date) -> tuple[RoundTrip, ...]:
        """Round trips closed in the session, by the time of their entry."""
        ...


class AuditLog(Protocol):
    """Who did what; raises AuditUnavailable when it cannot be written."""

    def record(self, event: str, actor: str, detail: Mapping[str, Any]) -> None: ...


class Notifier(Protocol):
    """Routine or critical words to the humans; never raises, never blocks for long."""

    def notify(self, level: str, subject: str, text: str) -> None: ...
