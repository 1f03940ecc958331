"""The exchange: accepts orders, matches them along the price path, keeps the accounts.

Everything happens up to an instant of the virtual clock (`advance`), is committed, and only then told to anyone.
Since the market can be generated again, a step that a kill interrupts before its commit happens again, from the same
instant, after the restart.
"""

import dataclasses
import uuid
from collections.abc import Callable, Iterable
from decimal import ROUND_DOWN, Decimal

from tbot_bot.paper.account import Worth, worth
from tbot_bot.paper.book import ZERO, Account, Fill, Order, OrderEvent, Position, Side
from tbot_bot.paper.faults import Faults
from tbot_bot.paper.matching import Stretch, Touch, find_touch
from tbot_bot.paper.sessions import MINUTE_MS, TradingDay
from tbot_bot.paper.store import Changes, Store
from tbot_bot.paper.view import CENT_TICKS, THIRD_MS, MarketView, Segment, dollars, to_ticks

PARTICIPATION = Decimal("0.10")
MIN_CAPACITY = Decimal(100)
SHARE_STEP = Decimal("0.000000001")
Listener = Callable[[OrderEvent], None]


class Exchange:
    """Its listeners are called after an event's cause is on the disk."""

    def __init__(self, view: MarketView, store: Store, faults: Faults, now_ms: int) -> None:
        self.view = view
        self.faults = faults
        self._store = store
        self._listeners: list[Listener] = []
        self._changes = Changes()
        self._events: list[OrderEvent] = []
        self._trailed: dict[str, Order] = {}
        self._third = -1
        self._used: dict[str, Decimal] = {}
        self._halved: set[str] = set()
        self._load(now_ms)

    def _load(self, now_ms: int) -> None:
        self.accounts = {account.id: account for account in self._store.accounts()}
        for account, symbol, qty, cost in self._store.positions():
            self.accounts[account].positions[symbol] = Position(symbol, Decimal(qty), Decimal(cost))
        self.orders = {order.id: order for order in self._store.orders()}
        self.by_client_id = {(order.account, order.client_order_id): order for order in self.orders.values()}
        self.open = {order.id: order for order in self.orders.values() if order.is_open}
        self.fills = list(self._store.fills())
        self.matched_ms = int(self._store.get("matched_ms") or now_ms)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    # Accounts

    def open_account(self, key_id: str, secret_hash: str, cash: Decimal, now_ms: int) -> Account:
        account = Account(str(uuid.uuid4()), key_id, secret_hash, now_ms, cash, cash)
        self.accounts[account.id] = account
        self._changes.accounts[account.id] = account
        self.commit()
        return account

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        return [order for order in self.open.values() if order.account == account.id and symbol in (None, order.symbol)]

    def worth(self, account: Account, now_ms: int) -> Worth:
        return worth(account, self.open_orders(account), lambda symbol: self.view.price(symbol, now_ms))

    # Orders

    def add(self, orders: Iterable[Order]) -> None:
        """Takes accepted orders into the book; call `commit` before answering."""
        for order in orders:
            self.orders[order.id] = order
            self.by_client_id[(order.account, order.client_order_id)] = order
            self.open[order.id] = order
            self._touch(order, order.submitted_ms)

    def next_sequence(self) -> int:
        return len(self.orders) + 1

    def legs(self, order: Order) -> list[Order]:
        """The other orders of the complex order that `order` heads."""
        if order.group != order.id:
            return []
        return [leg for leg in self.orders.values() if leg.group == order.id and leg.id != order.id]

    def cancel(self, order: Order, now_ms: int) -> None:
        """Cancels an open order with the orders that depend on it."""
        self._end(order, "canceled", now_ms)
        for other in self._open_group(order):
            if order.role == "entry" and order.filled_qty > 0:
                self._arm_legs(order, now_ms)
                return
            self._end(other, "canceled", now_ms)

    def replace(self, old: Order, new: Order, now_ms: int) -> None:
        old.replaced_by, old.replaced_ms = new.id, now_ms
        self._end(old, "replaced", now_ms)
        if old.group == old.id:
            for leg in self.legs(old):
                leg.group = new.id
                self._touch(leg, now_ms)
            new.group = new.id
        self.add([new])

    def amend(self, order: Order, new: Order, now_ms: int) -> None:
        """Gives an open order the amounts and prices of `new`; it keeps its id and what was filled."""
        for name in ("qty", "limit_price", "stop_price", "trail_percent", "time_in_force"):
            setattr(order, name, getattr(new, name))
        self._tell(order, "amended", now_ms)

    def keep(self, order: Order) -> None:
        """Has a change of an order's name or notes written with the next commit."""
        self._changes.orders[order.id] = order

    def add_rejected(self, order: Order, now_ms: int) -> None:
        self.add([order])
        order.failed_ms = now_ms
        self._end(order, "rejected", now_ms)

    def commit(self) -> None:
        """Makes the step durable, then tells the listeners."""
        if self._changes:
            # A trailing stop's mark need not be written each time that it moves: it is found again from the instant
            # that is saved with it, so it only has to be saved whenever that instant is.
            self._changes.orders.update(self._trailed)
            self._trailed = {}
            self._store.commit(self._changes, self.matched_ms)
        events, self._events, self._changes = self._events, [], Changes()
        for event in events:
            for listener in self._listeners:
                listener(event)

    # Time

    def advance(self, now_ms: int) -> None:
        """Matches everything up to `now_ms` and commits."""
        if now_ms <= self.matched_ms:
            return
        start = self.matched_ms
        for day in self.view.days[self.view.position(start) :]:
            if day.close_ms <= start:
                continue
            if day.open_ms >= now_ms:
                break
            self._advance_in(day, start, min(now_ms, day.close_ms))
            if day.close_ms <= now_ms:
                self._close(day)
        self.matched_ms = now_ms
        self.commit()

    def _advance_in(self, day: TradingDay, start: int, end: int) -> None:
        if not self.open:
            return
        for segment in self.view.segments(max(start, day.open_ms), end):
            self._begin_third(segment)
            for order in list(self.open.values()):
                if order.is_open:
                    self._step(order, segment)

    def _begin_third(self, segment: Segment) -> None:
        third = segment.start_ms // THIRD_MS
        if third != self._third:
            self._third = third
            self._used = {}

    def _close(self, day: TradingDay) -> None:
        for order in list(self.open.values()):
            if order.time_in_force == "day" and order.session <= day.day.isoformat() and order.is_open:
                self._end(order, "expired", day.close_ms)
        for account in self.accounts.values():
            account.last_equity = self.worth(account, day.close_ms).equity
            self._changes.accounts[account.id] = account

    def _step(self, order: Order, segment: Segment) -> None:
        row = self.view.market.index[order.symbol]
        if order.status in ("pending_new", "accepted"):
            order.status = "new"
            self._tell(order, "new", segment.start_ms)
        if not order.armed or self._is_halted(order.symbol, row, segment):
            return
        first, last = segment.ends(row)
        if not first or not last:
            return
        half = round(first * float(self.view.market.half_spread[row]))
        elected = order.triggered
        touch = find_touch(order, Stretch(first, last, half))
        if order.triggered != elected:
            self._changes.orders[order.id] = order
        elif order.type == "trailing_stop":
            self._trailed[order.id] = order
        if touch is not None:
            at = segment.start_ms + int(touch.along * (segment.end_ms - segment.start_ms))
            self._execute(order, row, touch, half, at, segment)

    def _is_halted(self, symbol: str, row: int, segment: Segment) -> bool:
        return symbol in self.faults.halted or bool(segment.bars.halted[row, segment.minute])

    def _execute(self, order: Order, row: int, touch: Touch, half: int, at: int, segment: Segment) -> None:
        volume = Decimal(int(segment.bars.volume[row, segment.minute]))
        capacity = max(MIN_CAPACITY, volume * PARTICIPATION / 3)
        free = capacity - self._used.get(order.symbol, ZERO)
        if order.qty is None and order.notional is not None:
            guess = dollars(_trade_price(order.side, touch.mid, half, ZERO, capacity))
            order.qty = (order.notional / guess).quantize(SHARE_STEP, ROUND_DOWN)
        qty = min(order.remaining, free)
        if order.id not in self._halved and order.remaining > 1 and self.faults.take("partial_fills"):
            self._halved.add(order.id)
            qty = min(qty, order.remaining // 2)
            free = qty
        if qty <= 0:
            return
        if qty < order.remaining:
            qty = qty.to_integral_value(ROUND_DOWN)
            if qty <= 0:
                return
        ticks = _trade_price(order.side, touch.mid, half, qty, capacity)
        if order.type in ("limit", "stop_limit") and order.limit_price is not None:
            bound = min if order.side == "buy" else max
            ticks = bound(ticks, to_ticks(order.limit_price))
        self._used[order.symbol] = capacity if free == qty else self._used.get(order.symbol, ZERO) + qty
        self._fill(order, qty, dollars(ticks), at)

    # Consequences

    def _fill(self, order: Order, qty: Decimal, price: Decimal, at: int) -> None:
        if self.fills:
            at = max(at, self.fills[-1].time_ms)
        order.filled_qty += qty
        order.filled_cost += qty * price
        done = order.remaining <= 0
        order.status = "filled" if done else "partially_filled"
        order.filled_ms = at if done else None
        account = self.accounts[order.account]
        signed = qty if order.side == "buy" else -qty
        position = _traded(account.positions.get(order.symbol), order.symbol, signed, price)
        if position is None:
            account.positions.pop(order.symbol, None)
        else:
            account.positions[order.symbol] = position
        account.cash -= signed * price
        fill = Fill(
            str(uuid.uuid4()),
            account.id,
            order.id,
            order.symbol,
            order.side,
            qty,
            price,
            at,
            "fill" if done else "partial_fill",
            order.filled_qty,
            order.remaining,
            order.status,
            len(self.fills) + 1,
        )
        self.fills.append(fill)
        self._changes.fills.append(fill)
        self._changes.positions[(account.id, order.symbol)] = position
        self._changes.accounts[account.id] = account
        self._tell(order, fill.kind, at, fill, position.qty if position else ZERO)
        if done:
            self.open.pop(order.id, None)
        self._after_fill(order, qty, at)

    def _after_fill(self, order: Order, qty: Decimal, at: int) -> None:
        if order.role == "entry":
            if order.status == "filled":
                self._arm_legs(order, at)
            return
        for other in self._open_group(order):
            if order.status == "filled":
                self._end(other, "canceled", at)
            elif other.qty is not None:
                other.qty -= qty
                self._touch(other, at)

    def _arm_legs(self, entry: Order, at: int) -> None:
        """The entry's position is protected; of two legs the stop stays `held` in name, as the broker shows it."""
        legs = self._open_group(entry)
        for leg in legs:
            leg.armed = True
            leg.qty = entry.filled_qty
            self._touch(leg, at)
            if leg.role == "take_profit" or len(legs) == 1:
                leg.status = "new"
                self._tell(leg, "new", at)

    def _open_group(self, order: Order) -> list[Order]:
        if order.group is None:
            return []
        return [other for other in self.open.values() if other.group == order.group and other.id != order.id]

    def _end(self, order: Order, status: str, at: int) -> None:
        order.status = status
        order.armed = False
        if status == "canceled":
            order.canceled_ms = at
        elif status == "expired":
            order.expired_ms = at
        self.open.pop(order.id, None)
        self._tell(order, status, at)

    def _touch(self, order: Order, at: int) -> None:
        order.updated_ms = at
        self._changes.orders[order.id] = order

    def _tell(self, order: Order, event: str, at: int, fill: Fill | None = None, held: Decimal = ZERO) -> None:
        self._touch(order, at)
        name = fill.execution_id if fill is not None else str(uuid.uuid4())
        self._events.append(OrderEvent(name, event, dataclasses.replace(order), at, fill, held))


def _trade_price(side: Side, mid: int, half: int, qty: Decimal, capacity: Decimal) -> int:
    """The far side of the spread, up to half a spread worse as the order takes the capacity there; whole cents."""
    impact = int(half * min(Decimal(1), qty / capacity))
    if side == "buy":
        return -(-(mid + half) // CENT_TICKS) * CENT_TICKS + impact // CENT_TICKS * CENT_TICKS
    return max((mid - half) // CENT_TICKS * CENT_TICKS - impact // CENT_TICKS * CENT_TICKS, CENT_TICKS)


def _traded(position: Position | None, symbol: str, signed: Decimal, price: Decimal) -> Position | None:
    """The position after a trade: adding averages the cost, reducing keeps the average."""
    if position is None:
        return Position(symbol, signed, signed * price)
    qty = position.qty + signed
    if qty == 0:
        return None
    if (position.qty > 0) == (signed > 0):
        return Position(symbol, qty, position.cost + signed * price)
    if (qty > 0) == (position.qty > 0):
        return Position(symbol, qty, position.average_price * qty)
    return Position(symbol, qty, qty * price)


def completed_minutes(day: TradingDay, after_ms: int, until_ms: int) -> range:
    """Minutes of the session that end inside (after, until]."""
    first = max(0, (after_ms - day.open_ms) // MINUTE_MS)
    last = min(day.minutes, (until_ms - day.open_ms) // MINUTE_MS)
    return range(first, max(first, last))
