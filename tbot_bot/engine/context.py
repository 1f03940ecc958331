"""What one trading day starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from tbot_bot.domain.market import InverseEtf, Listing, Symbol, VixReading
from tbot_bot.domain.orders import OrderIntent, OrderReport
from tbot_bot.domain.session import BotState, DayPlan, SessionHours
from tbot_bot.domain.settings import BotSettings
from tbot_bot.ports.broker import Capabilities
from tbot_bot.risk.defense import NO_FACTS, DefenseFacts


@dataclass(frozen=True, slots=True)
class RestoredOrder:
    """One journalled intent of this session and the broker's latest word on it; None = no word was ever written.

    An order that the broker refused before it lived (OrderNotSent, OrderAbsent) carries a report with status
    REJECTED."""

    intent: OrderIntent
    report: OrderReport | None


@dataclass(frozen=True, slots=True)
class DayContext:
    """Facts of the session, complete before the first event; nothing in here changes during the day.

    `opening_equity` (USD, at the session's start): P&L is the broker's equity minus this. `speed`: market seconds
    per real second. `restored`: this session's journal in the order it was written. `tripped`: why the kill switch
    fell earlier in this session; empty = it did not. `realised_before`: realised P&L (USD) of this session's fills
    that `restored` already holds. `previous_session`: the session before today, which a VIX reading must not be
    older than. `state`: the bot's state now, from which the engine's MoveState commands start. `later`: sessions after
    this one in which what was left over at its close may be sold."""

    settings: BotSettings
    plan: DayPlan
    bot_id: str
    listings: Mapping[Symbol, Listing]
    inverse_etfs: tuple[InverseEtf, ...]
    capabilities: Capabilities
    opening_equity: Decimal
    vix: VixReading | None = None
    previous_session: date | None = None
    blocklist: frozenset[Symbol] = frozenset()
    speed: float = 1.0
    restored: tuple[RestoredOrder, ...] = ()
    tripped: str = ""
    realised_before: Decimal = Decimal(0)
    defense: DefenseFacts = field(default=NO_FACTS)
    state: BotState = BotState.IDLE
    later: tuple[SessionHours, ...] = ()
