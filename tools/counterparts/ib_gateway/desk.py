"""Orders and account of a gateway's client."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tbot_bot.paper.book import Account, Order, OrderEvent, Position
from tbot_bot.paper.orders import NewOrder, Replacement, check_order
from tbot_bot.paper.refusal import Refusal
from tbot_bot.paper.sessions import NEW_YORK, utc
from tbot_bot.paper.venue import Venue
from tools.counterparts.ib_gateway import messages
from tools.counterparts.ib_gateway.messages import Fields, Name, name_of
from tools.counterparts.ib_gateway.requests import Placed, Unreadable, read_executions, read_order, side_of

if TYPE_CHECKING:
    from tools.counterparts.ib_gateway.face import Connection

PHANTOM = (10006, "Missing parent order")
"""An error of an order outside of the list that client libraries take for warnings."""


class Desk:
    """What was placed but not transmitted waits here, and is gone when the gateway dies, as a real one's is."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._held: dict[tuple[int, int], Placed] = {}
        self._acts: dict[int, Callable[[Connection, list[str]], None]] = {
            3: self._place,
            4: self._cancel,
            5: lambda connection, _: self._open_orders(connection, own=True),
            6: self._account_updates,
            7: self._executions,
            8: lambda connection, _: connection.send([9, 1, self.next_number(connection.client)]),
            15: lambda connection, _: None,
            16: lambda connection, _: self._open_orders(connection, own=False),
            17: lambda connection, _: connection.send([15, 1, connection.number]),
            58: self._cancel_all,
            61: self._positions,
            62: self._summary,
            76: self._updates_multi,
            99: self._completed,
        }

    def act(self, connection: "Connection", kind: int, fields: list[str]) -> bool:
        """Whether it was for this desk. Raises Unreadable."""
        act = self._acts.get(kind)
        if act is not None:
            self._venue.sync()
            act(connection, fields)
        return act is not None

    def next_number(self, client: int) -> int:
        """After the highest that this client ever used."""
        used = (name_of(o).order for o in self._venue.exchange.orders.values() if name_of(o).client == client)
        return max(used, default=0) + 1

    # placing

    def _place(self, connection: "Connection", fields: list[str]) -> None:
        placed, client = read_order(fields), connection.client
        known = self._find(client, placed.number)
        if known is not None:
            self._modify(connection, known, placed)
            return
        self._held[(client, placed.number)] = placed
        if not placed.transmit:
            return
        root = placed.parent or placed.number
        family = [p for (c, number), p in self._held.items() if c == client and root in (number, p.parent)]
        for each in family:
            del self._held[(client, each.number)]
        head = next((each for each in family if each.number == root), None)
        if head is None:
            raise Unreadable(135, f"Can't find order with id = {root}")
        self._submit(connection, head, [each for each in family if each is not head])

    def _submit(self, connection: "Connection", head: Placed, children: list[Placed]) -> None:
        account = _account(connection)
        new = self._new_order(connection.client, head, children)
        refusal = check_order(new)
        order = refusal or (
            self._join_oca(account, new, head) or self._venue.admission.submit(account, new, self._venue.sync())
        )
        if isinstance(order, Refusal):
            rejected = self._venue.admission.reject(account, new, order.message, self._venue.sync())
            code = 110 if "increment" in order.message else 201
            connection.send(messages.error(head.number, code, f"Order rejected - reason:{order.message}"))
            self._told_placed(connection, rejected)
            return
        legs = self._venue.exchange.legs(order)
        for leg in legs:
            child = next(c for c in children if (c.type == "limit") == (leg.role == "take_profit"))
            self._rename(leg, Name(connection.client, child.number, child.ref).text())
        self._venue.exchange.commit()
        for each in (order, *legs):
            self._told_placed(connection, each)
        if self._venue.faults.take("phantom_cancels"):
            connection.send(messages.error(head.number, *PHANTOM))

    def _rename(self, leg: Order, text: str) -> None:
        names = self._venue.exchange.by_client_id
        names.pop((leg.account, leg.client_order_id), None)
        leg.client_order_id = text
        names[(leg.account, text)] = leg
        self._venue.exchange.keep(leg)

    def _join_oca(self, account: Account, new: NewOrder, head: Placed) -> Order | None:
        """The second of a group that cancels one another becomes a leg beside the first."""
        if not head.oca:
            return None
        first = next(
            (o for o in self._venue.exchange.open_orders(account, new.symbol) if o.reason == f"oca:{head.oca}"), None
        )
        now = self._venue.sync()
        if first is None:
            order = self._venue.admission.submit(account, new, now)
            if isinstance(order, Order):
                order.reason = f"oca:{head.oca}"
                self._venue.exchange.keep(order)
            return order if isinstance(order, Order) else None
        (order,) = self._venue.admission.build(account, new, now)
        order.reason, order.group = first.reason, first.id
        order.role = "stop_loss" if order.type != "limit" else "take_profit"
        first.group, first.role = first.id, "take_profit" if order.role == "stop_loss" else "stop_loss"
        self._venue.exchange.add([order])
        return order

    def _new_order(self, client: int, head: Placed, children: list[Placed]) -> NewOrder:
        symbol = self._symbol(head)
        target = next((child.limit for child in children if child.type == "limit"), None)
        stop = next((child for child in children if child.type in ("stop", "stop_limit")), None)
        kind = "bracket" if len(children) == 2 else ("oto" if children else "simple")
        return NewOrder(
            symbol=symbol,
            side="buy" if side_of(head) == "buy" else "sell",
            type=head.type,
            time_in_force="gtc" if head.force == "GTC" else "day",
            order_class=kind,  # type: ignore[arg-type]
            client_order_id=Name(client, head.number, head.ref).text(),
            qty=head.quantity,
            notional=None,
            limit_price=head.limit,
            stop_price=head.stop,
            trail_price=head.trail_amount,
            trail_percent=head.trail_percent,
            extended_hours=head.outside_rth,
            take_profit_limit=target,
            stop_loss_stop=stop.stop if stop else None,
            stop_loss_limit=stop.limit if stop else None,
        )

    def _modify(self, connection: "Connection", order: Order, placed: Placed) -> None:
        if not order.is_open:
            connection.send(messages.error(placed.number, 104, "Cannot modify a filled order."))
            return
        change = Replacement(
            placed.quantity if placed.quantity != order.qty else None,
            placed.limit,
            placed.stop,
            placed.trail_percent if order.trail_percent is not None else placed.trail_amount,
            "gtc" if placed.force == "GTC" else "day",
            None,
        )
        refusal = self._venue.admission.amend(_account(connection), order, change, self._venue.sync())
        if refusal is not None:
            code = 110 if "increment" in refusal.message else 201
            connection.send(messages.error(placed.number, code, f"Order rejected - reason:{refusal.message}"))
        self._told_placed(connection, order)

    def _cancel(self, connection: "Connection", fields: list[str]) -> None:
        number = int(fields[2])
        order = self._find(connection.client, number)
        if order is None:
            self._held.pop((connection.client, number), None)
            connection.send(messages.error(number, 10147, f"OrderId {number} that needs to be cancelled is not found."))
        elif not order.is_open:
            connection.send(
                messages.error(number, 10148, f"OrderId {number} that needs to be cancelled can not be cancelled")
            )
        else:
            self._venue.exchange.cancel(order, self._venue.sync())
            self._venue.exchange.commit()

    def _cancel_all(self, connection: "Connection", fields: list[str]) -> None:
        now = self._venue.sync()
        for order in self._venue.exchange.open_orders(_account(connection)):
            if order.is_open:
                self._venue.exchange.cancel(order, now)
        self._venue.exchange.commit()

    # telling

    def told(self, event: OrderEvent, account: str) -> list[Fields]:
        """The messages of one event."""
        order = event.order
        told: list[Fields] = []
        if event.fill is not None:
            told.append(messages.execution(-1, event.fill, order, self._about(order), account))
        if event.kind in ("new", "amended"):
            told.append(messages.open_order(order, self._about(order), account, self._parent(order), _oca(order)))
        price = event.fill.price if event.fill is not None else None
        told.append(messages.order_status(order, self._parent(order), price))
        if event.fill is not None:
            told.append(messages.commission(event.fill))
        if event.kind in ("canceled", "expired"):
            told.append(messages.error(name_of(order).order, 202, "Order Canceled - reason:"))
        return told

    def _told_placed(self, connection: "Connection", order: Order) -> None:
        about, parent = self._about(order), self._parent(order)
        connection.send(
            messages.open_order(order, about, connection.number, parent, _oca(order)),
            messages.order_status(order, parent),
        )

    def _open_orders(self, connection: "Connection", *, own: bool) -> None:
        for order in self._listed(_account(connection)):
            if not own or name_of(order).client == connection.client:
                self._told_placed(connection, order)
        connection.send([53, 1])

    def _listed(self, account: Account) -> list[Order]:
        return [] if self._venue.faults.hide_orders else self._venue.exchange.open_orders(account)

    def _completed(self, connection: "Connection", fields: list[str]) -> None:
        """Today's final orders."""
        today = utc(self._venue.sync()).astimezone(NEW_YORK).date()
        for order in () if self._venue.faults.hide_orders else self._venue.exchange.orders.values():
            ended = utc(max(order.updated_ms, order.submitted_ms)).astimezone(NEW_YORK).date()
            if order.account == _account(connection).id and not order.is_open and ended == today:
                connection.send(messages.completed_order(order, self._about(order), connection.number, _oca(order)))
        connection.send([102])

    def _executions(self, connection: "Connection", fields: list[str]) -> None:
        """Of the account, today's; a filter's time, client and symbol are kept to."""
        asked = read_executions(fields)
        number = asked.number
        today = utc(self._venue.sync()).astimezone(NEW_YORK).date()
        for fill in self._venue.exchange.fills:
            day = utc(fill.time_ms).astimezone(NEW_YORK).date()
            order = self._venue.exchange.orders[fill.order_id]
            if fill.account == _account(connection).id and day == today and asked.wants(fill, name_of(order).client):
                told = messages.execution(number, fill, order, self._about(order), connection.number)
                connection.send(told, messages.commission(fill))
        connection.send([55, 1, number])

    # account

    def positions_changed(self, symbol: str, connection: "Connection") -> list[Fields]:
        """What a client that follows positions is told after a fill."""
        held = _account(connection).positions.get(symbol) or Position(symbol, Decimal(0), Decimal(0))
        return [messages.position(held, self._contract(symbol), connection.number)]

    def _positions(self, connection: "Connection", fields: list[str]) -> None:
        connection.follows_positions = True
        for held in _account(connection).positions.values():
            connection.send(messages.position(held, self._contract(held.symbol), connection.number))
        connection.send([62, 1])

    def _account_updates(self, connection: "Connection", fields: list[str]) -> None:
        if fields[2] != "1":
            return
        now = self._venue.sync()
        for key, value in self._values(connection):
            connection.send([6, 2, key, value, "USD", connection.number])
        for held in _account(connection).positions.values():
            price = self._venue.view.price(held.symbol, now) or held.average_price
            connection.send(messages.portfolio(held, self._contract(held.symbol), price, connection.number))
        connection.send([8, 1, f"{utc(now).astimezone(NEW_YORK):%H:%M}"], [54, 1, connection.number])

    def _updates_multi(self, connection: "Connection", fields: list[str]) -> None:
        number = int(fields[2])
        for key, value in self._values(connection):
            connection.send([73, 1, number, connection.number, "", key, value, "USD"])
        connection.send([74, 1, number])

    def _summary(self, connection: "Connection", fields: list[str]) -> None:
        number = int(fields[2])
        for key, value in self._values(connection):
            connection.send([63, 1, number, connection.number, key, value, "USD"])
        connection.send([64, 1, number])

    def _values(self, connection: "Connection") -> Iterator[tuple[str, Decimal | str]]:
        account = _account(connection)
        worth = self._venue.exchange.worth(account, self._venue.sync())
        yield "AccountType", "INDIVIDUAL"
        yield "NetLiquidation", round(worth.equity, 2)
        yield "TotalCashValue", round(account.cash, 2)
        yield "BuyingPower", round(worth.buying_power, 2)
        yield "PreviousDayEquityWithLoanValue", round(account.last_equity, 2)
        yield "GrossPositionValue", round(worth.gross, 2)

    # finding

    def _find(self, client: int, number: int) -> Order | None:
        for order in self._venue.exchange.orders.values():
            name = name_of(order)
            if (name.client, name.order) == (client, number):
                return order
        return None

    def _symbol(self, placed: Placed) -> str:
        symbol = placed.what.symbol or self._by_number(placed.what.con_id)
        if symbol not in self._venue.market.index or placed.what.kind not in ("", "STK"):
            raise Unreadable(200, "No security definition has been found for the request")
        return symbol

    def _by_number(self, con_id: int) -> str:
        row = con_id - messages.FIRST_CON_ID
        listed = self._venue.market.instruments
        return listed[row].symbol if 0 <= row < len(listed) else ""

    def _about(self, order: Order) -> list[Any]:
        return self._contract(order.symbol)

    def _contract(self, symbol: str) -> list[Any]:
        row = self._venue.market.index[symbol]
        return messages.contract(self._venue.market.instruments[row], row)

    def _parent(self, order: Order) -> int:
        if order.group in (None, order.id) or order.reason.startswith("oca:"):
            return 0
        head = self._venue.exchange.orders.get(order.group or "")
        return name_of(head).order if head is not None else 0


def _account(connection: "Connection") -> Account:
    account = connection.account
    if account is None:
        raise Unreadable(502, "not logged in")
    return account


def _oca(order: Order) -> str:
    return order.reason.removeprefix("oca:") if order.reason.startswith("oca:") else ""
