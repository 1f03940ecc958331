"""Where objects meet: opens secrets, broker, ledger and universe, and puts a trading day together."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.broker.failover import FailoverBroker
from tbot_bot.broker.gateway import BrokerConnection, open_broker
from tbot_bot.broker.lease import AccountLease
from tbot_bot.broker.links import open_links
from tbot_bot.broker.routes import RouteLog
from tbot_bot.config.build_check import check
from tbot_bot.config.security_bot import LoadedSecrets, open_secrets
from tbot_bot.domain.errors import BrokerDenied, BuildCheckFailed, LedgerRefused, TbotError
from tbot_bot.domain.market import Bar, InverseEtf, Listing, Quote, Symbol, VixReading
from tbot_bot.domain.orders import OrderReport
from tbot_bot.domain.session import BotState, SessionHours
from tbot_bot.domain.settings import BotSettings, BrokerCredentials, BrokerName, BuildMode, GeneralSettings, LogLevel
from tbot_bot.engine.context import DayContext, RestoredOrder
from tbot_bot.engine.engine import Engine
from tbot_bot.engine.events import OrderReported, QuotesSeen
from tbot_bot.engine.schedule import resolve_day
from tbot_bot.ports.broker import StreamHandlers
from tbot_bot.ports.clock import Clock
from tbot_bot.ports.reference import ReferenceData
from tbot_bot.reporting.alerts import AlertBook
from tbot_bot.risk.defense import NO_FACTS, DefenseFacts
from tbot_bot.runtime.day import Day
from tbot_bot.runtime.desk import Desk, Inbox, StreamChanged
from tbot_bot.runtime.history import defense_facts
from tbot_bot.runtime.journal import Journal, JournalState, read_journal
from tbot_bot.runtime.records import record_fact
from tbot_bot.runtime.services import Services
from tbot_bot.screeners.blocklist import read_blocklist
from tbot_bot.screeners.providers.no_reference import NoReference
from tbot_bot.screeners.providers.paper_reference import PaperReference
from tbot_bot.screeners.universe_file import load as load_universe
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.calendar import ExchangeCalendar
from tbot_bot.support.clock import FollowedClock
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

log = get_logger("compose")

MAX_UNIVERSE_AGE = timedelta(days=5)
"""Market time: a universe built before a long weekend is good on the Tuesday after it, and no longer."""


@dataclass(frozen=True, slots=True)
class Trading:
    """An open broker connection and everything that goes with it, for one generation of the configuration.

    `opened`: the connection and the leases of its accounts, to be closed in the end."""

    services: Services
    desk: Desk
    inbox: Inbox
    generation: str
    opened: ExitStack

    def close(self) -> None:
        self.desk.close()
        self.opened.close()


def generation(paths: Paths) -> str:
    """The name of the current generation of keys and secrets; empty before provisioning."""
    try:
        return os.readlink(paths.current_generation)
    except OSError:
        return ""


def log_level(general: GeneralSettings) -> str:
    """What ENABLE_LOGGING, BUILD_MODE and DEBUG_LOG_LEVEL come to; errors are always written."""
    if not general.enable_logging:
        return LogLevel.QUIET.value
    return LogLevel.VERBOSE.value if general.build_mode is BuildMode.DEBUG else general.debug_log_level.value


def objection_to_saved(services: Services) -> str:
    """Why a session could not be opened with the configuration as it is saved now; empty when it could.

    Asked before a running session is put down for it: with trades of today on the books, failing to open it again would
    end the day."""
    problems = check(services.paths)
    if problems:
        return "; ".join(problems)
    try:
        open_secrets(services.paths)
        load_universe(services.paths.universe, services.clock.now(), MAX_UNIVERSE_AGE)
    except TbotError as error:
        return str(error)
    return ""


def open_reference(credentials: BrokerCredentials, settings: BotSettings) -> ReferenceData:
    """Fundamentals and VIX: the paper venue's own; other brokers have no provider yet, so what needs one is denied."""
    if credentials.broker_code is BrokerName.PAPER:
        return PaperReference(credentials, settings.execution.api_timeout_s)
    return NoReference()


