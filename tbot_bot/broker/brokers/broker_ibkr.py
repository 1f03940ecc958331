"""Interactive Brokers through TWS or IB Gateway: orders by our own reference, ends believed when confirmed."""

import asyncio
import copy
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from tbot_bot.broker.brokers import ibkr_library
from tbot_bot.broker.brokers import ibkr_wire as wire
from tbot_bot.broker.brokers.ibkr_market import RUNNING_BARS, IbkrMarket
from tbot_bot.broker.brokers.ibkr_session import IbkrSession, Where
from tbot_bot.broker.http import RetryPolicy
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.errors import (
    BrokerDenied,
    BrokerError,
    BrokerUnavailable,
    ConfigInvalid,
    DataInvalid,
    OrderFateUnknown,
    OrderRefused,
)
from tbot_bot.domain.market import Asset, Bar, BrokerClock, DailyBar, Quote, Symbol
from tbot_bot.domain.orders import FINAL_STATUSES, ClientOrderId, Execution, OrderChange, OrderIntent, OrderReport
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours
from tbot_bot.domain.settings import BotSettings, BrokerCredentials
from tbot_bot.ports.broker import Capabilities, StreamHandlers
from tbot_bot.ports.clock import MarketClock
from tbot_bot.support.calendar import ExchangeCalendar
from tbot_bot.support.loopback import is_loopback

T = TypeVar("T")
IBKR_CAPABILITIES = Capabilities(
    fractional=False,
    notional=False,
    short=True,
    puts=False,
    bracket=True,
    trailing=True,
    resting_stop_fractional=False,
    minimum_notional=Decimal(0),
    share_step=Decimal(1),
    extended_hours=True,
    replaces_in_place=True,
    halts=True,
    listing=False,
    bar_symbols=RUNNING_BARS,
)
CLIENT_ID = 70
"""Of the process that trades; others count up from it. Always the same: a client sees the orders of its own id."""
PAPER_PORT = 4002
_PROBE = Symbol("SPY")
_HISTORY_LIMIT, _HISTORY_SECONDS = 58, 600.0
_COMMISSION_S = 1.0
_ACK_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class IbkrOptions:
    """API_TIMEOUT (seconds), API_RETRY_LIMIT (tries after the first) and the client id at the gateway."""

    timeout_s: float
    retries: int
    client: int = CLIENT_ID


