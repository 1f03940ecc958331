"""Generations that were replaced: how long they are still kept, and destroying them, on record."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tbot_bot.config import generations
from tbot_bot.config.checkpoint import read_checkpoint
from tbot_bot.config.security_bot import open_env
from tbot_bot.domain.errors import ConfigInvalid, NotProvisioned, SecretUnavailable
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.support.path_resolver import Paths


@dataclass(frozen=True, slots=True)
class Old:
    """A generation that is not in use any more, and when it is destroyed (UTC)."""

    number: int
    replaced_at: datetime
    destroyed_at: datetime


class Grace:
    """What is kept for KEY_GRACE_HOURS. A generation was replaced when the next one was made, as manifests say."""

    def __init__(self, paths: Paths, clock: Clock, audit: AuditLog) -> None:
        self._paths = paths
        self._clock = clock
        self._audit = audit
        self._lock = threading.Lock()

    @property
    def hours(self) -> int | None:
        """KEY_GRACE_HOURS; None when the settings cannot be read, and then nothing is destroyed by time."""
        try:
            return open_env(self._paths).key_grace_hours
        except (NotProvisioned, SecretUnavailable, ConfigInvalid):
            return None

    def old(self) -> tuple[Old, ...]:
        """The replaced generations, the oldest first. One whose time cannot be told is left out."""
        # Read before the numbers: whatever is begun meanwhile keeps the generation that is in use now.
        current = generations.current_number(self._paths) or 0
        numbers = [number for number in generations.numbers(self._paths) if number <= current]
        hours = self.hours if len(numbers) > 1 else None
        if hours is None:
            return ()
        found = []
        for number, successor in pairwise(numbers):
            try:
                replaced_at = generations.read_facts(self._paths, successor).created_at
            except SecretUnavailable:
                continue
            found.append(Old(number, replaced_at, replaced_at + timedelta(hours=hours)))
        return tuple(found)

    def sweep(self) -> None:
        """Destroy what has had its time, what an ended rotation left, and what holds lost or compromised keys;
        nothing while something is under way."""
        if read_checkpoint(self._paths) is not None:
            return
        condemned = self._condemned()
        self.destroy(condemned, "compromised")
        now = self._clock.now()
        over = [each.number for each in self.old() if now >= each.destroyed_at or self._dual(each.number)]
        self.destroy(over, "grace")

    def destroy_all(self, why: str, by: str, ip: str) -> tuple[int, ...]:
        """Destroy every generation but the one in use, now."""
        current = generations.current_number(self._paths)
        numbers = tuple(number for number in generations.numbers(self._paths) if number != current)
        self.destroy(numbers, why, by, ip)
        return numbers

    def destroy(self, numbers: Collection[int], why: str, by: str = "runner", ip: str = "") -> None:
        """On record first. Those that are gone already are passed over."""
        with self._lock:
            there = [number for number in generations.numbers(self._paths) if number in numbers]
            if there:
                self._audit.record("generations_destroyed", by, {"numbers": there, "why": why, "ip": ip})
            for number in there:
                generations.remove(self._paths, number)
            # What an earlier removal could not finish has no number any more, and is asked for again all the same.
            generations.sweep(self._paths)

    def _condemned(self) -> list[int]:
        """The generations before the newest one whose making condemned them; a crash kept them from going at once."""
        numbers = generations.numbers(self._paths)
        current = generations.current_number(self._paths) or 0
        last = max((number for number in numbers if number <= current and self._condemns(number)), default=0)
        return [number for number in numbers if number < last]

    def _condemns(self, number: int) -> bool:
        try:
            return generations.read_facts(self._paths, number).condemns
        except SecretUnavailable:
            return False

    def _dual(self, number: int) -> bool:
        try:
            return generations.read_facts(self._paths, number).dual
        except SecretUnavailable:
            return False
