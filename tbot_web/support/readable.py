"""Times, ages and sizes as a person reads them; unknown is "—"."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tbot_web.services import services

UNKNOWN = "—"
_STEPS = (("day", 86400), ("h", 3600), ("min", 60))
_SIZES = ("bytes", "kB", "MB", "GB", "TB")


def instant(text: Any) -> datetime | None:
    """An ISO time with its zone; None for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None


def moment(text: Any) -> str:
    """Day and minute, UTC."""
    at = instant(text)
    return UNKNOWN if at is None else f"{at.day} {at:%b %Y, %H:%M} UTC"


def second(text: Any) -> str:
    """Day and second, UTC."""
    at = instant(text)
    return UNKNOWN if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def since(text: Any) -> str:
    """How long ago, or in how long."""
    at = instant(text)
    if at is None:
        return UNKNOWN
    away = services().clock.now() - at
    words = span(abs(away))
    return f"in {words}" if away < timedelta(0) else f"{words} ago"


def span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for name, step in _STEPS:
        if seconds >= 2 * step or (name != "day" and seconds >= step):
            count = seconds // step
            return f"{count} {name}s" if name == "day" else f"{count} {name}"
    return "less than a minute"


def size(count: Any) -> str:
    """Bytes in the unit that suits them."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        return UNKNOWN
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_SIZES) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{count} bytes"
    return f"{value:.1f} {_SIZES[unit]}" if value < 10 else f"{value:.0f} {_SIZES[unit]}"


FILTERS = {"moment": moment, "second": second, "since": since, "size": size}
