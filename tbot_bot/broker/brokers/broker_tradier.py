"""Tradier: REST alone. It has no idempotency and tells sums of fills, so both are made good here."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from tbot_bot.broker.answers import clock_at, read, readable
from tbot_bot.broker.brokers import tradier_wire as wire
from tbot_bot.broker.brokers.tradier_http import PER_MINUTE, TradierHttp
from tbot_bot.broker.http import HttpFault, RetryPolicy
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.broker.polling import Cadence, Poller
from tbot_bot.broker.rate_limit import Urgency
from tbot_bot.domain.errors import (
    BrokerDenied,
    BrokerError,
    BrokerUnavailable,
    ConfigInvalid,
    OrderFateUnknown,
    OrderRefused,
)
from tbot_bot.domain.market import Asset, Bar, BrokerClock, DailyBar, Quote, Symbol
from tbot_bot.domain.orders import (
    FINAL_STATUSES,
    ClientOrderId,
    Execution,
    OrderChange,
    OrderIntent,
    OrderReport,
    OrderType,
    Purpose,
)
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours
from tbot_bot.domain.settings import BotSettings, BrokerCredentials
from tbot_bot.ports.broker import Capabilities, StreamHandlers
from tbot_bot.ports.clock import MarketClock

T = TypeVar("T")
BAR_SYMBOLS = 60
"""Minute bars are asked for symbol by symbol, of 120 requests a minute."""
TRADIER_CAPABILITIES = Capabilities(
    fractional=False,
    notional=False,
    short=True,
    puts=False,
    bracket=True,
    trailing=False,
    resting_stop_fractional=False,
    minimum_notional=Decimal(0),
    share_step=Decimal(1),
    extended_hours=True,
    replaces_in_place=True,
    pushes=False,
    listing=False,
    bar_symbols=BAR_SYMBOLS,
)
_ORDERS_A_PAGE = 250
_SYMBOLS_A_CALL = 500
_LONGEST_QUERY = 1500
_TAG = re.compile(r"[A-Za-z0-9-]{1,240}")
_OF_SESSION = re.compile(r"tb-(\d{6})-")
_PROBE = Symbol("SPY")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TradierOptions:
    """API_TIMEOUT (seconds) and API_RETRY_LIMIT (tries after the first)."""

    timeout_s: float
    retries: int


class TradierBroker:
    """Implements ports.Broker, MarketData and Streams. Thread-safe. Raises ConfigInvalid when made without a token."""

    def __init__(
        self, credentials: BrokerCredentials, options: TradierOptions, clock: MarketClock, links: BrokerLinks
    ) -> None:
        if not credentials.broker_api_key or not credentials.broker_account_number:
            raise ConfigInvalid("BROKER_API_KEY (the access token) and BROKER_ACCOUNT_NUMBER must be set for Tradier")
        self._account = credentials.broker_account_number
        self._clock = clock
        self._links = links
        self._http = TradierHttp(credentials, RetryPolicy(options.timeout_s, options.retries), clock, links)
        # Where fewer requests are allowed, less is asked.
        slower = PER_MINUTE / self._http.per_minute
        cadence = Cadence(slower, 2 * slower, bar_symbols=int(BAR_SYMBOLS / slower))
        self._streams = Poller(self, clock, cadence)
        self._lock = threading.Lock()
        self._broker_ids: dict[ClientOrderId, str] = {}
        self._months: dict[tuple[int, int], tuple[SessionHours, ...]] = {}
        self._borrowable: tuple[date, frozenset[str]] | None = None

    @property
    def capabilities(self) -> Capabilities:
        return TRADIER_CAPABILITIES

    def connect(self) -> None:
        """Prove the token, and that it opens the account that BROKER_ACCOUNT_NUMBER names."""
        if self.get_account_info().account_id != self._account:
            raise BrokerDenied("the token opens another account than BROKER_ACCOUNT_NUMBER names: correct one of them")

    def self_check(self) -> tuple[str, ...]:
        try:
            self.connect()
            priced = self.quotes((_PROBE,))
        except BrokerError as error:
            return (str(error),)
        return () if priced else (f"no market data: there is no quote of {_PROBE}",)

    def close(self) -> None:
        """Stop the polling and give the connections back."""
        self._streams.stop()
        self._http.close()

    # account and market facts

    def get_clock(self) -> BrokerClock:
        body = self._http.get("/markets/clock")
        stamp = _member(_member(body, "clock"), "timestamp")
        try:
            now = datetime.fromtimestamp(float(str(stamp)), UTC)
        except (ValueError, OverflowError) as error:
            raise BrokerUnavailable("the broker's answer cannot be read: its clock has no timestamp") from error
        return clock_at(now, self.get_calendar(now.date() - timedelta(days=1), now.date() + timedelta(days=12)))

    def get_calendar(self, first: date, last: date) -> tuple[SessionHours, ...]:
        found: list[SessionHours] = []
        month = (first.year, first.month)
        while month <= (last.year, last.month):
            found += self._month(*month)
            month = (month[0] + month[1] // 12, month[1] % 12 + 1)
        return tuple(hours for hours in found if first <= hours.day <= last)

    def _month(self, year: int, month: int) -> tuple[SessionHours, ...]:
        kept = self._months.get((year, month))
        if kept is None:
            body = self._http.get("/markets/calendar", {"year": year, "month": month})
            days = _rows(_member(body, "calendar"), "days", "day")
            found = (read(wire.parse_session, row) for row in days)
            kept = self._months[(year, month)] = tuple(hours for hours in found if hours is not None)
        return kept

    def get_assets(self, symbols: Sequence[Symbol] | None = None) -> tuple[Asset, ...]:
        """Those that have a quote. Raises BrokerDenied without symbols: Tradier keeps no list of all."""
        if symbols is None:
            raise BrokerDenied("Tradier has no list of all symbols: name those that the universe is to be chosen from")
        borrowable = self._easy_to_borrow()
        rows = self._quote_rows(symbols)
        return tuple(
            read(lambda raw: wire.parse_asset(raw, borrowable=raw.get("symbol") in borrowable), r) for r in rows
        )

    def _easy_to_borrow(self) -> frozenset[str]:
        """Today's list; it changes once a day."""
        today = self._clock.now().date()
        if self._borrowable is None or self._borrowable[0] != today:
            body = self._http.get("/markets/etb")
            rows = _rows(body, "securities", "security")
            self._borrowable = (today, frozenset(str(row.get("symbol")) for row in rows))
        return self._borrowable[1]

    def get_account_info(self) -> Account:
        return read(wire.parse_account, self._http.get(f"/accounts/{self._account}/balances"))

    def get_positions(self) -> tuple[Position, ...]:
        body = self._http.get(f"/accounts/{self._account}/positions", urgency=Urgency.URGENT)
        return tuple(read(wire.parse_position, row) for row in _rows(body, "positions", "position"))

    # orders

    def open_orders(self) -> tuple[OrderReport, ...]:
        """Working orders, the resting legs of complex ones among them as orders of their own."""
        return tuple(report for report in self.recent_orders(Urgency.URGENT) if report.status not in FINAL_STATUSES)

    def recent_orders(self, urgency: Urgency = Urgency.ROUTINE) -> tuple[OrderReport, ...]:
        """All orders of today's session and those still open, which is all that Tradier lists."""
        found: list[OrderReport] = []
        page = 1
        while True:
            params = {"includeTags": "true", "page": page, "limit": _ORDERS_A_PAGE}
            body = self._http.get(f"/accounts/{self._account}/orders", params, urgency)
            rows = _rows(body, "orders", "order")
            for row in rows:
                found += read(wire.parse_orders, row)
            if len(rows) < _ORDERS_A_PAGE:
                break
            page += 1
        with self._lock:
            self._broker_ids.update({report.client_id: report.broker_id for report in found})
        return tuple(found)

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        """Searched for by its tag. Of an earlier session's order that is not listed nothing can be said: raises
        BrokerUnavailable, since only today's orders are listed."""
        found = next((each for each in self.recent_orders(Urgency.URGENT) if each.client_id == client_id), None)
        if found is None and (of := _OF_SESSION.match(client_id)) is not None:
            today = f"{self._clock.now().astimezone(wire.NEW_YORK):%y%m%d}"
            if of[1] != today:
                raise BrokerUnavailable(f"Tradier lists today's orders alone; {client_id} is of another session")
        return found

    def submit_order(self, intent: OrderIntent) -> OrderReport:
        """See ports.Broker. Its id is searched for first, each time: Tradier itself would take a second order in, and
        who may have sent it before (this process, or the one before it) is not remembered but asked."""
        client_id = intent.client_id
        self._check(intent)
        try:
            first = self.get_order(client_id)
        except BrokerError as error:
            # Nothing is sent by this call; whether an earlier one was taken in cannot be said.
            raise OrderFateUnknown(client_id) from error
        if first is not None:
            return first
        urgency = Urgency.ROUTINE if intent.purpose is Purpose.ENTRY else Urgency.URGENT
        form = wire.order_form(intent, self._clock.now())
        return self._send("POST", f"/accounts/{self._account}/orders", form, urgency, client_id)

    def _check(self, intent: OrderIntent) -> None:
        """What the broker would refuse, or worse, take for something else. Raises OrderRefused."""
        quantity = intent.quantity
        wrong = ""
        if not _TAG.fullmatch(intent.client_id):
            wrong = "its id cannot be a tag: letters, digits and - only"
        elif quantity is None or quantity != quantity.to_integral_value():
            wrong = "Tradier trades whole shares only"
        elif intent.type is OrderType.TRAILING_STOP:
            wrong = "Tradier has no trailing stops for shares"
        elif intent.extended_hours and intent.type is not OrderType.LIMIT:
            wrong = "outside the regular session Tradier takes limit orders only"
        if wrong:
            raise OrderRefused(intent.client_id, wrong, "not_sent")

    def _send(
        self, method: str, path: str, form: Mapping[str, str], urgency: Urgency, client_id: ClientOrderId
    ) -> OrderReport:
        """Send once, then ask what became of it under the number that it was given."""
        try:
            answer = self._http.send_order(method, path, form, urgency, client_id)
        except HttpFault as fault:
            raise OrderRefused(client_id, fault.words, fault.code or str(fault.status)) from fault
        number = _member(_member(answer, "order"), "id")
        try:
            body = self._http.get(f"/accounts/{self._account}/orders/{number}", {"includeTags": "true"}, Urgency.URGENT)
            found = read(wire.parse_orders, _member(body, "order"))
        except BrokerError as error:
            raise OrderFateUnknown(client_id) from error
        report = next((each for each in found if each.client_id == client_id), None)
        if report is None:
            raise OrderFateUnknown(client_id)
        with self._lock:
            self._broker_ids.update({each.client_id: each.broker_id for each in found})
        return report

    def replace_order(self, client_id: ClientOrderId, change: OrderChange) -> OrderReport:
        """See ports.Broker: prices change in place, the quantity and trailing distances cannot."""
        if change.quantity is not None or change.trail_percent is not None:
            raise OrderRefused(client_id, "Tradier changes prices only: cancel the order and send another", "not_sent")
        broker_id = self._broker_id(client_id)
        prices = {"price": change.limit_price, "stop": change.stop_price}
        form = {name: format(value.normalize(), "f") for name, value in prices.items() if value is not None}
        return self._send("PUT", f"/accounts/{self._account}/orders/{broker_id}", form, Urgency.URGENT, client_id)

    def cancel_order(self, client_id: ClientOrderId) -> None:
        """Raises BrokerUnavailable when the broker does not know the order (yet): asking again is safe."""
        self._http.cancel(f"/accounts/{self._account}/orders/{self._broker_id(client_id)}")

    def _broker_id(self, client_id: ClientOrderId) -> str:
        with self._lock:
            found = self._broker_ids.get(client_id)
        if found is None:
            report = self.get_order(client_id)
            if report is None:
                raise BrokerUnavailable(f"the broker knows no order {client_id} (yet): ask again")
            found = report.broker_id
        return found

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        """One for each order of today that is final and was filled, in part or whole; see tradier_wire.execution_of."""
        found = (wire.execution_of(report) for report in self.recent_orders())
        return tuple(sorted((e for e in found if e is not None and e.at >= since), key=lambda e: e.at))

    # market data

    def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        quotes = (readable(wire.parse_quote, row) for row in self._quote_rows(symbols))
        return tuple(quote for quote in quotes if quote is not None)

    def _quote_rows(self, symbols: Sequence[Symbol]) -> Iterator[Mapping[str, Any]]:
        unique = list(dict.fromkeys(symbols))
        for start in range(0, len(unique), _SYMBOLS_A_CALL):
            form = {"symbols": ",".join(unique[start : start + _SYMBOLS_A_CALL]), "greeks": "false"}
            # A long list does not fit into an address.
            ask = self._http.get if len(form["symbols"]) <= _LONGEST_QUERY else self._http.ask_by_form
            yield from _rows(ask("/markets/quotes", form), "quotes", "quote")

    def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]:
        """One request a symbol. Raises BrokerDenied for more symbols than a minute's requests allow."""
        unique = list(dict.fromkeys(symbols))
        if len(unique) > BAR_SYMBOLS:
            raise BrokerDenied(f"Tradier's limit of requests allows minute bars of {BAR_SYMBOLS} symbols at once")
        last = min(end, self._clock.now() - _MINUTE + timedelta(microseconds=1))
        found: list[Bar] = []
        for symbol in unique:
            params = {
                "symbol": symbol,
                "interval": "1min",
                "start": _local(start),
                "end": _local(end),
                "session_filter": "open",
            }
            rows = _rows(self._http.get("/markets/timesales", params), "series", "data")
            bars = (readable(partial(wire.parse_bar, symbol), row) for row in rows)
            found += [bar for bar in bars if bar is not None and start <= bar.start < last]
        return tuple(sorted(found, key=lambda bar: (bar.start, bar.symbol)))

    def daily_bars(self, symbols: Sequence[Symbol], first: date, last: date) -> tuple[DailyBar, ...]:
        found: list[DailyBar] = []
        for symbol in dict.fromkeys(symbols):
            params = {"symbol": symbol, "interval": "daily", "start": first.isoformat(), "end": last.isoformat()}
            rows = _rows(self._http.get("/markets/history", params), "history", "day")
            bars = (readable(partial(wire.parse_daily_bar, symbol), row) for row in rows)
            found += [bar for bar in bars if bar is not None and first <= bar.day <= last]
        return tuple(sorted(found, key=lambda bar: (bar.day, bar.symbol)))

    # streams

    def start(self, handlers: StreamHandlers) -> None:
        self._streams.start(self._links.logged(handlers))

    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        self._streams.watch_bars(symbols)

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        self._streams.watch_quotes(symbols)

    def stop(self) -> None:
        self._streams.stop()


def build(
    credentials: BrokerCredentials, settings: BotSettings, clock: MarketClock, links: BrokerLinks
) -> TradierBroker:
    """The adapter as configured; see broker.gateway. Raises ConfigInvalid."""
    options = TradierOptions(settings.execution.api_timeout_s, settings.execution.api_retry_limit)
    return TradierBroker(credentials, options, clock, links)


def _rows(raw: Any, outer: str, inner: str) -> tuple[Mapping[str, Any], ...]:
    """All or nothing: half a list of positions would be read as flat."""
    return read(lambda body: wire.rows(body, outer, inner), raw)


def _member(raw: Any, name: str) -> Any:
    return raw.get(name) if isinstance(raw, Mapping) else None


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(wire.NEW_YORK):%Y-%m-%d %H:%M}"
