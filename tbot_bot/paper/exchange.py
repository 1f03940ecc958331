"""The exchange: accepts orders, matches them along the price path, keeps the accounts.

Everything happens up to an instant of the virtual clock (`advance`), is committed, and only then told to anyone.
Since the market can be generated again, a step that a kill interrupts before its commit happens again, from the same
instant, after the restart.
"""

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import partial
from heapq import heappop, heappush

from tbot_bot.paper.account import Worth, traded, worth
from tbot_bot.paper.book import ZERO, Account, Fill, Order, OrderEvent, Position, fill_of
from tbot_bot.paper.depth import Taken, affordable, depth_in, levels, walk
from tbot_bot.paper.faults import Faults
from tbot_bot.paper.matching import Stretch, find_touch, limit_ticks
from tbot_bot.paper.sessions import TradingDay
from tbot_bot.paper.store import Changes, Store
from tbot_bot.paper.view import THIRD_MS, MarketView, Segment, dollars, path_price, reach

Listener = Callable[[OrderEvent], None]
Fee = Callable[[Order, Decimal, Decimal], Decimal]
"""Dollars that a fill of so many shares at a price costs its account."""
_Due = list[tuple[int, int, str]]


class Exchange:
    """Its listeners are called after an event's cause is on the disk.

    `match_latency_ms`: market time, give or take a half, from an order's acceptance until it can trade;
    `report_latency_ms`: market time from an event until it is told. `fee`: what a broker charges; nothing by itself.
    `splits`: when, of which symbol, and new shares for an old one.
    """

    def __init__(
        self,
        view: MarketView,
        store: Store,
        faults: Faults,
        now_ms: int,
        match_latency_ms: int = 0,
        report_latency_ms: int = 0,
    ) -> None:
        self.view = view
        self.faults = faults
        self.splits: list[tuple[int, str, Decimal]] = []
        self.fee: Fee = lambda order, qty, price: ZERO
        self._latency = match_latency_ms
        self._report_latency = report_latency_ms
        self._store = store
        self._listeners: list[Listener] = []
        self._changes = Changes()
        self._events: list[OrderEvent] = []
        self._trailed: dict[str, Order] = {}
        self._taken: dict[str, Taken] = {}
        self._halved: dict[str, int] = {}
        self._woken: list[Order] = []
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
        self._third = self.matched_ms // THIRD_MS
        for fill in reversed(self.fills):
            if fill.time_ms // THIRD_MS != self._third:
                break
            self._taken.setdefault(fill.symbol, Taken()).add(fill.side, fill.qty)

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
        self._changes = Changes()
        told = len(self._events)
        if self._report_latency:
            told = sum(event.at_ms + self._report_latency <= self.matched_ms for event in self._events)
        events, self._events = self._events[:told], self._events[told:]
        for event in events:
            for listener in self._listeners:
                listener(event)

    # Time

    def advance(self, now_ms: int) -> None:
        """Matches everything up to `now_ms` and commits."""
        for at_ms, symbol, ratio in self.splits:
            if self.matched_ms < at_ms <= now_ms:
                self._match(at_ms - 1)
                self._split(symbol, ratio, at_ms)
        self._match(now_ms)

    def _split(self, symbol: str, ratio: Decimal, at_ms: int) -> None:
        """Every old share becomes `ratio` shares, fractions too, at the same cost; open orders end."""
        for order in list(self.open.values()):
            if order.symbol == symbol:
                self._end(order, "canceled", at_ms)
        for account in self.accounts.values():
            if symbol in account.positions:
                held = account.positions[symbol]
                account.positions[symbol] = Position(symbol, held.qty * ratio, held.cost)
                self._changes.positions[(account.id, symbol)] = account.positions[symbol]
        self.matched_ms = at_ms
        self.commit()

    def _match(self, now_ms: int) -> None:
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
        for segment in self.view.segments(max(start, day.open_ms), end):
            if not self.open:
                return
            self._begin_third(segment.start_ms)
            self._play(segment)

    def _begin_third(self, at_ms: int) -> None:
        if at_ms // THIRD_MS != self._third:
            self._third = at_ms // THIRD_MS
            self._taken = {}

    def _close(self, day: TradingDay) -> None:
        self._begin_third(day.close_ms - 1)
        for order in list(self.open.values()):
            if order.time_in_force == "gtc" or order.session > day.day.isoformat() or not order.is_open:
                continue
            if order.time_in_force == "cls":
                self._auction(order, Segment(self.view.market.session(day.day), day.close_ms - 1, day.close_ms), 3)
            else:
                self._end(order, "expired", day.close_ms)
        for account in self.accounts.values():
            account.last_equity = self.worth(account, day.close_ms).equity
            self._changes.accounts[account.id] = account

    # Matching

    def _play(self, segment: Segment) -> None:
        """Lets a segment's orders execute in the order of time, those that they set free after them."""
        due: _Due = []
        self._woken = []
        for order in list(self.open.values()):
            self._meet(order, segment, due)
        while due:
            at, _, name = heappop(due)
            if name in self.open and self.open[name].armed:
                self._execute(self.open[name], at, segment)
            woken, self._woken = self._woken, []
            for leg in woken:
                self._meet(leg, segment, due)

    def _meet(self, order: Order, segment: Segment, due: _Due) -> None:
        """Enters into `due` when the order executes in the segment, if it does."""
        if order.status in ("pending_new", "accepted"):
            order.status = "new"
            self._tell(order, "new", segment.start_ms)
        start = max(segment.start_ms, order.updated_ms, order.submitted_ms + self._delay(order))
        if order.time_in_force == "opg":
            self._auction(order, segment, 0)
        if not order.armed or order.time_in_force in ("opg", "cls") or start >= segment.end_ms:
            return
        at = self._touch_at(order, start, segment)
        if order.time_in_force in ("ioc", "fok") and at != start:
            self.cancel(order, start)
        elif at is not None:
            heappush(due, (at, order.sequence, order.id))

    def _delay(self, order: Order) -> int:
        """Differs by order and yet is the same when it is computed again."""
        return self._latency // 2 + order.sequence * 40_503 % (self._latency + 1)

    def _touch_at(self, order: Order, start: int, segment: Segment) -> int | None:
        row, bars, minute = self.view.market.index[order.symbol], segment.bars, segment.minute
        if not bars.open[row, minute] or self._is_halted(order.symbol, row, segment):
            return None
        elected, (low, high) = order.triggered, reach(bars, row, minute)
        price, quote = partial(path_price, bars, row), partial(self.view.quote_in, bars, row)
        at = find_touch(order, Stretch(start, segment.end_ms - 1, low, high, price, quote))
        if order.triggered != elected:
            self._changes.orders[order.id] = order
        elif order.type == "trailing_stop":
            self._trailed[order.id] = order
        return at

    def _is_halted(self, symbol: str, row: int, segment: Segment) -> bool:
        return symbol in self.faults.halted or bool(segment.bars.halted[row, segment.minute])

    def _execute(self, order: Order, at: int, segment: Segment) -> None:
        if self._halved.get(order.id) == self._third:
            return
        row = self.view.market.index[order.symbol]
        quote, book = self.view.quote_in(segment.bars, row, at), depth_in(segment, row, self.view.half(row))
        taken = self._taken.setdefault(order.symbol, Taken())

        def found() -> Iterator[tuple[int, Decimal]]:
            return levels(book, taken, order.side, quote.ask if order.side == "buy" else quote.bid, limit_ticks(order))

        if order.notional is not None:
            # Sized anew at each price, so that it never costs more than was asked for.
            size = affordable(found(), order.notional - order.filled_cost)
            order.qty = order.filled_qty + size if size else order.qty
        wanted = order.remaining
        divisible = order.time_in_force != "fok" and order.id not in self._halved and wanted > 1
        if divisible and self.faults.take("partial_fills"):
            self._halved[order.id] = self._third
            wanted //= 2
        fills = walk(found(), wanted)
        if order.time_in_force == "fok" and sum(qty for _, qty in fills) < order.remaining:
            fills = []
        self._take(order, fills, taken, at)
        if order.is_open and order.time_in_force in ("ioc", "fok"):
            self.cancel(order, at)

    def _auction(self, order: Order, segment: Segment, corner: int) -> None:
        """All of the open's or the close's trades have its one price; what it leaves of an order ends with it."""
        bars, row = segment.bars, self.view.market.index[order.symbol]
        at = segment.start_ms if corner == 0 else segment.end_ms
        held = corner == 0 and (segment.start_ms != bars.open_ms or order.submitted_ms > at)
        ticks = int((bars.open if corner == 0 else bars.close)[row, segment.minute])
        limit = limit_ticks(order)
        outside = limit is not None and (ticks > limit if order.side == "buy" else ticks < limit)
        if ticks and not held and not outside and not self._is_halted(order.symbol, row, segment):
            taken = self._taken.setdefault(order.symbol, Taken())
            free = (depth_in(segment, row, self.view.half(row)).capacity - taken.total) // 1
            self._take(order, walk(iter([(ticks, free)] if free > 0 else ()), order.remaining), taken, at)
        if order.is_open:
            self.cancel(order, at)

    def _take(self, order: Order, fills: list[tuple[int, Decimal]], taken: Taken, at: int) -> None:
        for ticks, qty in fills:
            taken.add(order.side, qty)
            self._fill(order, qty, dollars(ticks), at)

    # Consequences

    def _fill(self, order: Order, qty: Decimal, price: Decimal, at: int) -> None:
        order.filled_qty += qty
        order.filled_cost += qty * price
        done = order.remaining <= 0
        order.status = "filled" if done else "partially_filled"
        order.filled_ms = at if done else None
        account = self.accounts[order.account]
        signed = qty if order.side == "buy" else -qty
        position = traded(account.positions.get(order.symbol), order.symbol, signed, price)
        if position is None:
            account.positions.pop(order.symbol, None)
        else:
            account.positions[order.symbol] = position
        fee = self.fee(order, qty, price)
        account.cash -= signed * price + fee
        fill = fill_of(order, qty, price, at, fee, len(self.fills) + 1)
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
        self._woken += legs

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
