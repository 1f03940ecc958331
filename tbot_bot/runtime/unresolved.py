"""`unresolved_orders.log`: each order that was refused, each whose fate is unknown, and what became of that."""

from collections.abc import Iterable
from typing import Any

from tbot_bot.domain.orders import ClientOrderId, OrderIntent, OrderReport, OrderStatus
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import LineLog
from tbot_bot.support.codec import to_json
from tbot_bot.support.logs import get_logger, redact
from tbot_bot.support.path_resolver import Paths

log = get_logger("unresolved")


class Unresolved:
    """One line a change: rejected, unknown, resolved. `unknown`: orders that were so before a restart.

    A line that cannot be written is a line of the log instead: no order waits for it."""

    def __init__(self, paths: Paths, clock: Clock, unknown: Iterable[ClientOrderId] = ()) -> None:
        self._path = paths.unresolved_orders
        self._clock = clock
        self._unknown = set(unknown)

    def changed(self, intent: OrderIntent, report: OrderReport, code: str = "") -> None:
        """The last word on an order of ours is `report`; `code`: the broker's, of a refusal."""
        before = intent.client_id in self._unknown
        if report.status is OrderStatus.UNKNOWN:
            self._unknown.add(intent.client_id)
            if not before:
                self._write("unknown", intent, report, code)
        elif before:
            self._unknown.discard(intent.client_id)
            self._write("resolved", intent, report, code)
        elif report.status is OrderStatus.REJECTED:
            self._write("rejected", intent, report, code)

    def _write(self, kind: str, intent: OrderIntent, report: OrderReport, code: str) -> None:
        row: dict[str, Any] = {
            "at": self._clock.now().isoformat(),
            "kind": kind,
            "client_id": intent.client_id,
            "broker_id": report.broker_id,
            "status": report.status.value,
            "filled": str(report.filled_quantity),
            "reason": redact(report.reason),
            "code": code,
            "intent": to_json(intent),
        }
        try:
            lines = LineLog(self._path)
            try:
                lines.append(row)
            finally:
                lines.close()
        except OSError as error:
            fields = {name: row[name] for name in ("kind", "client_id", "reason")} | {"why": str(error)}
            log.error("an unresolved order could not be written down", extra={"fields": fields})
