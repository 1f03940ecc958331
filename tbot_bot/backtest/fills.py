"""An exchange in memory over recorded bars: when orders fill, at what price, and what the account holds.

Assumptions, all printed with the results: a market order fills whole at the open of the first bar that starts at or
after it was sent, moved towards that bar's close by SIMULATED_LATENCY_MS; without a further bar, at the last close of
the day. A stop fills at its price when the bar touches it, at the open when the bar opens beyond it. Slippage is always
paid, never earned. No fees, no market impact beyond the slippage model, no borrowing of shares."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tbot_bot.accounting.booking import fill_of
from tbot_bot.accounting.books import Books
from tbot_bot.accounting.units import from_micros
from tbot_bot.domain.market import Bar, Quote, Symbol
from tbot_bot.domain.money import ZERO, round_down
from tbot_bot.domain.orders import (
    FINAL_STATUSES,
    ClientOrderId,
    Execution,
    OrderIntent,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
)
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.settings import SlippageSettings, SlippageType
from tbot_bot.ports.broker import Capabilities

TICK = Decimal("0.0001")
MINUTE_MS = 60_000
CAPABILITIES = Capabilities(
    fractional=True,
    notional=True,
    short=False,
    puts=False,
    bracket=False,
    trailing=False,
    resting_stop_fractional=True,
    minimum_notional=Decimal(1),
    share_step=Decimal("0.000000001"),
)


@dataclass(frozen=True, slots=True)
class SlippageModel:
    """What a fill costs beyond the quoted price, as a fraction of it, from the SLIPPAGE_* settings (percents).

    none: 0. rule_based: the mean × (1 + the order's share of the bar's volume). randomized: normal with mean and
    standard deviation, not below 0; the same seed and order give the same draw whatever else happens."""

    settings: SlippageSettings
    seed: int

    def fraction(self, intent: OrderIntent, quantity: Decimal, volume: int) -> Decimal:
        if not self.settings.enable_slippage_model:
            return ZERO
        mean = self.settings.slippage_mean_pct / 100
        match self.settings.slippage_simulation_type:
            case SlippageType.NONE:
                return ZERO
            case SlippageType.RULE_BASED:
                share = min(quantity / volume, Decimal(1)) if volume > 0 else Decimal(1)
                return mean * (1 + share)
            case SlippageType.RANDOMIZED:
                digest = hashlib.sha256(f"{self.seed}|{intent.client_id}".encode()).digest()
                draw = random.Random(digest).gauss(0.0, 1.0)  # noqa: S311 (a model, not a secret)
                return max(mean + self.settings.slippage_stddev_pct / 100 * Decimal(repr(draw)), ZERO)


@dataclass(slots=True)
class _Order:
    intent: OrderIntent
    broker_id: str
    sent_at: datetime
    status: OrderStatus = OrderStatus.ACCEPTED
    quantity: Decimal | None = None
    price: Decimal | None = None

    @property
    def live(self) -> bool:
        return self.status not in FINAL_STATUSES


class MemoryExchange:
    """Account and orders of one backtest; prices are the last close until the next bar. Cash is exact."""

    def __init__(self, cash: Decimal, slippage: SlippageModel) -> None:
        self.books = Books()
        self._cash = cash
        self._opening = cash
        self._slippage = slippage
        self._orders: dict[ClientOrderId, _Order] = {}
        self._last: dict[Symbol, Bar] = {}

    def start_session(self) -> None:
        """A new day: day orders are gone, and so are yesterday's prices as quotes."""
        self._orders = {}
        self._last = {}
        self._opening = self.equity

    @property
    def equity(self) -> Decimal:
        """Cash and what the positions are worth at their last close (at cost where none traded yet today), USD."""
        return self._cash + self.market_value

    @property
    def market_value(self) -> Decimal:
        return sum((p.quantity * (p.price or p.average_price) for p in self.positions()), ZERO)

    def positions(self) -> tuple[Position, ...]:
        return tuple(
            Position(
                p.symbol, p.quantity, p.average_price, self._last[p.symbol].close if p.symbol in self._last else None
            )
            for p in self.books.positions()
        )

    def account(self) -> Account:
        return Account("backtest", self.equity, self._cash, max(self._cash, ZERO), self._opening)

    def quote(self, symbol: Symbol) -> Quote | None:
        """The last close as bid, ask and trade, stamped with that bar's end; None before the first bar."""
        bar = self._last.get(symbol)
        if bar is None:
            return None
        return Quote(symbol, bar.start + timedelta(minutes=1), bar.close, bar.close, bar.close)

    def accept(self, intent: OrderIntent, now: datetime) -> OrderReport | str:
        """The order rests from now on; a refusal in words instead."""
        if intent.type not in {OrderType.MARKET, OrderType.STOP}:
            return f"the backtest fills market and stop orders, not {intent.type}"
        if intent.symbol not in self._last:
            return f"{intent.symbol} has no bars today"
        reserved = sum((self._value(order.intent) for order in self._market_orders()), ZERO)
        if self._value(intent) > self._cash - reserved:
            return "insufficient buying power"
        order = _Order(intent, f"b{len(self._orders) + 1}", now, quantity=intent.quantity)
        self._orders[intent.client_id] = order
        return _report(order, now)

    def report(self, client_id: ClientOrderId, now: datetime) -> OrderReport | None:
        order = self._orders.get(client_id)
        return None if order is None else _report(order, now)

    def cancel(self, client_id: ClientOrderId, now: datetime) -> OrderReport | None:
        """Cancelled at once; None when there is nothing to cancel."""
        order = self._orders.get(client_id)
        if order is None or not order.live:
            return None
        order.status = OrderStatus.CANCELLED
        return _report(order, now)

    def cancel_all(self, now: datetime) -> tuple[OrderReport, ...]:
        reports = (self.cancel(client_id, now) for client_id in list(self._orders))
        return tuple(report for report in reports if report is not None)

    def fill_at_open(self, bars: Mapping[Symbol, Bar], start: datetime) -> tuple[OrderReport, ...]:
        """Market orders sent at or before `start`, against the bars that begin then."""
        late = timedelta(milliseconds=self._slippage.settings.simulated_latency_ms)
        told = []
        for order in self._market_orders():
            bar = bars.get(order.intent.symbol)
            if bar is not None and order.sent_at + late < bar.start + timedelta(minutes=1):
                moment = max(order.sent_at + late, bar.start)
                told.append(self._fill(order, _price_at(bar, moment), bar.volume, moment))
        return tuple(told)

    def see_minute(self, bars: Mapping[Symbol, Bar], end: datetime) -> tuple[OrderReport, ...]:
        """The minute that ended at `end`: resting stops first, then its closes become the last prices."""
        told = []
        for order in list(self._orders.values()):
            bar = bars.get(order.intent.symbol)
            stop = order.intent.stop_price
            if order.live and order.intent.type is OrderType.STOP and bar is not None and stop is not None:
                price = _stop_fill(order.intent.side, stop, bar)
                if price is not None:
                    told.append(self._fill(order, price, bar.volume, end))
        self._last.update(bars)
        return tuple(told)

    def close_session(self, close: datetime) -> tuple[OrderReport, ...]:
        """Market orders that found no further bar fill at the last close; everything else expires."""
        told = []
        for order in self._market_orders():
            bar = self._last[order.intent.symbol]
            told.append(self._fill(order, bar.close, bar.volume, close))
        for order in self._orders.values():
            if order.live:
                order.status = OrderStatus.EXPIRED
                told.append(_report(order, close))
        return tuple(told)

    def _value(self, intent: OrderIntent) -> Decimal:
        """USD that a market buy will take, at the last close; nothing for the others."""
        if intent.side is not Side.BUY or intent.type is not OrderType.MARKET:
            return ZERO
        return intent.notional or (intent.quantity or ZERO) * self._last[intent.symbol].close

    def _market_orders(self) -> list[_Order]:
        return [o for o in self._orders.values() if o.live and o.intent.type is OrderType.MARKET]

    def _fill(self, order: _Order, price: Decimal, volume: int, at: datetime) -> OrderReport:
        intent = order.intent
        quantity = order.quantity
        if quantity is None:
            quantity = round_down((intent.notional or ZERO) / price, CAPABILITIES.share_step)
        worse = 1 if intent.side is Side.BUY else -1
        slipped = price * (1 + worse * self._slippage.fraction(intent, quantity, volume))
        order.price, order.quantity = max(slipped.quantize(TICK), TICK), quantity
        order.status = OrderStatus.FILLED
        self._book(order, at)
        return _report(order, at)

    def _book(self, order: _Order, at: datetime) -> None:
        intent = order.intent
        quantity, price = order.quantity or ZERO, order.price or ZERO
        execution = Execution(
            f"{intent.client_id}-fill",
            order.broker_id,
            intent.client_id,
            intent.symbol,
            intent.side,
            quantity,
            price,
            at,
        )
        fill = fill_of(execution, intent)
        booking = self.books.book(fill)
        self.books.add(fill, booking)
        self._cash += from_micros(booking.postings[0].amount)


def _stop_fill(side: Side, stop: Decimal, bar: Bar) -> Decimal | None:
    """Where a stop fills in `bar`, before slippage; None when it is not touched. A gap fills at the open."""
    if side is Side.SELL:
        return None if bar.low > stop else min(stop, bar.open)
    return None if bar.high < stop else max(stop, bar.open)


def _price_at(bar: Bar, moment: datetime) -> Decimal:
    """Between open and close, in proportion to the time since the bar's start."""
    passed = Decimal((moment - bar.start) // timedelta(milliseconds=1)) / MINUTE_MS
    return bar.open + (bar.close - bar.open) * passed


def _report(order: _Order, now: datetime) -> OrderReport:
    intent = order.intent
    filled = (order.quantity or ZERO) if order.status is OrderStatus.FILLED else ZERO
    return OrderReport(
        client_id=intent.client_id,
        broker_id=order.broker_id,
        symbol=intent.symbol,
        side=intent.side,
        status=order.status,
        filled_quantity=filled,
        average_price=order.price,
        at=now,
        quantity=order.quantity,
        type=intent.type,
    )
