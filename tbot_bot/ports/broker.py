"""What every broker does for us. Adapters translate; foreign exceptions never pass this line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from tbot_bot.domain.market import Asset, Bar, BrokerClock, DailyBar, Quote, Symbol
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderChange, OrderIntent, OrderReport
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours

US_PRICE_STEPS = ((Decimal(1), Decimal("0.01")), (Decimal(0), Decimal("0.0001")))
"""Sub-penny rule: SEC Rule 612 of Regulation NMS."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this broker can do; the gate refuses the rest. Minimums in USD and shares.

    `replaces_in_place`: a changed order keeps its id (else it gets OrderChange.client_id). `halts`: quotes say when
    trading is halted. `pushes`: bars, quotes and order updates are pushed (else Streams asks for them again and again).
    `listing`: the broker can list all symbols that it trades. `bar_symbols`: of how many symbols minute bars can be
    watched at once, None = as many as the feed streams. `price_steps`: (from this price on, USD; step, USD), dearest
    first."""

    fractional: bool
    notional: bool
    short: bool
    puts: bool
    bracket: bool
    trailing: bool
    resting_stop_fractional: bool
    minimum_notional: Decimal
    share_step: Decimal
    extended_hours: bool = False
    replaces_in_place: bool = False
    halts: bool = False
    pushes: bool = True
    listing: bool = True
    bar_symbols: int | None = None
    minimum_quantity: Decimal = Decimal(1)
    price_steps: tuple[tuple[Decimal, Decimal], ...] = US_PRICE_STEPS

    def price_step(self, price: Decimal) -> Decimal:
        """The step that an order's price of this height must be a multiple of."""
        return next((step for least, step in self.price_steps if price >= least), self.price_steps[-1][1])


class Broker(Protocol):
    """Orders and account. Questions raise BrokerUnavailable or BrokerDenied; see each act for more."""

    @property
    def capabilities(self) -> Capabilities: ...

    def connect(self) -> None:
        """Prove the credentials with one cheap question."""
        ...

    def self_check(self) -> tuple[str, ...]:
        """What is wrong, in sentences; empty when all is well. Never raises."""
        ...

    def get_clock(self) -> BrokerClock: ...
    def get_calendar(self, first: date, last: date) -> tuple[SessionHours, ...]: ...
    def get_assets(self, symbols: Sequence[Symbol] | None = None) -> tuple[Asset, ...]:
        """What the broker says of these symbols, unknown ones left out; without any, of all that it trades.

        Raises BrokerDenied, saying what to do, for all of them where Capabilities.listing is False."""
        ...

    def get_account_info(self) -> Account: ...
    def get_positions(self) -> tuple[Position, ...]: ...
    def open_orders(self) -> tuple[OrderReport, ...]: ...

    def get_order(self, client_id: ClientOrderId) -> OrderReport | None:
        """The broker's word on our id; None only when the broker says that it knows no such order."""
        ...

    def submit_order(self, intent: OrderIntent) -> OrderReport:
        """Send once. Raises OrderRefused (a clear no) or OrderFateUnknown (timeout, 5xx, lost socket).

        A duplicate id is not an error: the first order's report is returned."""
        ...

    def replace_order(self, client_id: ClientOrderId, change: OrderChange) -> OrderReport:
        """Change a working order, sent once; the report carries the id that it is known by from now on.

        Raises OrderRefused (a clear no: the order stands as it was) or OrderFateUnknown (whether it was changed: ask
        for both ids)."""
        ...

    def cancel_order(self, client_id: ClientOrderId) -> None:
        """Ask for a cancel; the outcome comes as a report. An order already final is no error."""
        ...

    def executions_since(self, since: datetime) -> tuple[Execution, ...]:
        """All fills at or after `since` (UTC), oldest first."""
        ...


class MarketData(Protocol):
    """Batched market data. Symbols without data are absent from the answer."""

    def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        """Latest quote and trade of each symbol."""
        ...

    def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]:
        """Completed minute bars with start ≤ bar.start < end, by time, then symbol."""
        ...

    def daily_bars(self, symbols: Sequence[Symbol], first: date, last: date) -> tuple[DailyBar, ...]: ...


@dataclass(frozen=True, slots=True)
class StreamHandlers:
    """Called from the stream's own thread; must return at once (put on a queue)."""

    on_bar: Callable[[Bar], None]
    on_quote: Callable[[Quote], None]
    on_order: Callable[[OrderReport], None]
    on_state: Callable[[str, bool, str], None]
    """(stream name, connected, words)"""


class Streams(Protocol):
    """Pushed data; reconnects by itself with jittered backoff and says so through `on_state`."""

    def start(self, handlers: StreamHandlers) -> None: ...
    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        """Replace the set of symbols whose minute bars are pushed (cut at the feed's limit)."""
        ...

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        """Replace the set of symbols whose quotes are pushed."""
        ...

    def stop(self) -> None:
        """Close both streams and join their threads within 5 s."""
        ...