def open_trading(paths: Paths, wall: Clock, state: StateFile, publisher: Publisher) -> Trading:
    """Connect with the current configuration. Raises what open_secrets and the broker raise, each saying what to do."""
    current = generation(paths)
    secrets = open_secrets(paths)
    clock = FollowedClock()
    notifier, audit = AlertBook(paths, publisher, wall), AuditDrop(paths, wall)
    with ExitStack() as opened:
        connection = _open_connection(paths, wall, secrets, clock, _switch_teller(secrets, notifier, audit))
        opened.callback(connection.close)
        connection.connect()
        for lease in _leases(secrets, connection):
            lease.take()
            opened.callback(lease.release)
        told = connection.get_clock()
        clock.sample(told.now, float(told.speed))
        _require_account(connection, secrets)
        services = Services(
            paths=paths,
            wall=wall,
            clock=clock,
            calendar=ExchangeCalendar(),
            settings=secrets.bot,
            bot_id=secrets.bot_id,
            live=secrets.broker.live,
            broker=connection,
            reference=open_reference(secrets.broker, secrets.bot),
            ledger=LedgerStore(paths.ledger_db, current),
            audit=audit,
            notifier=notifier,
            state=state,
            publisher=publisher,
        )
        inbox: Inbox = Inbox()
        desk = Desk(connection, connection, clock, inbox)
        _start_streams(connection, clock, inbox)
        # Only now is there someone who closes it.
        return Trading(services, desk, inbox, current, opened.pop_all())


def _open_connection(
    paths: Paths, wall: Clock, secrets: LoadedSecrets, clock: FollowedClock, switched: Callable[[bool, str], None]
) -> BrokerConnection:
    """The broker; where a secondary one is set and FAILOVER_ENABLED, both as one."""
    first = open_broker(secrets.broker, secrets.bot, clock, open_links(paths, wall, secrets.broker))
    if secrets.secondary is None or not secrets.bot.failover.failover_enabled:
        return first
    second = open_broker(secrets.secondary, secrets.bot, clock, open_links(paths, wall, secrets.secondary, role=2))
    return FailoverBroker(first, second, RouteLog(paths.routes), secrets.bot.failover.failover_log_tag, switched)


def _switch_teller(secrets: LoadedSecrets, notifier: AlertBook, audit: AuditDrop) -> Callable[[bool, str], None]:
    """Tells of each switch between the brokers: log, alert, audit."""
    tag = secrets.bot.failover.failover_log_tag

    def tell(up: bool, words: str) -> None:
        where = "the first broker" if up else "the secondary broker"
        log.warning("entries go elsewhere", extra={"fields": {"tag": tag, "to": where, "why": words}})
        notifier.notify("critical", f"{tag}: entries go to {where}", words)
        record_fact(audit, "broker_failover", {"to": where, "why": words, "tag": tag})

    return tell


def _leases(secrets: LoadedSecrets, connection: BrokerConnection) -> list[AccountLease]:
    """Of the accounts that this process alone may trade."""
    leases = [AccountLease(secrets.broker.broker_code, connection.get_account_info().account_id)]
    if isinstance(connection, FailoverBroker) and secrets.secondary is not None:
        leases.append(AccountLease(secrets.secondary.broker_code, connection.second_account_id))
    return leases


def _require_account(connection: BrokerConnection, secrets: LoadedSecrets) -> None:
    """BROKER_ACCOUNT_NUMBER, where given, must be the account that the credentials open."""
    wanted = secrets.broker.broker_account_number
    if wanted and connection.get_account_info().account_id != wanted:
        raise BrokerDenied("the credentials open another account than BROKER_ACCOUNT_NUMBER names; correct one of them")


def _start_streams(connection: BrokerConnection, clock: FollowedClock, inbox: Inbox) -> None:
    def on_order(report: OrderReport) -> None:
        inbox.put(OrderReported(clock.now(), report))

    def on_state(name: str, connected: bool, words: str) -> None:
        inbox.put(StreamChanged(name, connected, words))

    def on_quote(quote: Quote) -> None:
        inbox.put(QuotesSeen(clock.now(), (quote,)))

    def on_bar(bar: Bar) -> None:
        inbox.put(bar)

    connection.start(StreamHandlers(on_bar, on_quote, on_order, on_state))


