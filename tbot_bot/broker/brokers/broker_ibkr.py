"""Interactive Brokers through TWS or IB Gateway."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from tbot_bot.broker.answers import clock_at
from tbot_bot.broker.brokers import ibkr_library
from tbot_bot.broker.brokers import ibkr_wire as wire
from tbot_bot.broker.brokers.ibkr_market import RUNNING_BARS, IbkrMarket
from tbot_bot.broker.brokers.ibkr_orders import IbkrOrders
from tbot_bot.broker.brokers.ibkr_session import Gate, IbkrSession, Where, address
from tbot_bot.broker.http import RetryPolicy
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.domain.errors import (
    BrokerDenied,
    BrokerError,
    BrokerUnavailable,
    DataInvalid,
    OrderFateUnknown,
    OrderRefused,
)
from tbot_bot.domain.market import Asset, Bar, BrokerClock, DailyBar, Quote, Symbol
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderChange, OrderIntent, OrderReport
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours
from tbot_bot.domain.settings import BotSettings, BrokerCredentials
from tbot_bot.ports.broker import Capabilities, StreamHandlers
from tbot_bot.ports.clock import MarketClock
from tbot_bot.support.calendar import ExchangeCalendar

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
_PROBE = Symbol("SPY")
_HISTORY_LIMIT, _HISTORY_SECONDS = 58, 600.0


@dataclass(frozen=True, slots=True)
class IbkrOptions:
    """API_TIMEOUT (seconds) and API_RETRY_LIMIT (tries after the first)."""

    timeout_s: float
    retries: int


class IbkrBroker:
    """Implements ports.Broker, MarketData and Streams. Thread-safe: all work is done in the session's loop."""

    def __init__(
        self, credentials: BrokerCredentials, options: IbkrOptions, clock: MarketClock, links: BrokerLinks
    ) -> None:
        host, port = address(credentials.broker_host)
        account, library = credentials.broker_account_number, ibkr_library.load()
        self._timeout = options.timeout_s
        self._policy = RetryPolicy(options.timeout_s, options.retries)
        self._clock = clock
        self._log = links.api_log
        self._calendar = ExchangeCalendar()
        self._handlers: StreamHandlers | None = None
        where = Where(host, port, CLIENT_ID + links.role, account, options.timeout_s)
        self._session = IbkrSession(library, where, links.api_log, self._up, self._state)
        limits = links.limits(lambda: clock.speed)
        history = limits.budget(f"{credentials.broker_host}{account}", "history", _HISTORY_LIMIT, _HISTORY_SECONDS)
        self._market = IbkrMarket(self._session, library, clock, history)
        self._orders = IbkrOrders(self._session, library, self._market, clock, options.timeout_s)

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
        return () if priced else (f"no live market data: there is no quote of {_PROBE} (delayed ones do not count)",)

    def close(self) -> None:
        """Stop the streams and give the connection back."""
        self._handlers = None
        self._session.close()
        self._log.close()

    # account and market facts

    def get_clock(self) -> BrokerClock:
        """The gateway's time; the hours are the exchange's calendar's."""
        told: datetime = self._ask(lambda: self._session.only("reqCurrentTimeAsync"))
        now = told.astimezone(UTC)
        return clock_at(now, self.get_calendar(now.date() - timedelta(days=1), now.date() + timedelta(days=12)))

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
            await self._session.one_at_a_time("account", lambda: ib.reqAccountUpdatesAsync(account))
            return wire.parse_account(ib.accountValues(account), account)

        return self._ask(ask)

    def get_positions(self) -> tuple[Position, ...]:
        async def ask() -> tuple[Position, ...]:
            told = await self._session.only("reqPositionsAsync")
            found = (wire.parse_position(each) for each in told if each.account == self._session.account)
            return tuple(position for position in found if position is not None)

        return self._ask(ask)

    # orders

    def open_orders(self) -> tuple[OrderReport, ...]:
        return self._ask(self._orders.open)

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        return self._ask(lambda: self._orders.find(client_id))

    def submit_order(self, intent: OrderIntent) -> OrderReport:
        """See ports.Broker, and IbkrOrders.submit."""
        if intent.quantity is None or intent.quantity != intent.quantity.to_integral_value():
            raise OrderRefused(intent.client_id, "IBKR trades whole shares only through its API", "not_sent")
        return self._send(intent.client_id, lambda gate: self._orders.submit(intent, gate))

    def replace_order(self, client_id: ClientOrderId, change: OrderChange) -> OrderReport:
        """See ports.Broker, and IbkrOrders.replace."""
        return self._send(client_id, lambda gate: self._orders.replace(client_id, change, gate))

    def _send(self, client_id: ClientOrderId, work: Callable[[Gate], Coroutine[Any, Any, OrderReport]]) -> OrderReport:
        """Once. What was not sent when this returns never will be."""
        gate = Gate()
        try:
            return self._session.call(lambda: work(gate))
        except (OrderRefused, OrderFateUnknown):
            raise
        except (BrokerError, DataInvalid) as error:
            if gate.give_up():
                raise OrderFateUnknown(client_id) from error
            raise OrderRefused(client_id, f"not sent: {error}", "not_sent") from error

    def cancel_order(self, client_id: ClientOrderId) -> None:
        """Raises BrokerUnavailable when the broker does not know the order (yet): asking again is safe."""
        self._ask(lambda: self._orders.cancel(client_id))

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        return self._ask(lambda: self._orders.executions_since(since))

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
        self._market.on_bar, self._market.on_quote = handlers.on_bar, handlers.on_quote
        self._orders.tell = handlers.on_order
        self._session.post(self._begin)

    async def _begin(self) -> None:
        """Connect, or tell that it is connected, and go on from there; the session tells what fails, and goes on."""
        if not await self._session.ensure():
            await self._up()

    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        self._market.watch_bars(symbols)

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        self._market.watch_quotes(symbols)

    def stop(self) -> None:
        """The connection stays; nothing is told any more."""
        self._handlers = None
        self._market.on_bar = lambda bar: None
        self._market.on_quote = lambda quote: None
        self._orders.tell = lambda report: None

    # in the loop

    async def _up(self) -> None:
        await self._orders.up()
        await self._market.up()

    def _state(self, name: str, up: bool, words: str) -> None:
        if self._handlers is not None:
            self._handlers.on_state(name, up, words)

    def _ask(self, work: Callable[[], Coroutine[Any, Any, T]], more_s: float = 0.0) -> T:
        """A question, or an act that may be repeated safely: asked again over a new connection."""
        attempt = 0
        while True:
            try:
                return self._session.call(work, self._timeout * 2 + more_s)
            except BrokerDenied:
                raise
            except DataInvalid as error:
                raise BrokerUnavailable(f"the gateway's answer cannot be read: {error}") from error
            except BrokerUnavailable:
                if attempt == self._policy.retries:
                    raise
            self._policy.rest(attempt, None, self._clock.speed)
            attempt += 1


def build(credentials: BrokerCredentials, settings: BotSettings, clock: MarketClock, links: BrokerLinks) -> IbkrBroker:
    """The adapter as configured; see broker.gateway. Raises ConfigInvalid."""
    limits = settings.execution
    return IbkrBroker(credentials, IbkrOptions(limits.api_timeout_s, limits.api_retry_limit), clock, links)
