"""An exchange on a small made-up market, driven by hand: actions of market time, orders and cuts."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from tbot_bot.paper.admission import Admission
from tbot_bot.paper.book import Account, Fill, Order, OrderEvent, Side
from tbot_bot.paper.exchange import Exchange
from tbot_bot.paper.faults import Faults
from tbot_bot.paper.market_events import EventfulMarket
from tbot_bot.paper.market_synthetic import SyntheticMarket
from tbot_bot.paper.orders import NewOrder
from tbot_bot.paper.refusal import Refusal
from tbot_bot.paper.sessions import TradingCalendar, TradingDay, calendar_around
from tbot_bot.paper.store import Store
from tbot_bot.paper.view import MarketView

FIRST = date(2026, 1, 5)
CASH = Decimal(1_000_000)
SYMBOLS = 60
_calendar: list[TradingCalendar] = []
_markets: dict[int, SyntheticMarket] = {}


def calendar() -> TradingCalendar:
    if not _calendar:
        _calendar.append(calendar_around(FIRST))
    return _calendar[0]


def market(seed: int) -> SyntheticMarket:
    """Kept, since making a session takes longer than trading it."""
    if seed not in _markets:
        _markets[seed] = SyntheticMarket(seed, SYMBOLS, calendar())
    return _markets[seed]


def blank_order(symbol: str, side: str, name: str, **more: Any) -> NewOrder:
    order = NewOrder(
        symbol=symbol,
        side=cast("Side", side),
        type="market",
        time_in_force="day",
        order_class="simple",
        client_order_id=name,
        qty=Decimal(1),
        notional=None,
        limit_price=None,
        stop_price=None,
        trail_price=None,
        trail_percent=None,
        extended_hours=False,
        take_profit_limit=None,
        stop_loss_stop=None,
        stop_loss_limit=None,
    )
    return replace(order, **more)


@dataclass
class Floor:
    """`cut` is a kill: what was not committed is gone, and the exchange is opened again from its disk."""

    folder: Path
    seed: int
    latency_ms: int
    faults: Faults = field(default_factory=Faults)
    events: list[OrderEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        days = calendar().between(FIRST, date(2026, 1, 9))
        self.days: Sequence[TradingDay] = days
        self.market = EventfulMarket(market(self.seed), None)
        self.view = MarketView(self.market, days)
        self._open()
        self.account: Account = self.exchange.open_account("key", "digest", CASH, self.now)

    def _open(self) -> None:
        self.store = Store(self.folder)
        self.exchange = Exchange(self.view, self.store, self.faults, self.days[0].open_ms, self.latency_ms)
        self.exchange.listen(self.events.append)
        self.admission = Admission(self.exchange, calendar())

    @property
    def now(self) -> int:
        return self.exchange.matched_ms

    @property
    def fills(self) -> list[Fill]:
        return self.exchange.fills

    def advance(self, ms: int) -> None:
        self.exchange.advance(self.now + ms)

    def symbol(self, place: int) -> str:
        """Two of the busiest, then the quietest."""
        busy = market(self.seed).session(FIRST).volume.sum(axis=1).argsort()
        return self.view.market.instruments[int(busy[-1 - place] if place < 2 else busy[place - 2])].symbol

    def price(self, symbol: str) -> Decimal:
        price = self.view.price(symbol, self.now)
        assert price is not None
        return price

    def submit(self, order: NewOrder) -> Order | Refusal:
        return self.admission.submit(self.account, order, self.now)

    def accept(self, order: NewOrder) -> Order:
        found = self.submit(order)
        assert isinstance(found, Order), found
        return found

    def cut(self) -> None:
        now = self.now
        self.store.close()
        self._open()
        self.exchange.advance(now)
        self.account = next(iter(self.exchange.accounts.values()))

    def named(self, name: str) -> Order:
        return self.exchange.by_client_id[(self.account.id, name)]


@contextmanager
def open_floor(seed: int = 7, latency_ms: int = 20) -> Iterator[Floor]:
    with tempfile.TemporaryDirectory() as folder:
        floor = Floor(Path(folder), seed, latency_ms)
        try:
            yield floor
        finally:
            floor.store.close()
