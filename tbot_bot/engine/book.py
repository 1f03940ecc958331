"""Our orders of the day: what was meant, what the broker said last, and nothing that moves backwards."""

from collections import deque
from datetime import date, datetime, timedelta
from decimal import Decimal

from tbot_bot.domain.market import Symbol
from tbot_bot.domain.money import ZERO
from tbot_bot.domain.orders import (
    FINAL_STATUSES,
    NEXT_STATUS,
    ClientOrderId,
    OrderIntent,
    OrderReport,
    OrderStatus,
    Purpose,
    client_order_id,
)
from tbot_bot.domain.session import StrategyName


class LiveOrder:
    """One intent and the broker's merged word on it. `heard_at`: the last word or question; `cancel_at`: cancel
    asked."""

    __slots__ = ("average", "cancel_at", "cancel_since", "filled", "heard_at", "intent", "reason", "status")

    def __init__(self, intent: OrderIntent, now: datetime) -> None:
        self.intent = intent
        self.status = OrderStatus.INTENDED
        self.filled = ZERO
        self.average: Decimal | None = None
        self.heard_at = now
        self.cancel_at: datetime | None = None
        self.cancel_since: datetime | None = None
        self.reason = ""

    @property
    def client_id(self) -> ClientOrderId:
        return self.intent.client_id

    @property
    def final(self) -> bool:
        return self.status in FINAL_STATUSES

    @property
    def dead(self) -> bool:
        """Final without a single share."""
        return self.final and self.filled == 0

    def merge(self, report: OrderReport) -> bool:
        """Take in a report; True when it told something new. Filled quantity never falls, a status only moves forward;
        a bigger fill is believed even after the order was final, because shares are facts."""
        news = False
        if report.filled_quantity > self.filled:
            self.filled = report.filled_quantity
            self.average = report.average_price if report.average_price is not None else self.average
            news = True
        if report.status in NEXT_STATUS[self.status] and report.status is not self.status:
            self.status = report.status
            self.reason = report.reason or self.reason
            news = True
        return news

    def settle(self, status: OrderStatus, reason: str) -> bool:
        """The order turned out not to live (never sent, never known); True when that is news."""
        if self.final:
            return False
        self.status, self.reason = status, reason
        return True


class OrderBook:
    """All orders of ours this session, by client id."""

    def __init__(self, bot_id: str, session: date) -> None:
        self._bot_id = bot_id
        self._session = session
        self._attempts: dict[tuple[StrategyName, Symbol, Purpose], int] = {}
        self._sent: deque[datetime] = deque(maxlen=1000)
        self.orders: dict[ClientOrderId, LiveOrder] = {}

    def next_id(self, strategy: StrategyName, symbol: Symbol, purpose: Purpose) -> ClientOrderId:
        """The id of the next attempt at this act."""
        attempt = self._attempts.get((strategy, symbol, purpose), 0) + 1
        return client_order_id(self._bot_id, self._session, strategy, symbol, purpose, attempt)

    def add(self, intent: OrderIntent, now: datetime) -> LiveOrder:
        """Take in an intent that is about to be sent, or that the journal holds."""
        key = (intent.strategy, intent.symbol, intent.purpose)
        self._attempts[key] = self._attempts.get(key, 0) + 1
        self._sent.append(intent.created_at)
        order = LiveOrder(intent, now)
        self.orders[intent.client_id] = order
        return order

    def sent_since(self, since: datetime) -> int:
        """Orders created at or after `since`."""
        return sum(1 for at in self._sent if at >= since)

    def live(self, symbol: Symbol | None = None) -> list[LiveOrder]:
        """Orders that may still trade, of one symbol or all."""
        return [o for o in self.orders.values() if not o.final and symbol in (None, o.intent.symbol)]

    def quiet(self, now: datetime, limit: timedelta) -> list[LiveOrder]:
        """Live orders of which nothing was heard for `limit`; each is then counted as asked."""
        found = [order for order in self.live() if now - order.heard_at >= limit]
        for order in found:
            order.heard_at = now
        return found

    def symbols(self) -> set[Symbol]:
        """Every symbol that an order of ours named today."""
        return {order.intent.symbol for order in self.orders.values()}
