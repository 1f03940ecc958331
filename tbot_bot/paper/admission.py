"""Admitting orders: the rules that need the account, the market and the book."""

import uuid
from dataclasses import replace
from decimal import Decimal

from tbot_bot.paper.account import closes, held_for_orders, wash_conflict
from tbot_bot.paper.book import Account, Order, Side
from tbot_bot.paper.exchange import Exchange
from tbot_bot.paper.market import Instrument
from tbot_bot.paper.orders import NewOrder, Replacement, check_change, check_legs_against
from tbot_bot.paper.refusal import Refusal, against_rule, forbidden, invalid
from tbot_bot.paper.render import money, text
from tbot_bot.paper.sessions import MINUTE_MS, TradingCalendar

OPENING_CUTOFF_MS = 2 * MINUTE_MS
CLOSING_CUTOFF_MS = 10 * MINUTE_MS


class Admission:
    """Turns a well-formed request into orders in the book, committed, or into a refusal."""

    def __init__(self, exchange: Exchange, calendar: TradingCalendar) -> None:
        self._exchange = exchange
        self._calendar = calendar

    def submit(self, account: Account, new: NewOrder, now_ms: int) -> Order | Refusal:
        refusal = self._refuse(account, new, now_ms)
        if refusal is not None:
            return refusal
        orders = self.build(account, new, now_ms)
        self._exchange.add(orders)
        self._exchange.commit()
        return orders[0]

    def replace(self, account: Account, old: Order, change: Replacement, now_ms: int) -> Order | Refusal:
        refusal = _refuse_change(old, change)
        if refusal is not None:
            return refusal
        if change.client_order_id and (account.id, change.client_order_id) in self._exchange.by_client_id:
            return invalid("client_order_id must be unique")
        new = _changed(old, change, self._exchange.next_sequence(), now_ms)
        refusal = self._refuse_amount_of_change(account, old, new, now_ms)
        if refusal is not None:
            return refusal
        self._exchange.replace(old, new, now_ms)
        self._exchange.commit()
        return new

    def amend(self, account: Account, order: Order, change: Replacement, now_ms: int) -> Refusal | None:
        """Change an order in place, as venues do whose orders keep their id."""
        new = replace(
            order,
            qty=change.qty or order.qty,
            limit_price=change.limit_price or order.limit_price,
            stop_price=change.stop_price or order.stop_price,
            trail_percent=change.trail or order.trail_percent,
            time_in_force=change.time_in_force or order.time_in_force,
        )
        refusal = (
            check_change(change)
            or _refuse_change(order, change)
            or self._refuse_amount_of_change(account, order, new, now_ms)
        )
        if refusal is None:
            self._exchange.amend(order, new, now_ms)
            self._exchange.commit()
        return refusal

    def reject(self, account: Account, new: NewOrder, reason: str, now_ms: int) -> Order:
        """An order that was taken in and then refused, as venues tell it that check an account's means afterwards."""
        order = replace(self.build(account, replace(new, order_class="simple"), now_ms)[0], reason=reason)
        self._exchange.add_rejected(order, now_ms)
        self._exchange.commit()
        return order

    def _refuse(self, account: Account, new: NewOrder, now_ms: int) -> Refusal | None:
        market = self._exchange.view.market
        if (account.id, new.client_order_id) in self._exchange.by_client_id:
            return invalid("client_order_id must be unique")
        row = market.index.get(new.symbol)
        if row is None:
            return against_rule(f'asset "{new.symbol}" not found')
        item = market.instruments[row]
        if not item.tradable:
            return against_rule(f"asset {new.symbol} is not tradable")
        late = self._refuse_time(new, now_ms)
        if late is not None:
            return late
        intent = _intent(account, new.symbol, new.side)
        if new.intent not in (None, intent):
            return against_rule(f"position intent mismatch, inferred: {intent}, specified: {new.intent}")
        if new.is_fractional and not item.fractionable:
            return forbidden(f'asset "{new.symbol}" is not fractionable')
        if new.order_class in ("bracket", "oto") and new.reference_price is None:
            price = self._exchange.view.price(new.symbol, now_ms)
            wrong = check_legs_against(new, price) if price is not None else None
            if wrong is not None:
                return wrong
        limit = new.take_profit_limit if new.order_class == "oco" else new.limit_price
        conflict = wash_conflict(new.side, limit, self._exchange.open_orders(account, new.symbol))
        if conflict is not None:
            order, why = conflict
            return forbidden(
                "potential wash trade detected. use complex orders", existing_order_id=order.id, reject_reason=why
            )
        return self._refuse_amount(account, new, item, now_ms)

    def _refuse_time(self, new: NewOrder, now_ms: int) -> Refusal | None:
        """Auctions take orders until shortly before them, then those for the next day."""
        day = self._exchange.view.day(now_ms)
        if new.time_in_force == "opg" and day.open_ms - OPENING_CUTOFF_MS <= now_ms < day.close_ms:
            return against_rule("opg orders are taken until 2 minutes before the open and after the close")
        if new.time_in_force == "cls" and day.close_ms - CLOSING_CUTOFF_MS <= now_ms < day.close_ms:
            return against_rule("cls orders are taken until 10 minutes before the close and after it")
        return None

    def _refuse_amount(self, account: Account, new: NewOrder, item: Instrument, now_ms: int) -> Refusal | None:
        quote = self._exchange.view.quote(new.symbol, now_ms)
        if quote is None and new.reference_price is None and new.notional is None:
            return forbidden(f"no price is known for {new.symbol} yet: use a limit order or wait for its first trade")
        at = new.reference_price or (
            Decimal(quote.ask if new.side == "buy" else quote.bid) / 10_000 if quote else Decimal(0)
        )
        qty = new.qty if new.qty is not None else (new.notional or Decimal(0)) / at if at else Decimal(0)
        cost = new.notional if new.notional is not None else qty * at
        if closes(account, new.symbol, new.side):
            return self._refuse_closing(account, new.symbol, qty)
        if new.order_class == "oco":
            return forbidden("insufficient qty available for order", symbol=new.symbol, available="0", existing_qty="0")
        if new.side == "sell":
            refusal = self._refuse_short(account, new, item, now_ms)
            if refusal is not None:
                return refusal
        return self._refuse_cost(account, cost, now_ms)

    def _refuse_closing(
        self, account: Account, symbol: str, qty: Decimal, freed: Decimal = Decimal(0)
    ) -> Refusal | None:
        existing = abs(account.positions[symbol].qty)
        orders = self._exchange.open_orders(account, symbol)
        held = held_for_orders(account, symbol, orders) - freed
        if qty <= existing - held:
            return None
        return forbidden(
            f"insufficient qty available for order (requested: {text(qty)}, available: {text(existing - held)})",
            symbol=symbol,
            available=text(existing - held),
            existing_qty=text(existing),
            held_for_orders=text(held),
            related_orders=[order.id for order in orders if closes(account, symbol, order.side)],
        )

    def _refuse_short(self, account: Account, new: NewOrder, item: Instrument, now_ms: int) -> Refusal | None:
        if new.is_fractional:
            return against_rule("fractional orders cannot be sold short")
        if not item.shortable or not item.easy_to_borrow:
            return against_rule(f'asset "{new.symbol}" cannot be sold short')
        if self._exchange.worth(account, now_ms).multiplier <= 1:
            return forbidden("account is not allowed to short")
        return None

    def _refuse_cost(self, account: Account, cost: Decimal, now_ms: int, freed: Decimal = Decimal(0)) -> Refusal | None:
        power = self._exchange.worth(account, now_ms).buying_power + freed
        if cost <= power:
            return None
        return forbidden("insufficient buying power", buying_power=money(power), cost_basis=money(cost))

    def _refuse_amount_of_change(self, account: Account, old: Order, new: Order, now_ms: int) -> Refusal | None:
        if not old.is_entry and not old.armed:
            return None
        if closes(account, old.symbol, old.side):
            return self._refuse_closing(account, old.symbol, new.remaining, old.remaining)
        price = self._exchange.view.price(old.symbol, now_ms) or Decimal(0)
        cost = new.remaining * (new.limit_price or new.stop_price or price)
        return self._refuse_cost(account, cost, now_ms, old.remaining * (old.limit_price or old.stop_price or price))

    def build(self, account: Account, new: NewOrder, now_ms: int) -> list[Order]:
        sequence = self._exchange.next_sequence()
        is_open = self._exchange.view.is_open(now_ms)
        order = Order(
            id=str(uuid.uuid4()),
            sequence=sequence,
            account=account.id,
            client_order_id=new.client_order_id,
            symbol=new.symbol,
            side=new.side,
            type=new.type,
            time_in_force=new.time_in_force,
            session=self._session(now_ms),
            submitted_ms=now_ms,
            order_class=new.order_class,
            qty=new.qty,
            notional=new.notional,
            limit_price=new.take_profit_limit if new.order_class == "oco" else new.limit_price,
            stop_price=new.stop_price,
            trail_price=new.trail_price,
            trail_percent=new.trail_percent,
            extended_hours=new.extended_hours,
            status="pending_new" if is_open else "accepted",
            intent=_intent(account, new.symbol, new.side),
        )
        if new.order_class == "simple":
            return [order]
        order.group = order.id
        order.role = "take_profit" if new.order_class == "oco" else "entry"
        return [order, *_legs(order, new)]

    def _session(self, now_ms: int) -> str:
        """The session that a day order entered now lives in."""
        for day in self._calendar.between(self._exchange.view.day(now_ms).day, self._calendar.days[-1].day):
            if now_ms < day.close_ms:
                return day.day.isoformat()
        return self._calendar.days[-1].day.isoformat()