def open_day(trading: Trading, hours: SessionHours, state: BotState, *, emergency: bool = False) -> Day:
    """A day ready to start: build check, universe, journal of an earlier attempt, opening equity, engine.

    An `emergency` day only closes what there is, so it asks for neither, and no ledger or full disk keeps it from
    that. Raises BuildCheckFailed or UniverseUnusable: then no session is opened."""
    services = trading.services
    known = _nothing_but_defense(services, hours) if emergency else _known(services, hours)
    account = services.broker.get_account_info()
    journal_state = _journal_of(services, hours, account.account_id)
    opening = account.equity if journal_state.opening_equity is None else journal_state.opening_equity
    context = _context(services, hours, state, known, journal_state, opening)
    journal = Journal(services.paths, hours.day)
    try:
        services.ledger.book_opening(account.account_id, account.cash, services.wall.now())
        journal.open_day(opening, services.clock.now(), account.account_id)
    except (LedgerRefused, OSError) as error:
        if not emergency:
            journal.close()
            raise
        log.critical("closing positions without a record of the beginning", extra={"fields": {"why": str(error)}})
    return Day(services, context, Engine(context), trading.desk, journal, journal_state.orders)


def _journal_of(services: Services, hours: SessionHours, account_id: str) -> JournalState:
    """What the session's journal says of this account: orders sent to another one can neither be asked for nor
    closed here."""
    found = read_journal(services.paths, hours.day)
    if found.account_id in ("", account_id):
        return found
    why = f"the orders of {hours.day} went to another account; look there whether it is flat"
    services.notifier.notify("critical", "another account", why)
    return JournalState()


@dataclass(frozen=True, slots=True)
class Known:
    """What a session trades on; nothing of it is needed to close positions."""

    listings: tuple[Listing, ...] = ()
    inverse_etfs: tuple[InverseEtf, ...] = ()
    vix: VixReading | None = None
    blocklist: frozenset[Symbol] = frozenset()
    defense: DefenseFacts = NO_FACTS


def _nothing_but_defense(services: Services, hours: SessionHours) -> Known:
    """For a day that only closes: the summary must say how defense stood, or tomorrow would leave it."""
    return Known(defense=defense_facts(services.paths, hours.day, None))


def _known(services: Services, hours: SessionHours) -> Known:
    problems = check(services.paths)
    if problems:
        raise BuildCheckFailed("the build check failed: " + "; ".join(problems))
    universe = load_universe(services.paths.universe, services.clock.now(), MAX_UNIVERSE_AGE)
    vix = services.reference.vix()
    return Known(
        listings=universe.listings,
        inverse_etfs=universe.inverse_etfs,
        vix=vix,
        blocklist=read_blocklist(services.paths.blocklist).symbols,
        defense=defense_facts(services.paths, hours.day, vix),
    )


def _context(
    services: Services,
    hours: SessionHours,
    state: BotState,
    known: Known,
    journal: JournalState,
    opening_equity: Decimal,
) -> DayContext:
    return DayContext(
        settings=services.settings,
        plan=resolve_day(services.settings, hours, journal.first_opened or services.clock.now()),
        bot_id=services.bot_id,
        listings={listing.symbol: listing for listing in known.listings},
        inverse_etfs=known.inverse_etfs,
        capabilities=services.broker.capabilities,
        opening_equity=opening_equity,
        vix=known.vix,
        previous_session=services.calendar.previous(hours.day).day,
        blocklist=known.blocklist,
        speed=services.clock.speed,
        restored=tuple(RestoredOrder(order.intent, order.report) for order in journal.orders.values()),
        tripped=journal.tripped,
        realised_before=services.ledger.realised(hours.day),
        defense=known.defense,
        state=state,
        later=_later(services, hours),
    )


def _later(services: Services, hours: SessionHours) -> tuple[SessionHours, ...]:
    """The two sessions in which leftovers of `hours` can be sold: the present one, when that has ended long ago."""
    first = services.calendar.current_or_next(max(hours.close, services.clock.now()))
    return first, services.calendar.current_or_next(first.close)
