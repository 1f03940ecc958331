"""What every broker does for us. Adapters translate; foreign exceptions never pass this line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from tbot_bot.domain.market import Asset, Bar, BrokerClock, DailyBar, Quote, Symbol
from tbot_bot.domain.orders import ClientOrderId, Execution, OrderIntent, OrderReport
from tbot_bot.domain.portfolio import Account, Position
from tbot_bot.domain.session import SessionHours


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this broker can do; the gate refuses the rest. Minimums in USD and shares."""

    fractional: bool
    notional: bool
    short: bool
    puts: bool
    bracket: bool
    trailing: bool
    resting_stop_fractional: bool
    minimum_notional: Decimal
    share_step: Decimal


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
    def get_assets(self) -> tuple[Asset, ...]: ...
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
