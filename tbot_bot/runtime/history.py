"""What earlier sessions' summaries say that today must know."""

import json
from datetime import date
from typing import Any

from tbot_bot.domain.market import VixReading
from tbot_bot.domain.money import parse_decimal
from tbot_bot.risk.defense import DefenseFacts
from tbot_bot.support.path_resolver import Paths

SESSIONS = 20


def earlier_summaries(paths: Paths, before: date) -> list[dict[str, Any]]:
    """Up to 20 summaries of sessions before `before`, oldest first; unreadable ones are left out."""
    folder = paths.output / "sessions"
    found = []
    for path in sorted(folder.glob("????-??-??/summary.json")):
        if path.parent.name < before.isoformat():
            try:
                row = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(row, dict) and isinstance(row.get("equity"), dict):
                found.append(row)
    return found[-SESSIONS:]


def defense_facts(paths: Paths, today: date, vix: VixReading | None) -> DefenseFacts:
    """Drawdown from the 20-session peak of closing equity, losing days in a row, and how defense stood before."""
    rows = earlier_summaries(paths, today)
    closes = [value for row in rows if (value := parse_decimal(row["equity"].get("closing"))) is not None]
    drawdown = None
    if closes and max(closes) > 0:
        drawdown = (max(closes) - closes[-1]) / max(closes)
    losing = 0
    for row in reversed(rows):
        change = parse_decimal(row["equity"].get("change"))
        if change is None or change >= 0:
            break
        losing += 1
    last = rows[-1] if rows else {}
    return DefenseFacts(
        drawdown=drawdown,
        losing_days=losing,
        vix=vix.value if vix is not None else None,
        active_before=bool(last.get("defense")),
        clean_sessions=_sessions_without_cause(rows),
    )


def _sessions_without_cause(rows: list[dict[str, Any]]) -> int:
    """Latest sessions in a row that saw no cause for defense."""
    count = 0
    for row in reversed(rows):
        if row.get("defense_causes"):
            break
        count += 1
    return count
