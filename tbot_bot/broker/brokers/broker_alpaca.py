"""Alpaca, and the paper venue that speaks its protocol: orders, account, market data and streams through alpaca-py."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from tbot_bot.broker.answers import read, readable
from tbot_bot.broker.brokers import alpaca_wire as wire
from tbot_bot.broker.brokers.alpaca_http import AlpacaHttp
from tbot_bot.broker.brokers.alpaca_streams import AlpacaStreams
from tbot_bot.broker.brokers.alpaca_urls import endpoints
from tbot_bot.broker.http import HttpFault, RetryPolicy
from tbot_bot.broker.links import BrokerLinks
from tbot_bot.broker.rate_limit import Urgency
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
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderChange, OrderIntent, OrderReport, Purpose
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours
from tbot_bot.domain.settings import BotSettings, BrokerCredentials
from tbot_bot.ports.broker import Capabilities, StreamHandlers
from tbot_bot.ports.clock import MarketClock

T = TypeVar("T")

ALPACA_CAPABILITIES = Capabilities(
    fractional=True,
    notional=True,
    short=True,
    puts=False,
    bracket=True,
    trailing=True,
    resting_stop_fractional=True,
    minimum_notional=Decimal(1),
    share_step=Decimal("0.000000001"),
    extended_hours=True,
    minimum_quantity=Decimal("0.000000001"),
)
_SYMBOLS_A_CALL = 500
_BARS_A_PAGE = 10_000
_FILLS_A_PAGE = 100
_ORDERS_A_PAGE = 500
_FEED = "iex"
_MINUTE = timedelta(minutes=1)
_PROBE = Symbol("SPY")


@dataclass(frozen=True, slots=True)
class AlpacaOptions:
    """API_TIMEOUT (seconds), API_RETRY_LIMIT (tries after the first), and how many symbols the feed may stream."""

    timeout_s: float
    retries: int
    symbol_limit: int


class AlpacaBroker:
    """Implements ports.Broker, MarketData and Streams. Thread-safe. Raises ConfigInvalid when made without keys."""

    def __init__(
        self, credentials: BrokerCredentials, options: AlpacaOptions, clock: MarketClock, links: BrokerLinks
    ) -> None:
        key, secret = credentials.broker_api_key, credentials.broker_secret_key
        if not key or not secret:
            raise ConfigInvalid("BROKER_API_KEY and BROKER_SECRET_KEY must both be set for this broker")
        where = endpoints(credentials)
        self._account_number = credentials.broker_account_number
        self._clock = clock
        policy = RetryPolicy(options.timeout_s, options.retries)
        self._links = links
        self._http = AlpacaHttp(where, key, secret, policy, links, clock)
        self._streams = AlpacaStreams(where, key, secret, options.symbol_limit)
        self._client_ids: dict[str, ClientOrderId] = {}

    @property
    def capabilities(self) -> Capabilities:
        return ALPACA_CAPABILITIES

    def connect(self) -> None:
        """Prove the credentials, and that they open the account that BROKER_ACCOUNT_NUMBER names."""
        account = self.get_account_info()
        if self._account_number and account.account_id != self._account_number:
            raise BrokerDenied("the keys open another account than BROKER_ACCOUNT_NUMBER names: correct one of them")

    def self_check(self) -> tuple[str, ...]:
        try:
            self.connect()
            blocked = self.get_account_info().trading_blocked
            priced = self.quotes((_PROBE,))
        except BrokerError as error:
            return (str(error),)
        faults = []
        if blocked:
            faults.append("the broker has blocked trading in this account: ask the broker why")
        if not priced:
            faults.append(f"no market data: the feed has no quote of {_PROBE}")
        return tuple(faults)

    def close(self) -> None:
        """Stop the streams and give the connections back."""
        self._streams.stop()
        self._http.close()

    # account and market facts

    def get_clock(self) -> BrokerClock:
        return read(wire.parse_clock, self._http.get("/clock"))

    def get_calendar(self, first: date, last: date) -> tuple[SessionHours, ...]:
        rows = self._http.get("/calendar", {"start": first.isoformat(), "end": last.isoformat()})
        return tuple(hours for hours in _read_all(wire.parse_session, rows) if first <= hours.day <= last)

    def get_assets(self, symbols: Sequence[Symbol] | None = None) -> tuple[Asset, ...]:
        """All active US equities, or these of them; one that cannot be read is left out."""
        if symbols is not None:
            wanted = frozenset(symbols)
            return tuple(asset for asset in self.get_assets() if asset.symbol in wanted)
        rows = self._http.get("/assets", {"status": "active", "asset_class": "us_equity"})
        found = (readable(wire.parse_asset, row) for row in _rows(rows))
        return tuple(asset for asset in found if asset is not None)

    def get_account_info(self) -> Account:
        return read(wire.parse_account, self._http.get("/account"))

    def get_positions(self) -> tuple[Position, ...]:
        return _read_all(wire.parse_position, self._http.get("/positions", urgency=Urgency.URGENT))

    # orders

    def open_orders(self) -> tuple[OrderReport, ...]:
        """Working orders, the resting legs of brackets among them as orders of their own. Up to 500, newest first."""
        params = {"status": "open", "limit": _ORDERS_A_PAGE, "nested": "false"}
        rows = self._http.get("/orders", params, Urgency.URGENT)
        return tuple(self._seen(report) for report in _read_all(wire.parse_order, rows))

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        params = {"client_order_id": client_id}
        row = self._http.find("/orders:by_client_order_id", params, Urgency.URGENT)
        return None if row is None else self._seen(read(wire.parse_order, row))

    def submit_order(self, intent: OrderIntent) -> OrderReport:
        """See ports.Broker. Refused credentials, a spent request budget and an endless 429 are OrderRefused as well."""
        urgency = Urgency.ROUTINE if intent.purpose is Purpose.ENTRY else Urgency.URGENT
        return self._send(intent.client_id, wire.order_body(intent), urgency)

    def replace_order(self, client_id: ClientOrderId, change: OrderChange) -> OrderReport:
        """See ports.Broker: here a change is a new order named `change.client_id`; the old one ends as cancelled."""
        return self._send(
            change.client_id, wire.change_body(change), Urgency.URGENT, replaces=self._broker_id(client_id)
        )

    def _send(
        self, client_id: ClientOrderId, body: Mapping[str, Any], urgency: Urgency, replaces: str | None = None
    ) -> OrderReport:
        try:
            row = self._http.send_order(body, urgency, replaces)
        except HttpFault as fault:
            if "client_order_id must be unique" in fault.words:
                return self._first_of(client_id)
            raise OrderRefused(client_id, fault.words, fault.code or str(fault.status)) from fault
        try:
            report = wire.parse_order(row)
        except DataInvalid as error:
            raise OrderFateUnknown(client_id) from error
        if report.client_id != client_id:
            raise OrderFateUnknown(client_id)
        return self._seen(report)

    def cancel_order(self, client_id: ClientOrderId) -> None:
        """Raises BrokerUnavailable when the broker does not know the order (yet): asking again is safe."""
        self._http.cancel(f"/orders/{self._broker_id(client_id)}")

    def _broker_id(self, client_id: ClientOrderId) -> str:
        found = next((b for b, c in tuple(self._client_ids.items()) if c == client_id), None)
        if found is not None:
            return found
        report = self.get_order(client_id)
        if report is None:
            raise BrokerUnavailable(f"the broker knows no order {client_id} (yet): ask again")
        return report.broker_id

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        fills = tuple(self._fills(since))
        if any(_order_of(fill) not in self._client_ids for fill in fills):
            self._learn_orders(since)
        found = (self._execution(fill) for fill in fills)
        return tuple(sorted((e for e in found if e.at >= since), key=lambda e: e.at))

    def _first_of(self, client_id: ClientOrderId) -> OrderReport:
        """The order that already has this id."""
        try:
            report = self.get_order(client_id)
        except BrokerError as error:
            raise OrderFateUnknown(client_id) from error
        if report is None:
            raise OrderFateUnknown(client_id)
        return report

    def _fills(self, since: datetime) -> Iterator[Any]:
        """FILL activities, oldest first. `after` leaves the instant itself out, so it is set a second early."""
        params: dict[str, Any] = {
            "after": (since - timedelta(seconds=1)).isoformat(),
            "direction": "asc",
            "page_size": _FILLS_A_PAGE,
        }
        while True:
            page = _rows(self._http.get("/account/activities/FILL", params))
            yield from page
            token = page[-1].get("id") if page and isinstance(page[-1], Mapping) else None
            if len(page) < _FILLS_A_PAGE or token is None or token == params.get("page_token"):
                return
            params["page_token"] = token

    def _learn_orders(self, since: datetime) -> None:
        """Fill the map of ids with one question instead of one for each order."""
        after = (since - timedelta(days=1)).isoformat()
        params = {"status": "all", "limit": _ORDERS_A_PAGE, "after": after, "nested": "false", "direction": "desc"}
        for row in _rows(self._http.get("/orders", params)):
            report = readable(wire.parse_order, row)
            if report is not None:
                self._seen(report)

    def _execution(self, fill: Any) -> Execution:
        broker_id = _order_of(fill)
        if broker_id not in self._client_ids:
            row = self._http.find(f"/orders/{broker_id}")
            if row is not None:
                self._seen(read(wire.parse_order, row))
        return read(lambda raw: wire.parse_execution(raw, self._client_ids.get(broker_id)), fill)

    def _seen(self, report: OrderReport) -> OrderReport:
        self._client_ids[report.broker_id] = report.client_id
        return report

    # market data

    def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        found: list[Quote] = []
        for chunk in _chunks(symbols):
            answer = self._http.get_data("/stocks/snapshots", {"symbols": ",".join(chunk), "feed": _FEED})
            for symbol, row in _members(answer).items():
                with suppress(DataInvalid):
                    quote = wire.parse_snapshot(symbol, row)
                    if quote is not None:
                        found.append(quote)
        return tuple(found)

    def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]:
        last = min(end, self._clock.now() - _MINUTE + timedelta(microseconds=1))
        span = {"timeframe": "1Min", "start": _stamp(start), "end": _stamp(end), "adjustment": "raw"}
        found = (readable(partial(wire.parse_bar, s), row) for s, row in self._bar_rows(symbols, span))
        bars = [bar for bar in found if bar is not None and start <= bar.start < last]
        return tuple(sorted(bars, key=lambda bar: (bar.start, bar.symbol)))

    def daily_bars(self, symbols: Sequence[Symbol], first: date, last: date) -> tuple[DailyBar, ...]:
        """Adjusted for splits; today's bar is part of the answer while the session runs, should the broker send it."""
        span = {"timeframe": "1Day", "start": first.isoformat(), "end": last.isoformat(), "adjustment": "split"}
        found = (readable(partial(wire.parse_daily_bar, s), row) for s, row in self._bar_rows(symbols, span))
        bars = [bar for bar in found if bar is not None and first <= bar.day <= last]
        return tuple(sorted(bars, key=lambda bar: (bar.day, bar.symbol)))

    def _bar_rows(self, symbols: Sequence[Symbol], span: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for chunk in _chunks(symbols):
            params = {**span, "symbols": ",".join(chunk), "limit": _BARS_A_PAGE, "feed": _FEED, "sort": "asc"}
            while True:
                answer = _members(self._http.get_data("/stocks/bars", params))
                for symbol, rows in _members(answer.get("bars") or {}).items():
                    if symbol in chunk:
                        yield from ((symbol, row) for row in _rows(rows or []))
                token = answer.get("next_page_token")
                if not token or token == params.get("page_token"):
                    break
                params["page_token"] = token

    # streams

    def start(self, handlers: StreamHandlers) -> None:
        def on_order(report: OrderReport) -> None:
            handlers.on_order(self._seen(report))

        self._streams.start(self._links.logged(replace(handlers, on_order=on_order)))

    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        self._streams.watch_bars(symbols)

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        self._streams.watch_quotes(symbols)

    def stop(self) -> None:
        self._streams.stop()


def build(
    credentials: BrokerCredentials, settings: BotSettings, clock: MarketClock, links: BrokerLinks
) -> AlpacaBroker:
    """The adapter as configured; see broker.gateway. Raises ConfigInvalid."""
    options = AlpacaOptions(
        timeout_s=settings.execution.api_timeout_s,
        retries=settings.execution.api_retry_limit,
        symbol_limit=settings.filters.data_feed_symbol_limit,
    )
    return AlpacaBroker(credentials, options, clock, links)


def _chunks(symbols: Sequence[Symbol]) -> Iterator[tuple[Symbol, ...]]:
    unique = iter(dict.fromkeys(symbols))
    while chunk := tuple(itertools.islice(unique, _SYMBOLS_A_CALL)):
        yield chunk


def _read_all(parse: Callable[[Any], T], raw: Any) -> tuple[T, ...]:
    """All or nothing: half a list of positions would be read as flat."""
    return tuple(read(parse, row) for row in _rows(raw))


def _rows(raw: Any) -> Sequence[Any]:
    if not isinstance(raw, list):
        raise BrokerUnavailable("the broker's answer cannot be read: it is not a list")
    return raw


def _members(raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise BrokerUnavailable("the broker's answer cannot be read: it is not an object")
    return raw


def _order_of(fill: Any) -> str:
    return str(fill.get("order_id", "")) if isinstance(fill, Mapping) else ""


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