def _intent(account: Account, symbol: str, side: Side) -> str:
    return f"{side}_to_{'close' if closes(account, symbol, side) else 'open'}"


def _legs(parent: Order, new: NewOrder) -> list[Order]:
    """The closing orders; those of an entry wait unarmed until it is filled."""
    side = parent.side if new.order_class == "oco" else ("sell" if parent.side == "buy" else "buy")
    blank = replace(
        parent,
        side=side,
        intent=f"{side}_to_close",
        limit_price=None,
        stop_price=None,
        status="held",
        armed=new.order_class == "oco",
        extended_hours=False,
    )
    legs = []
    if new.take_profit_limit is not None and new.order_class != "oco":
        legs.append(
            replace(
                blank,
                id=str(uuid.uuid4()),
                client_order_id=str(uuid.uuid4()),
                sequence=parent.sequence + 1,
                type="limit",
                limit_price=new.take_profit_limit,
                role="take_profit",
            )
        )
    if new.stop_loss_stop is not None:
        legs.append(
            replace(
                blank,
                id=str(uuid.uuid4()),
                client_order_id=str(uuid.uuid4()),
                sequence=parent.sequence + 1 + len(legs),
                type="stop" if new.stop_loss_limit is None else "stop_limit",
                stop_price=new.stop_loss_stop,
                limit_price=new.stop_loss_limit,
                role="stop_loss",
            )
        )
    return legs