class IbkrBroker:
    """Implements ports.Broker, MarketData and Streams. Thread-safe: all work is done in the session's loop."""

    def __init__(
        self, credentials: BrokerCredentials, options: IbkrOptions, clock: MarketClock, links: BrokerLinks
    ) -> None:
        host, port = _address(credentials.broker_host)
        self._library = ibkr_library.load()
        self._timeout = options.timeout_s
        self._policy = RetryPolicy(options.timeout_s, options.retries)
        self._clock = clock
        self._log = links.api_log
        self._calendar = ExchangeCalendar()
        self._handlers: StreamHandlers | None = None
        where = Where(host, port, options.client + links.role, credentials.broker_account_number, options.timeout_s)
        self._session = IbkrSession(self._library, where, links.api_log, self._up, self._state)
        history = links.limits(lambda: clock.speed).budget(
            f"{credentials.broker_host}{credentials.broker_account_number}", "history", _HISTORY_LIMIT, _HISTORY_SECONDS
        )
        self._market = IbkrMarket(self._session, self._library, clock, history)
        self._sent: set[ClientOrderId] = set()
        self._turn: asyncio.Lock | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def capabilities(self) -> Capabilities:
        return IBKR_CAPABILITIES

    def connect(self) -> None:
        """Prove the gateway, and that it serves the account that BROKER_ACCOUNT_NUMBER names."""
        self.get_account_info()

    def self_check(self) -> tuple[str, ...]:
        try:
            self.connect()
            priced = self.quotes((_PROBE,))
        except BrokerError as error:
            return (str(error),)
        return (
            ()
            if priced
            else (f"no live market data: the account has no quote of {_PROBE} (delayed ones do not count)",)
        )

    def close(self) -> None:
        """Stop the streams and give the connection back."""
        self._handlers = None
        self._session.close()
        self._log.close()

    # account and market facts

    def get_clock(self) -> BrokerClock:
        """The gateway's time; the hours are the exchange's calendar's."""
        now: datetime = self._ask(lambda: self._session.ib.reqCurrentTimeAsync())
        now = now.astimezone(UTC)
        hours = self.get_calendar(now.date() - timedelta(days=1), now.date() + timedelta(days=12))
        following = [each for each in hours if each.open > now]
        closing = [each for each in hours if each.close > now]
        return BrokerClock(now, closing[0].open <= now, following[0].open, closing[0].close)

    def get_calendar(self, first: date, last: date) -> tuple[SessionHours, ...]:
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        try:
            found = (self._calendar.hours(day) for day in days)
            return tuple(hours for hours in found if hours is not None)
        except DataInvalid as error:
            raise BrokerUnavailable(str(error)) from error

    def get_assets(self, symbols: Sequence[Symbol] | None = None) -> tuple[Asset, ...]:
        """Raises BrokerDenied without symbols: the gateway keeps no list of all."""
        if symbols is None:
            raise BrokerDenied("IBKR has no list of all symbols: name those that the universe is to be chosen from")
        return self._ask(lambda: self._market.assets(symbols), 2 + 0.2 * len(symbols))

    def get_account_info(self) -> Account:
        async def ask() -> Account:
            ib, account = self._session.ib, self._session.account
            async with self._turns():
                await ib.reqAccountUpdatesAsync(account)
            return wire.parse_account(ib.accountValues(account), account)

        return self._ask(ask)

    def get_positions(self) -> tuple[Position, ...]:
        async def ask() -> tuple[Position, ...]:
            async with self._turns():
                told = await self._session.ib.reqPositionsAsync()
            found = (wire.parse_position(each) for each in told if each.account == self._session.account)
            return tuple(position for position in found if position is not None)

        return self._ask(ask)

    # orders

    def open_orders(self) -> tuple[OrderReport, ...]:
        """Of all the gateway's clients."""

        async def ask() -> tuple[OrderReport, ...]:
            reports = (self._report(trade) for trade in await self._open_trades())
            return tuple(report for report in reports if report.status not in FINAL_STATUSES)

        return self._ask(ask)

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        """Searched for by its reference among the open orders, today's completed ones, and today's executions."""
        return self._ask(lambda: self._find(client_id))

    def submit_order(self, intent: OrderIntent) -> OrderReport:
        """See ports.Broker. An id that was sent before is searched for first: the gateway would take it in again."""
        _check(intent)
        sent: list[bool] = []
        try:
            return self._session.call(lambda: self._submit(intent, sent))
        except (OrderRefused, OrderFateUnknown):
            raise
        except (BrokerError, DataInvalid) as error:
            if sent:
                raise OrderFateUnknown(intent.client_id) from error
            raise OrderRefused(intent.client_id, f"not sent: {error}", "not_sent") from error

    async def _submit(self, intent: OrderIntent, sent: list[bool]) -> OrderReport:
        client_id = intent.client_id
        if client_id in self._sent or self._is_known(client_id):
            sent.append(True)
            first = await self._find(client_id)
            if first is not None:
                return first
        contract = await self._market.contract(intent.symbol)
        if contract is None:
            raise OrderRefused(client_id, f"the broker knows no stock {intent.symbol}", "200")
        ib = self._session.ib
        exits = sum(price is not None for price in (intent.take_profit_price, intent.stop_loss_price))
        numbers = [ib.client.getReqId() for _ in range(1 + exits)]
        family = wire.orders_of(self._library, intent, self._session.account, numbers)
        self._sent.add(client_id)
        sent.append(True)
        trades = [ib.placeOrder(contract, order) for order in family]
        return await self._acknowledged(trades[0], client_id)

    def _is_known(self, client_id: ClientOrderId) -> bool:
        """Whether a process before this one may have sent it: a connect brings today's orders and fills."""
        ib = self._session.ib
        return any(trade.order.orderRef == client_id for trade in ib.trades()) or any(
            fill.execution.orderRef == client_id for fill in ib.fills()
        )

    async def _acknowledged(self, trade: Any, client_id: ClientOrderId) -> OrderReport:
        """The first word on an order; where that is an end, whether it is true."""
        end = asyncio.get_running_loop().time() + self._timeout
        while trade.orderStatus.status in wire.UNANSWERED:
            if asyncio.get_running_loop().time() > end or not self._session.ib.isConnected():
                raise OrderFateUnknown(client_id)
            await asyncio.sleep(_ACK_POLL_S)
        if trade.orderStatus.status not in wire.ENDED:
            return self._report(trade)
        report = await self._find(client_id)
        code, words = self._session.errors.get(trade.order.orderId, (0, ""))
        if report is None or (report.status in FINAL_STATUSES and not report.filled_quantity and code):
            raise OrderRefused(client_id, words or "the gateway cancelled it", str(code))
        return report

    def replace_order(self, client_id: ClientOrderId, change: OrderChange) -> OrderReport:
        """See ports.Broker: here the order is placed again under its own number, which changes it."""
        sent: list[bool] = []
        try:
            return self._session.call(lambda: self._replace(client_id, change, sent))
        except (BrokerError, DataInvalid) as error:
            if sent:
                raise OrderFateUnknown(client_id) from error
            raise

    async def _replace(self, client_id: ClientOrderId, change: OrderChange, sent: list[bool]) -> OrderReport:
        trade = await self._own_trade(client_id)
        if trade is None:
            report = await self._find(client_id)
            if report is None:
                raise BrokerUnavailable(f"the broker knows no order {client_id} (yet): ask again")
            raise OrderRefused(client_id, f"the order is {report.status} and cannot be changed", "104")
        order = copy.copy(trade.order)
        wanted = {
            "totalQuantity": change.quantity,
            "lmtPrice": change.limit_price,
            "auxPrice": change.stop_price,
            "trailingPercent": change.trail_percent,
        }
        for name, value in wanted.items():
            if value is not None:
                setattr(order, name, float(value))
        order.transmit = True
        self._session.errors.pop(order.orderId, None)
        sent.append(True)
        self._session.ib.placeOrder(trade.contract, order)
        report = await self._find(client_id)
        code, words = self._session.errors.pop(order.orderId, (0, ""))
        if report is None:
            raise OrderFateUnknown(client_id)
        for told, asked in ((report.limit_price, change.limit_price), (report.stop_price, change.stop_price)):
            if asked is not None and told != asked and report.status not in FINAL_STATUSES:
                raise OrderRefused(client_id, words or "the gateway left the order as it was", str(code))
        return report

    def cancel_order(self, client_id: ClientOrderId) -> None:
        """Raises BrokerUnavailable when the broker does not know the order (yet): asking again is safe."""

        async def ask() -> None:
            trade = await self._own_trade(client_id)
            if trade is not None:
                self._session.ib.cancelOrder(trade.order)
                return
            report = await self._find(client_id)
            if report is None:
                raise BrokerUnavailable(f"the broker knows no order {client_id} (yet): ask again")
            if report.status not in FINAL_STATUSES:
                raise BrokerUnavailable(f"order {client_id} belongs to another client of the gateway: cancel it there")

        self._ask(ask)

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        """Today's, with their commissions, which come a moment after them."""

        async def ask() -> tuple[Execution, ...]:
            ib = self._session.ib
            await ib.reqExecutionsAsync()
            end = asyncio.get_running_loop().time() + _COMMISSION_S
            while not all(f.commissionReport.execId for f in ib.fills()) and asyncio.get_running_loop().time() < end:
                await asyncio.sleep(_ACK_POLL_S)
            # One without its commission is told next time: what is booked once is not corrected.
            found = {e.execution_id: e for f in ib.fills() if f.commissionReport.execId for e in (wire.parse_fill(f),)}
            return tuple(sorted((e for e in found.values() if e.at >= since), key=lambda e: e.at))

        return self._ask(ask)

    async def _open_trades(self) -> list[Any]:
        """As the gateway lists them now; a listed order's state replaces what was believed of it here."""
        async with self._turns():
            listed = await self._session.ib.reqAllOpenOrdersAsync()
        # What was pushed while the list came is in it as well.
        return list({id(trade): trade for trade in listed}.values())

    async def _own_trade(self, client_id: ClientOrderId) -> Any | None:
        mine = self._session.ib.client.clientId
        trades = await self._open_trades()
        return next((t for t in trades if t.order.orderRef == client_id and t.order.clientId == mine), None)

    async def _find(self, client_id: ClientOrderId) -> OrderReport | None:
        trade = next((t for t in await self._open_trades() if t.order.orderRef == client_id), None)
        if trade is not None:
            return self._report(trade)
        async with self._turns():
            completed = await self._session.ib.reqCompletedOrdersAsync(False)
        await self._session.ib.reqExecutionsAsync()
        trade = next((t for t in completed if t.order.orderRef == client_id), None)
        if trade is not None:
            return self._report(trade)
        if any(fill.execution.orderRef == client_id for fill in self._session.ib.fills()):
            # Fills come before the list has their order: to say that there is none would let it be sent twice.
            raise BrokerUnavailable(f"order {client_id} has executions, but the gateway does not list it: ask again")
        return None

    def _report(self, trade: Any) -> OrderReport:
        perm = trade.order.permId
        fills = [f for f in self._session.ib.fills() if f.execution.permId == perm and perm]
        latest = {f.execution.execId.rpartition(".")[0]: f for f in fills}
        words = self._session.errors.get(trade.order.orderId, (0, ""))[1] if trade.order.orderId else ""
        return wire.parse_trade(trade, latest.values(), self._clock.now(), words)

    # market data

    def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        return self._ask(lambda: self._market.quotes(symbols), 3 + 0.2 * len(symbols))

    def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]:
        """One request a symbol. Raises BrokerDenied for more symbols than the gateway's pacing allows."""
        unique = tuple(dict.fromkeys(symbols))
        if len(unique) > RUNNING_BARS:
            raise BrokerDenied(f"IBKR's pacing allows minute bars of {RUNNING_BARS} symbols at once")
        return self._ask(lambda: self._market.bars(unique, start, end), 25 + len(unique))

    def daily_bars(self, symbols: Sequence[Symbol], first: date, last: date) -> tuple[DailyBar, ...]:
        return self._ask(lambda: self._market.daily_bars(symbols, first, last), 25 + len(symbols))

    # streams

    def start(self, handlers: StreamHandlers) -> None:
        self._handlers = handlers
        self._market.on_bar = handlers.on_bar
        self._market.on_quote = handlers.on_quote

        self._session.post(lambda: self._later(self._begin()))

    async def _begin(self) -> None:
        """Connect, or tell that it is connected, and go on from there."""
        try:
            if not await self._session.ensure():
                await self._up()
        except BrokerError as error:
            for name in ("data", "trading"):
                self._state(name, False, str(error))

    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        self._market.watched_bars = tuple(dict.fromkeys(symbols))[:RUNNING_BARS]
        self._rewatch()

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        self._market.watched_quotes = tuple(dict.fromkeys(symbols))
        self._rewatch()

    def _rewatch(self) -> None:
        if self._handlers is not None:
            self._session.post(lambda: self._later(self._market.watch()))

    def stop(self) -> None:
        """The connection stays; nothing is told any more."""
        self._handlers = None
        self._market.on_bar = lambda bar: None
        self._market.on_quote = lambda quote: None

    # in the loop

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _up(self) -> None:
        """After each connect the library holds today's orders and fills: tell them all, what happened meanwhile too."""
        ib = self._session.ib
        ib.orderStatusEvent -= self._status_changed
        ib.orderStatusEvent += self._status_changed
        # Where the gateway was cut off from its server the connection stayed: what happened there is asked for.
        await self._open_trades()
        await ib.reqExecutionsAsync()
        for trade in ib.trades():
            self._tell(trade)
        await self._market.up()

    def _status_changed(self, trade: Any) -> None:
        """An end that only the library concluded from an error may be none: it is asked for before it is told."""
        if trade.orderStatus.status in wire.ENDED:
            self._later(self._confirm(trade))
        elif trade.orderStatus.status not in wire.UNANSWERED:
            self._tell(trade)

    async def _confirm(self, trade: Any) -> None:
        handlers = self._handlers
        try:
            report = await self._find(ClientOrderId(trade.order.orderRef)) if trade.order.orderRef else None
        except (BrokerError, DataInvalid, ConnectionError):
            # Not to be known now: whoever polls beside the stream, or the next connect, tells the end.
            return
        if report is not None and handlers is not None:
            handlers.on_order(report)

    def _tell(self, trade: Any) -> None:
        if self._handlers is not None:
            try:
                self._handlers.on_order(self._report(trade))
            except DataInvalid:
                # A fill without its price: the execution follows, and tells it.
                return

    def _state(self, name: str, up: bool, words: str) -> None:
        if self._handlers is not None:
            self._handlers.on_state(name, up, words)

    def _turns(self) -> asyncio.Lock:
        """The library keeps one answer of a kind: the questions take turns."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    def _ask(self, work: Callable[[], Coroutine[Any, Any, T]], more_s: float = 0.0) -> T:
        """A question, or an act that may be repeated safely: asked again over a new connection."""
        for attempt in range(self._policy.retries + 1):
            try:
                return self._session.call(work, self._timeout * 2 + more_s)
            except BrokerDenied:
                raise
            except DataInvalid as error:
                raise BrokerUnavailable(f"the gateway's answer cannot be read: {error}") from error
            except BrokerUnavailable:
                if attempt == self._policy.retries:
                    raise
                time.sleep(self._policy.pause(attempt, None, self._clock.speed))
        raise AssertionError("a loop that returns or raises")


def build(credentials: BrokerCredentials, settings: BotSettings, clock: MarketClock, links: BrokerLinks) -> IbkrBroker:
    """The adapter as configured; see broker.gateway. Raises ConfigInvalid."""
    return IbkrBroker(
        credentials, IbkrOptions(settings.execution.api_timeout_s, settings.execution.api_retry_limit), clock, links
    )


def _check(intent: OrderIntent) -> None:
    quantity = intent.quantity
    if quantity is None or quantity != quantity.to_integral_value():
        raise OrderRefused(intent.client_id, "IBKR trades whole shares only through its API", "not_sent")


def _address(text: str) -> tuple[str, int]:
    """Host and port of BROKER_HOST; empty: IB Gateway for paper trading on this machine. Raises ConfigInvalid."""
    host, _, port = (text or f"127.0.0.1:{PAPER_PORT}").rpartition(":")
    if not host:
        host, port = port, str(PAPER_PORT)
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise ConfigInvalid("BROKER_HOST must be a host and a port, such as 127.0.0.1:4002")
    if not is_loopback(host.strip("[]")):
        raise ConfigInvalid(
            "BROKER_HOST must be on this machine: the gateway's socket is not encrypted. Run IB Gateway here, or bring"
            " its port here through ssh -L"
        )
    return host.strip("[]"), int(port)
