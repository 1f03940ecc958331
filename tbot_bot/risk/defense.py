"""Defense mode: when to trade smaller, and how much smaller. It may only reduce risk."""

from dataclasses import dataclass
from decimal import Decimal

from tbot_bot.domain.settings import DefenseSettings


@dataclass(frozen=True, slots=True)
class DefenseFacts:
    """What the causes are judged by. None = unknown, which is no cause by itself (the gate denies on its own unknowns).

    `drawdown`: fraction below the 20-session peak of equity. `losing_days`: latest sessions in a row that lost.
    `repeated_faults`: the fault counter of earlier sessions says so. `active_before`: defense was on at the last
    session's end, and `clean_sessions` have passed since its last cause. `ended_by_admin` switches a lingering
    defense off."""

    drawdown: Decimal | None = None
    losing_days: int = 0
    vix: Decimal | None = None
    repeated_faults: bool = False
    active_before: bool = False
    clean_sessions: int = 0
    ended_by_admin: bool = False


NO_FACTS = DefenseFacts()


def causes(facts: DefenseFacts, settings: DefenseSettings) -> tuple[str, ...]:
    """Why defense mode must be on now, in the trader's words; empty = no cause."""
    found: list[str] = []
    if settings.defense_mode_active:
        found.append("switched on (DEFENSE_MODE_ACTIVE)")
    if facts.drawdown is not None and facts.drawdown >= settings.defense_drawdown:
        found.append(f"drawdown {facts.drawdown:.2%} reaches DEFENSE_DRAWDOWN {settings.defense_drawdown:.2%}")
    if facts.losing_days >= settings.defense_losing_days:
        found.append(f"{facts.losing_days} losing days in a row (DEFENSE_LOSING_DAYS {settings.defense_losing_days})")
    if facts.vix is not None and facts.vix >= settings.defense_vix:
        found.append(f"VIX {facts.vix} reaches DEFENSE_VIX {settings.defense_vix}")
    if facts.repeated_faults:
        found.append("repeated faults")
    return tuple(found)


def why_active(facts: DefenseFacts, settings: DefenseSettings) -> str:
    """Why defense mode is on today; empty = off. Without a cause it lingers for DEFENSE_RECOVERY_SESSIONS."""
    found = causes(facts, settings)
    if found:
        return "; ".join(found)
    if facts.active_before and not facts.ended_by_admin and facts.clean_sessions < settings.defense_recovery_sessions:
        return f"recovering: {facts.clean_sessions} of {settings.defense_recovery_sessions} sessions without a cause"
    return ""