def _refuse_change(old: Order, change: Replacement) -> Refusal | None:
    if not old.is_open:
        return against_rule(f'order is already in "{old.status}" state')
    if old.status == "pending_new":
        return against_rule("order is pending: wait until it is new")
    if old.notional is not None:
        return against_rule("notional orders cannot be replaced")
    if change.limit_price is not None and old.type not in ("limit", "stop_limit"):
        return invalid(f"{old.type} orders must not have limit_price")
    if change.stop_price is not None and old.type not in ("stop", "stop_limit"):
        return invalid(f"{old.type} orders must not have stop_price")
    if change.trail is not None and old.type != "trailing_stop":
        return invalid(f"{old.type} orders must not have trail")
    if change.qty is not None and change.qty <= old.filled_qty:
        return against_rule("qty must be greater than the filled qty")
    return None


def _changed(old: Order, change: Replacement, sequence: int, now_ms: int) -> Order:
    """The order that takes the old one's place; what is filled stays with the old one."""
    qty = (change.qty - old.filled_qty) if change.qty is not None else old.remaining
    new = replace(
        old,
        id=str(uuid.uuid4()),
        sequence=sequence,
        client_order_id=change.client_order_id or str(uuid.uuid4()),
        submitted_ms=now_ms,
        updated_ms=now_ms,
        qty=qty,
        filled_qty=Decimal(0),
        filled_cost=Decimal(0),
        limit_price=change.limit_price or old.limit_price,
        stop_price=change.stop_price or old.stop_price,
        time_in_force=change.time_in_force or old.time_in_force,
        replaces=old.id,
        status="held" if old.status == "held" else "accepted",
    )
    if change.trail is not None and old.trail_percent is not None:
        new.trail_percent = change.trail
    elif change.trail is not None:
        new.trail_price = change.trail
    return new
