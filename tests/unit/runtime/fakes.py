"""A broker at the port: answers from lists that the test fills."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tbot_bot.domain.errors import AuditUnavailable, BrokerUnavailable
from tbot_bot.domain.market import Asset, Bar, BrokerClock, DailyBar, Quote, Symbol
from tbot_bot.domain.orders import (
    ClientOrderId,
    Execution,
    OrderIntent,
    OrderReport,
    OrderStatus,
    Purpose,
    Side,
)
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours, StrategyName
from tbot_bot.ports.broker import Capabilities, StreamHandlers

DAY = date(2026, 1, 5)
AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def intent(name: str, side: Side = Side.BUY, symbol: str = "XYZ", stop: Decimal | None = None) -> OrderIntent:
    return OrderIntent(
        client_id=ClientOrderId(name),
        session=DAY,
        strategy=StrategyName.OPEN,
        symbol=Symbol(symbol),
        side=side,
        purpose=Purpose.ENTRY,
        trade_id=ClientOrderId(name),
        created_at=AT,
        reason="breakout",
        quantity=Decimal(10),
        stop_price=stop,
    )


def report(name: str, status: OrderStatus, filled: int = 0, side: Side = Side.BUY, symbol: str = "XYZ") -> OrderReport:
    price = Decimal(20) if filled else None
    return OrderReport(
        ClientOrderId(name), f"b-{name}", Symbol(symbol), side, status, Decimal(filled), price, AT, Decimal(10)
    )


def execution(number: int, name: str, quantity: int, side: Side = Side.BUY) -> Execution:
    return Execution(
        f"x{number}", f"b-{name}", ClientOrderId(name), Symbol("XYZ"), side, Decimal(quantity), Decimal(20), AT
    )


class FakeBroker:
    """`answers`: what get_order says next, an exception to raise included; the last answer stays."""

    capabilities = Capabilities(True, True, False, False, True, True, True, Decimal(1), Decimal("0.000000001"))

    def __init__(self) -> None:
        self.sent: list[OrderIntent] = []
        self.cancelled: list[ClientOrderId] = []
        self.submit_error: Exception | None = None
        self.answers: list[OrderReport | Exception | None] = [None]
        self.open: tuple[OrderReport, ...] = ()
        self.held: tuple[Position, ...] = ()
        self.down = False
        self.gate = threading.Event()
        self.gate.set()

    def submit_order(self, order: OrderIntent) -> OrderReport:
        self.sent.append(order)
        if self.submit_error is not None:
            raise self.submit_error
        return report(order.client_id, OrderStatus.ACCEPTED)

    def cancel_order(self, client_id: ClientOrderId) -> None:
        self.cancelled.append(client_id)

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        self.gate.wait(5)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open_orders(self) -> tuple[OrderReport, ...]:
        self._check()
        return self.open

    def get_positions(self) -> tuple[Position, ...]:
        self._check()
        return self.held

    def get_account_info(self) -> Account:
        self._check()
        return Account("A", Decimal(100_000), Decimal(100_000), Decimal(200_000), Decimal(100_000))

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        self._check()
        return ()

    def get_clock(self) -> BrokerClock:
        return BrokerClock(AT, True, AT, AT)

    def get_calendar(self, first: date, last: date) -> tuple[SessionHours, ...]:
        return ()

    def get_assets(self) -> tuple[Asset, ...]:
        return ()

    def connect(self) -> None:
        self._check()

    def self_check(self) -> tuple[str, ...]:
        return ()

    def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        self._check()
        return tuple(Quote(s, AT, Decimal(19), Decimal(21)) for s in symbols)

    def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]:
        self._check()
        return ()

    def daily_bars(self, symbols: Sequence[Symbol], first: date, last: date) -> tuple[DailyBar, ...]:
        return ()

    def _check(self) -> None:
        if self.down:
            raise BrokerUnavailable("down")


class LivingBroker(FakeBroker):
    """Remembers orders and positions: market orders fill at once at $20, stops rest until they are cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[ClientOrderId, OrderReport] = {}
        self.shares: dict[Symbol, Decimal] = {}
        self.fills: list[Execution] = []
        self.set_clock(AT)
        self.account_id = "A"
        self.tells_fills = True

    def submit_order(self, order: OrderIntent) -> OrderReport:
        self._check()
        self.sent.append(order)
        resting = order.stop_price is not None
        quantity = order.quantity or Decimal(10)
        said = OrderReport(
            order.client_id,
            f"b-{order.client_id}",
            order.symbol,
            order.side,
            OrderStatus.ACCEPTED if resting else OrderStatus.FILLED,
            Decimal(0) if resting else quantity,
            None if resting else Decimal(20),
            order.created_at,
            quantity,
        )
        self.known[order.client_id] = said
        if not resting:
            self._fill(said)
        return said

    def _fill(self, said: OrderReport) -> None:
        signed = said.filled_quantity * (1 if said.side is Side.BUY else -1)
        self.shares[said.symbol] = self.shares.get(said.symbol, Decimal(0)) + signed
        number = f"x{len(self.fills)}"
        self.fills.append(
            Execution(
                number,
                said.broker_id,
                said.client_id,
                said.symbol,
                said.side,
                said.filled_quantity,
                Decimal(20),
                said.at,
            )
        )

    def cancel_order(self, client_id: ClientOrderId) -> None:
        self._check()
        super().cancel_order(client_id)
        said = self.known.get(client_id)
        if said is not None and said.status is OrderStatus.ACCEPTED:
            self.known[client_id] = replace(said, status=OrderStatus.CANCELLED)

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        self._check()
        return self.known.get(client_id)

    def open_orders(self) -> tuple[OrderReport, ...]:
        self._check()
        return tuple(r for r in self.known.values() if r.status is OrderStatus.ACCEPTED)

    def get_positions(self) -> tuple[Position, ...]:
        self._check()
        return tuple(Position(s, q, Decimal(20)) for s, q in self.shares.items() if q)

    def get_account_info(self) -> Account:
        return replace(super().get_account_info(), account_id=self.account_id)

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        self._check()
        return tuple(self.fills) if self.tells_fills else ()

    def get_clock(self) -> BrokerClock:
        self._check()
        now = self._set_to + timedelta(seconds=time.monotonic() - self._set_at)
        return BrokerClock(now, True, now, now)

    def set_clock(self, now: datetime) -> None:
        """From here it runs as the machine's does."""
        self._set_to, self._set_at = now, time.monotonic()

    def start(self, handlers: StreamHandlers) -> None: ...
    def watch_bars(self, symbols: Sequence[Symbol]) -> None: ...
    def watch_quotes(self, symbols: Sequence[Symbol]) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class Notices:
    """A Notifier and an AuditLog that remember."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.recorded: list[str] = []
        self.unavailable = False

    def notify(self, level: str, subject: str, text: str) -> None:
        self.told.append((subject, text))

    def record(self, event: str, actor: str, detail: Mapping[str, Any]) -> None:
        if self.unavailable:
            raise AuditUnavailable("the inbox is full")
        self.recorded.append(event)
