"""Streams for brokers that push nothing: the same handlers, fed by asking again and again."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Protocol

from tbot_bot.domain.errors import BrokerError
from tbot_bot.domain.market import Bar, Quote, Symbol
from tbot_bot.domain.orders import ClientOrderId, OrderReport
from tbot_bot.ports.broker import StreamHandlers
from tbot_bot.ports.clock import MarketClock

_MAX_SPEEDUP = 10.0
_JOIN_S = 5.0
_MOST_DOUBLINGS = 4
_MINUTE = timedelta(minutes=1)
_random = SystemRandom()


class Asked(Protocol):
    """What is asked. `recent_orders`: every order that may have changed of late, final ones too."""

    def recent_orders(self) -> tuple[OrderReport, ...]: ...
    def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]: ...
    def bars(self, symbols: Sequence[Symbol], start: datetime, end: datetime) -> tuple[Bar, ...]: ...


@dataclass(frozen=True, slots=True)
class Cadence:
    """Seconds of the market between two questions, shortened on fast markets up to tenfold. `bar_lag_s`: how long after
    a minute's end its bar is asked for. `bar_symbols`: of how many symbols at most."""

    orders_s: float = 1.0
    quotes_s: float = 2.0
    bar_lag_s: float = 2.0
    bar_symbols: int = 60


class Poller:
    """Implements ports.Streams. Thread-safe. One thread asks for orders, one for market data."""

    def __init__(self, asked: Asked, clock: MarketClock, cadence: Cadence) -> None:
        self._asked = asked
        self._clock = clock
        self._cadence = cadence
        self._bars: tuple[Symbol, ...] = ()
        self._quotes: tuple[Symbol, ...] = ()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, handlers: StreamHandlers) -> None:
        self._stop = threading.Event()
        orders = _Orders(self._asked, handlers)
        data = _Data(self._asked, handlers, self._clock, self._cadence, lambda: (self._bars, self._quotes))
        self._threads = [
            threading.Thread(target=self._follow, args=(name, step, handlers), name=f"poll-{name}", daemon=True)
            for name, step in (("trading", orders.ask), ("data", data.ask))
        ]
        for thread in self._threads:
            thread.start()

    def watch_bars(self, symbols: Sequence[Symbol]) -> None:
        self._bars = tuple(dict.fromkeys(symbols))[: self._cadence.bar_symbols]

    def watch_quotes(self, symbols: Sequence[Symbol]) -> None:
        self._quotes = tuple(dict.fromkeys(symbols))

    def stop(self) -> None:
        self._stop.set()
        deadline = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
        self._threads = []

    def _follow(self, name: str, ask: Callable[[], None], handlers: StreamHandlers) -> None:
        stop, up, failures = self._stop, False, 0
        while not stop.is_set():
            try:
                ask()
            except BrokerError as error:
                failures += 1
                if up or failures == 1:
                    handlers.on_state(name, False, str(error))
                up = False
            else:
                if not up:
                    handlers.on_state(name, True, "polling")
                up, failures = True, 0
            every = self._cadence.orders_s if name == "trading" else self._cadence.quotes_s
            pause = every * 2.0 ** min(failures, _MOST_DOUBLINGS) * _random.uniform(0.9, 1.1)
            stop.wait(pause / min(max(self._clock.speed, 1.0), _MAX_SPEEDUP))


class _Orders:
    """Tells each order when it is first seen, and then what changed of it since the last answer."""

    def __init__(self, asked: Asked, handlers: StreamHandlers) -> None:
        self._asked = asked
        self._handlers = handlers
        self._told: dict[ClientOrderId, OrderReport] = {}

    def ask(self) -> None:
        for report in self._asked.recent_orders():
            known = self._told.get(report.client_id)
            if known is None or _differs(known, report):
                self._told[report.client_id] = report
                self._handlers.on_order(report)


def _differs(one: OrderReport, other: OrderReport) -> bool:
    return (one.status, one.filled_quantity, one.quantity, one.limit_price, one.stop_price) != (
        other.status,
        other.filled_quantity,
        other.quantity,
        other.limit_price,
        other.stop_price,
    )


class _Data:
    """Quotes at every step, and each minute's bars once they are complete."""

    def __init__(
        self,
        asked: Asked,
        handlers: StreamHandlers,
        clock: MarketClock,
        cadence: Cadence,
        wanted: Callable[[], tuple[tuple[Symbol, ...], tuple[Symbol, ...]]],
    ) -> None:
        self._asked = asked
        self._handlers = handlers
        self._clock = clock
        self._lag = timedelta(seconds=cadence.bar_lag_s)
        self._wanted = wanted
        self._told: dict[Symbol, datetime] = {}
        self._asked_until: datetime | None = None

    def ask(self) -> None:
        bars, quotes = self._wanted()
        if quotes:
            for quote in self._asked.quotes(quotes):
                self._handlers.on_quote(quote)
        end = (self._clock.now() - self._lag).replace(second=0, microsecond=0)
        if bars and end != self._asked_until:
            # Two minutes are asked for again: some sources complete a bar late.
            for bar in self._asked.bars(bars, end - 3 * _MINUTE, end):
                if self._told.get(bar.symbol) is None or bar.start > self._told[bar.symbol]:
                    self._told[bar.symbol] = bar.start
                    self._handlers.on_bar(bar)
            self._asked_until = end
