"""Which backups stay: the newest of each of the last days, weeks and months that have one. Pure."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeepRule:
    """How many days, weeks and months keep their newest backup."""

    daily: int
    weekly: int
    monthly: int


def kept_as(made: Iterable[datetime], rule: KeepRule) -> Mapping[datetime, tuple[str, ...]]:
    """Each backup's reasons to stay (daily, weekly, monthly); empty = it may go. The newest always has one.

    Days, ISO weeks and months without a backup do not count, so that a machine that was off loses nothing."""
    newest_first = sorted(set(made), reverse=True)
    reasons: dict[datetime, list[str]] = {at: [] for at in newest_first}
    for word, period, most in (
        ("daily", _day, max(rule.daily, 1)),
        ("weekly", _week, rule.weekly),
        ("monthly", _month, rule.monthly),
    ):
        for at in _newest_of_each(newest_first, period, most):
            reasons[at].append(word)
    return {at: tuple(words) for at, words in reasons.items()}


def _newest_of_each(newest_first: list[datetime], period: Callable[[datetime], Hashable], most: int) -> list[datetime]:
    chosen: dict[Hashable, datetime] = {}
    for at in newest_first:
        if len(chosen) < most:
            chosen.setdefault(period(at), at)
    return list(chosen.values())


def _day(at: datetime) -> Hashable:
    return at.date()


def _week(at: datetime) -> Hashable:
    return at.isocalendar()[:2]


def _month(at: datetime) -> Hashable:
    return at.year, at.month
