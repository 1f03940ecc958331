"""The venue's parts, put together: market, clock, exchange, and who may use them."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tbot_bot.domain.errors import ConfigInvalid, DataInvalid
from tbot_bot.paper.admission import Admission
from tbot_bot.paper.book import Account
from tbot_bot.paper.clock import VirtualClock
from tbot_bot.paper.exchange import Exchange
from tbot_bot.paper.faults import Faults
from tbot_bot.paper.market import Market
from tbot_bot.paper.market_events import EventfulMarket, MarketEvent
from tbot_bot.paper.market_replay import ReplayFile, ReplayMarket, describe_days
from tbot_bot.paper.market_synthetic import SyntheticMarket
from tbot_bot.paper.sessions import MINUTE_MS, TradingCalendar, TradingDay, calendar_around
from tbot_bot.paper.settings import DEFAULT_FIRST_SESSION, VenueSettings
from tbot_bot.paper.store import Store
from tbot_bot.paper.view import MarketView

MAX_CREDENTIAL = 256
HISTORY_SESSIONS = 300
ADV_SESSIONS = 20


@dataclass(slots=True)
class Venue:
    settings: VenueSettings
    calendar: TradingCalendar
    market: EventfulMarket
    view: MarketView
    clock: VirtualClock
    store: Store
    faults: Faults
    exchange: Exchange
    admission: Admission
    keys: dict[str, Account]

    def sync(self) -> int:
        """Brings the exchange up to the present; returns it in milliseconds."""
        now = self.clock.now_ms()
        self.exchange.advance(now)
        return max(now, self.exchange.matched_ms)

    def authenticate(self, key_id: str, secret: str) -> Account | None:
        """Trust on first use: a new key id opens an account; a known one needs the secret it came with.

        The database holds only digests of both."""
        if not key_id or not secret or len(key_id) > MAX_CREDENTIAL or len(secret) > MAX_CREDENTIAL:
            return None
        known, digest = _digest(key_id), _digest(secret)
        account = self.keys.get(known)
        if account is None:
            account = self.exchange.open_account(known, digest, self.settings.opening_cash, self.sync())
            self.keys[known] = account
        return account if hmac.compare_digest(account.secret_hash, digest) else None

    def known(self, key_id: str) -> Account | None:
        """The account of a key id that was used before."""
        return self.keys.get(_digest(key_id))

    def past_days(self, now_ms: int, count: int) -> list[date]:
        """Up to `count` sessions of the market that ended before the present one, oldest first."""
        today = self.view.day(now_ms).day
        traded = set(self.market.days)
        return [day.day for day in self.calendar.before(today, count) if day.day in traded]

    def happen(self, event: MarketEvent) -> None:
        """Has something happen to the market, also after a restart."""
        self.store.put("market_events", self.market.add(event))
        self.exchange.splits = _splits(self.market)

    def set_speed(self, speed: Decimal) -> None:
        self.clock.set_speed(speed)

    def pause(self) -> None:
        self.clock.pause()
        self.store.put("running", "0")

    def run(self) -> None:
        self.clock.run()
        self.store.put("running", "1")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def build_venue(settings: VenueSettings) -> Venue:
    """Opens the state and goes on where it stopped. Raises ConfigInvalid, DataInvalid, sqlite3.Error."""
    calendar, plain, first = _market(settings)
    days = _days(calendar, plain, first)
    store = Store(settings.state_dir)
    market = EventfulMarket(plain, store.get("market_events"))
    begin = int(store.get("mark_ms") or days[0].open_ms - settings.start_minutes * MINUTE_MS)
    running = store.get("running")
    clock = VirtualClock(
        days,
        settings.start_minutes,
        settings.speed,
        time.monotonic,
        lambda mark: store.put("mark_ms", str(mark)),
        begin,
        running == "1" if running is not None else not settings.hold,
    )
    view, faults = MarketView(market, days), Faults()
    exchange = Exchange(view, store, faults, clock.now_ms(), settings.match_latency_ms, settings.report_latency_ms)
    exchange.splits = _splits(market)
    return Venue(
        settings,
        calendar,
        market,
        view,
        clock,
        store,
        faults,
        exchange,
        Admission(exchange, calendar),
        {account.key_id: account for account in exchange.accounts.values()},
    )


def _splits(market: EventfulMarket) -> list[tuple[int, str, Decimal]]:
    return [(event.at_ms, event.symbol, Decimal(str(event.split))) for event in market.events if event.split]


def first_session(settings: VenueSettings) -> date:
    """The session that a fresh venue would begin with. Raises what opening it would raise."""
    return _days(*_market(settings))[0].day


def _market(settings: VenueSettings) -> tuple[TradingCalendar, Market, date]:
    if settings.market == "synthetic":
        first = settings.session or DEFAULT_FIRST_SESSION
        calendar = calendar_around(first)
        return calendar, SyntheticMarket(settings.seed, settings.symbols, calendar), first
    if settings.replay_file is None:
        raise ConfigInvalid("market replay needs replay_file")
    source = ReplayFile(settings.replay_file)
    calendar = calendar_around(source.first, source.last)
    replay = ReplayMarket(source, calendar)
    if not replay.days:
        raise DataInvalid(f"{settings.replay_file} has no bar inside a regular session of XNYS")
    if settings.session is not None and settings.session not in replay.days:
        held = describe_days(replay.days)
        raise DataInvalid(f"{settings.replay_file} has no bars for session {settings.session}: it holds {held}")
    return calendar, replay, settings.session or replay.days[0]


def _days(calendar: TradingCalendar, market: Market, first: date) -> list[TradingDay]:
    traded = set(market.days)
    days = [day for day in calendar.between(first, calendar.days[-1].day) if day.day in traded]
    if not days:
        raise DataInvalid(f"the market has no session on or after {first}")
    return days
