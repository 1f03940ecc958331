"""The bot's states and their legal moves, and the windows of one trading day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class BotState(StrEnum):
    INITIALIZE = "initialize"
    PROVISIONING = "provisioning"
    BOOTSTRAPPING = "bootstrapping"
    IDLE = "idle"
    ANALYZING = "analyzing"
    TRADING = "trading"
    MONITORING = "monitoring"
    UPDATING = "updating"
    GRACEFUL_CLOSING = "graceful_closing_positions"
    EMERGENCY_CLOSING = "emergency_closing_positions"
    SHUTDOWN = "shutdown"
    SHUTDOWN_TRIGGERED = "shutdown_triggered"
    ERROR = "error"


SETUP_STATES = frozenset({BotState.INITIALIZE, BotState.PROVISIONING, BotState.BOOTSTRAPPING})
ARMED_STATES = frozenset({BotState.ANALYZING, BotState.TRADING, BotState.MONITORING, BotState.UPDATING})
CLOSING_STATES = frozenset({BotState.GRACEFUL_CLOSING, BotState.EMERGENCY_CLOSING})
DASHBOARD_STATES = ARMED_STATES | {BotState.IDLE}
HALTED_STATES = frozenset(BotState) - DASHBOARD_STATES - SETUP_STATES

_S = BotState
_STOPS = frozenset({_S.GRACEFUL_CLOSING, _S.EMERGENCY_CLOSING, _S.ERROR, _S.SHUTDOWN})
_ARMED_NEXT = ARMED_STATES | _STOPS | {_S.IDLE}

NEXT: Mapping[BotState, frozenset[BotState]] = {
    _S.INITIALIZE: frozenset({_S.PROVISIONING, _S.ERROR}),
    _S.PROVISIONING: frozenset({_S.BOOTSTRAPPING, _S.INITIALIZE, _S.ERROR}),
    _S.BOOTSTRAPPING: frozenset({_S.IDLE, _S.INITIALIZE, _S.ERROR}),
    _S.IDLE: frozenset({_S.ANALYZING, _S.UPDATING, _S.EMERGENCY_CLOSING, _S.SHUTDOWN, _S.ERROR}),
    _S.ANALYZING: frozenset(_ARMED_NEXT - {_S.ANALYZING}),
    _S.TRADING: frozenset(_ARMED_NEXT - {_S.TRADING}),
    _S.MONITORING: frozenset(_ARMED_NEXT - {_S.MONITORING}),
    _S.UPDATING: frozenset(_ARMED_NEXT - {_S.UPDATING}),
    _S.GRACEFUL_CLOSING: frozenset({_S.IDLE, _S.EMERGENCY_CLOSING, _S.ERROR, _S.SHUTDOWN}),
    _S.EMERGENCY_CLOSING: frozenset({_S.SHUTDOWN_TRIGGERED, _S.ERROR}),
    _S.SHUTDOWN_TRIGGERED: frozenset({_S.IDLE, _S.ANALYZING, _S.EMERGENCY_CLOSING, _S.ERROR}),
    _S.SHUTDOWN: frozenset({_S.IDLE, _S.ANALYZING, _S.EMERGENCY_CLOSING, _S.ERROR}),
    _S.ERROR: frozenset({_S.IDLE, _S.EMERGENCY_CLOSING, _S.SHUTDOWN}),
}
"""A state may only move to one of these; staying is not a move."""


class StrategyName(StrEnum):
    OPEN = "open"
    MID = "mid"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class SessionHours:
    """One exchange session; both instants in UTC, from the exchange's calendar."""

    day: date
    open: datetime
    close: datetime
    early_close: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """A strategy's resolved times today, UTC: analysis [start, analysis_end), breakout [analysis_end, breakout_end)."""

    strategy: StrategyName
    start: datetime
    analysis_end: datetime
    breakout_end: datetime
    monitoring_minutes: int


@dataclass(frozen=True, slots=True)
class SkippedWindow:
    """A window that cannot run today, and why, in the trader's words."""

    strategy: StrategyName
    reason: str


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Today as the engine runs it: hours, windows in time order, and the instant by which all is flat."""

    hours: SessionHours
    windows: tuple[Window, ...]
    skipped: tuple[SkippedWindow, ...]
    flat_by: datetime
