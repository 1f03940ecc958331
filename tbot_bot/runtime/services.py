"""What a trading process is made of once its secrets are open; built in compose, used by the day."""

from dataclasses import dataclass
from typing import Protocol

from tbot_bot.domain.settings import BotSettings
from tbot_bot.ports.books import AuditLog, Ledger, Notifier
from tbot_bot.ports.broker import Broker, MarketData, Streams
from tbot_bot.ports.clock import Clock
from tbot_bot.ports.reference import ReferenceData
from tbot_bot.support.calendar import ExchangeCalendar
from tbot_bot.support.clock import FollowedClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile


class BrokerSession(Broker, MarketData, Streams, Protocol):
    """One broker's orders, data and streams."""


@dataclass(frozen=True, slots=True)
class Services:
    """`clock` is the market's (virtual on paper), `wall` the machine's."""

    paths: Paths
    wall: Clock
    clock: FollowedClock
    calendar: ExchangeCalendar
    settings: BotSettings
    bot_id: str
    live: bool
    broker: BrokerSession
    reference: ReferenceData
    ledger: Ledger
    audit: AuditLog
    notifier: Notifier
    state: StateFile
    publisher: Publisher
