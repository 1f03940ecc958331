"""Orders at the gateway: known by our own reference, sent once, ends believed only when confirmed."""

import asyncio
import copy
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tbot_bot.broker.brokers import ibkr_wire as wire
from tbot_bot.broker.brokers.ibkr_market import IbkrMarket
from tbot_bot.broker.brokers.ibkr_session import Gate, IbkrSession
from tbot_bot.domain.errors import BrokerUnavailable, DataInvalid, OrderFateUnknown, OrderRefused
from tbot_bot.domain.orders import (
    FINAL_STATUSES,
    ClientOrderId,
    Execution,
    OrderChange,
    OrderIntent,
    OrderReport,
)
from tbot_bot.ports.clock import MarketClock

_COMMISSION_S = 1.0
_POLL_S = 0.01


class IbkrOrders:
    """Everything here runs in the session's loop. `tell` is called with each change of an order that is pushed."""

    def __init__(
        self, session: IbkrSession, library: Any, market: IbkrMarket, clock: MarketClock, timeout_s: float
    ) -> None:
        self._session = session
        self._library = library
        self._market = market
        self._clock = clock
        self._timeout = timeout_s
        self._sent: set[ClientOrderId] = set()
        self.tell: Callable[[OrderReport], None] = lambda report: None

    async def up(self) -> None:
        """All orders and fills of today are asked for, and told. A connect of the library goes on without what comes
        too late, and an outage of the gateway's own makes it ask for nothing; here an answer is needed."""
        ib = self._session.ib
        ib.orderStatusEvent -= self._changed
        ib.orderStatusEvent += self._changed
        await self._open_trades()
        await self._completed()
        await ib.reqExecutionsAsync()
        for trade in ib.trades():
            self._tell(trade)

    # sending

    async def submit(self, intent: OrderIntent, gate: Gate) -> OrderReport:
        """Raises OrderRefused, OrderFateUnknown, BrokerUnavailable. An id that was sent before is searched for first:
        the gateway would take it in again."""
        client_id = intent.client_id
        if client_id in self._sent or self._is_known(client_id):
            gate.send()
            first = await self.find(client_id)
            if first is not None:
                return first
        contract = await self._market.contract(intent.symbol)
        if contract is None:
            raise OrderRefused(client_id, f"the broker knows no stock {intent.symbol}", "200")
        ib = self._session.ib
        exits = sum(price is not None for price in (intent.take_profit_price, intent.stop_loss_price))
        numbers = [ib.client.getReqId() for _ in range(1 + exits)]
        family = wire.orders_of(self._library, intent, self._session.account, numbers)
        gate.send()
        self._sent.add(client_id)
        trades = [ib.placeOrder(contract, order) for order in family]
        return await self._acknowledged(trades[0], client_id)

    def _is_known(self, client_id: ClientOrderId) -> bool:
        """Whether a process before this one may have sent it: a connect brings today's orders and fills."""
        ib = self._session.ib
        refs = {trade.order.orderRef for trade in ib.trades()} | {fill.execution.orderRef for fill in ib.fills()}
        return client_id in refs

    async def _acknowledged(self, trade: Any, client_id: ClientOrderId) -> OrderReport:
        """The first word on an order; where that is an end, whether it is true."""
        end = asyncio.get_running_loop().time() + self._timeout
        while trade.orderStatus.status in wire.UNANSWERED:
            if asyncio.get_running_loop().time() > end or not self._session.ib.isConnected():
                raise OrderFateUnknown(client_id)
            await asyncio.sleep(_POLL_S)
        if trade.orderStatus.status not in wire.ENDED:
            return self._report(trade)
        report = await self.find(client_id)
        code, words = self._session.errors.get(trade.order.orderId, (0, ""))
        if report is None or (report.status in FINAL_STATUSES and not report.filled_quantity and code):
            raise OrderRefused(client_id, words or "the gateway cancelled it", str(code))
        return report

    async def replace(self, client_id: ClientOrderId, change: OrderChange, gate: Gate) -> OrderReport:
        """The order placed again under its own number, which changes it. Raises as `submit`."""
        trade = await self._own_trade(client_id)
        if trade is None:
            report = await self.find(client_id)
            if report is None:
                raise BrokerUnavailable(f"the broker knows no order {client_id} (yet): ask again")
            raise OrderRefused(client_id, f"the order is {report.status} and cannot be changed", "104")
        order = copy.copy(trade.order)
        for name, value in _changes(change).items():
            setattr(order, name, value)
        order.transmit = True
        self._session.errors.pop(order.orderId, None)
        gate.send()
        self._session.ib.placeOrder(trade.contract, order)
        report = await self.find(client_id)
        code, words = self._session.errors.pop(order.orderId, (0, ""))
        if report is None:
            raise OrderFateUnknown(client_id)
        if report.status not in FINAL_STATUSES and not _stands(report, change, code):
            raise OrderRefused(client_id, words or "the gateway left the order as it was", str(code))
        return report

    async def cancel(self, client_id: ClientOrderId) -> None:
        """Raises BrokerUnavailable when the broker does not know the order (yet), or another client placed it."""
        trade = await self._own_trade(client_id)
        if trade is not None:
            self._session.ib.cancelOrder(trade.order)
            return
        report = await self.find(client_id)
        if report is None:
            raise BrokerUnavailable(f"the broker knows no order {client_id} (yet): ask again")
        if report.status not in FINAL_STATUSES:
            raise BrokerUnavailable(f"order {client_id} belongs to another client of the gateway: cancel it there")

    # asking

    async def open(self) -> tuple[OrderReport, ...]:
        """Of all the gateway's clients."""
        reports = (self._report(trade) for trade in await self._open_trades())
        return tuple(report for report in reports if report.status not in FINAL_STATUSES)

    async def find(self, client_id: ClientOrderId) -> OrderReport | None:
        """By its reference, among the open orders, today's completed ones, and today's executions."""
        trade = next((t for t in await self._open_trades() if t.order.orderRef == client_id), None)
        if trade is not None:
            return self._report(trade)
        completed = await self._completed()
        await self._session.ib.reqExecutionsAsync()
        trade = next((t for t in completed if t.order.orderRef == client_id), None)
        if trade is not None:
            return self._report(trade)
        if any(fill.execution.orderRef == client_id for fill in self._session.ib.fills()):
            # Fills come before the list has their order: to say that there is none would let it be sent twice.
            raise BrokerUnavailable(f"order {client_id} has executions, but the gateway does not list it: ask again")
        return None

    async def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        """Today's, with their commissions, which come a moment after them."""
        ib = self._session.ib
        await ib.reqExecutionsAsync()
        end = asyncio.get_running_loop().time() + _COMMISSION_S
        while not all(f.commissionReport.execId for f in ib.fills()) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(_POLL_S)
        # One without its commission is told next time: what is booked once is not corrected.
        told = (wire.parse_fill(fill) for fill in ib.fills() if fill.commissionReport.execId)
        found = {execution.execution_id: execution for execution in told}
        return tuple(sorted((e for e in found.values() if e.at >= since), key=lambda e: e.at))

    async def _open_trades(self) -> list[Any]:
        """As the gateway lists them now; a listed order's state replaces what was believed of it here."""
        listed = await self._session.only("reqAllOpenOrdersAsync")
        # What was pushed while the list came is in it as well.
        return list({id(trade): trade for trade in listed}.values())

    async def _completed(self) -> list[Any]:
        """Today's final orders."""
        ib = self._session.ib
        return list(await self._session.one_at_a_time("completed", lambda: ib.reqCompletedOrdersAsync(False)))

    async def _own_trade(self, client_id: ClientOrderId) -> Any | None:
        mine = self._session.ib.client.clientId
        trades = await self._open_trades()
        return next((t for t in trades if t.order.orderRef == client_id and t.order.clientId == mine), None)

    def _report(self, trade: Any) -> OrderReport:
        perm = trade.order.permId
        fills = [f for f in self._session.ib.fills() if f.execution.permId == perm and perm]
        latest = {f.execution.execId.rpartition(".")[0]: f for f in fills}
        words = self._session.errors.get(trade.order.orderId, (0, ""))[1] if trade.order.orderId else ""
        return wire.parse_trade(trade, latest.values(), self._clock.now(), words)

    # telling

    def _changed(self, trade: Any) -> None:
        """An end that only the library concluded from an error may be none: it is asked for before it is told."""
        if trade.orderStatus.status in wire.ENDED:
            self._session.later(self._confirm(trade.order.orderRef))
        elif trade.orderStatus.status not in wire.UNANSWERED:
            self._tell(trade)

    async def _confirm(self, reference: str) -> None:
        """What cannot be known now is told by whoever polls beside the stream, or after the next connect."""
        report = await self.find(ClientOrderId(reference)) if reference else None
        if report is not None:
            self.tell(report)

    def _tell(self, trade: Any) -> None:
        try:
            report = self._report(trade)
        except DataInvalid:
            # A fill without its price: the execution follows, and tells it.
            return
        self.tell(report)


def _changes(change: OrderChange) -> dict[str, float]:
    wanted = {
        "totalQuantity": change.quantity,
        "lmtPrice": change.limit_price,
        "auxPrice": change.stop_price,
        "trailingPercent": change.trail_percent,
    }
    return {name: float(value) for name, value in wanted.items() if value is not None}


def _stands(report: OrderReport, change: OrderChange, code: int) -> bool:
    """Whether the gateway lists the order as it was wanted. It lists no trailing percent of an order that is known
    already: there, silence is consent."""
    pairs = (
        (change.quantity, report.quantity),
        (change.limit_price, report.limit_price),
        (change.stop_price, report.stop_price),
    )
    return all(told == wanted for wanted, told in pairs if wanted is not None) and not (change.trail_percent and code)
