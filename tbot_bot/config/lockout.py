"""Wrong passwords and codes in a row, counted per user and place; on disk, so that no restart forgets them.

A place is a device from which this user has logged in before, known by its cookie, or the pool of all others: a
stranger can lock the strangers' pool, not the owner out. Ages are told by the machine's uptime where possible, so that
setting the clock neither ends a lockout nor lengthens one."""

import hashlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tbot_bot.ports.clock import Clock
from tbot_bot.support.uptime import Uptime

STRANGERS = "strangers"


@dataclass(frozen=True, slots=True)
class LockoutRule:
    """After `limit` failures in a row, none older than `minutes` before the next, no try for `minutes`."""

    limit: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Place:
    """Whose tries are counted together. `subject`: a digest, for people type passwords into the user name."""

    subject: str
    where: str

    @property
    def trusted(self) -> bool:
        return self.where != STRANGERS


def subject_of(username: str) -> str:
    return hashlib.sha256(username.casefold().encode("utf-8", "surrogatepass")).hexdigest()


class Lockout:
    """Each method works within the caller's transaction."""

    def __init__(self, clock: Clock, uptime: Callable[[], Uptime]) -> None:
        self._clock = clock
        self._uptime = uptime

    def count(self, db: sqlite3.Connection, place: Place, rule: LockoutRule) -> int:
        """Failures in a row that still count; those that no longer do are forgotten."""
        query = "SELECT count, at, boot, seconds FROM failures WHERE subject = ? AND place = ?"
        row = db.execute(query, (place.subject, place.where)).fetchone()
        if row is None:
            return 0
        then = Uptime(row[2], row[3])
        age = self._age(row[1], then)
        if age >= rule.minutes * 60:
            self.clear(db, place)
            return 0
        if not self._comparable(then):
            self._stamp(db, place, age)
        return int(row[0])

    def add(self, db: sqlite3.Connection, place: Place, rule: LockoutRule) -> int:
        """Count one more; how many there are now."""
        count = self.count(db, place, rule) + 1
        values = (place.subject, place.where, count, "", "", 0.0)
        db.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)", values)
        self._stamp(db, place, 0.0)
        return count

    def take_back(self, db: sqlite3.Connection, place: Place) -> None:
        """One try was none after all."""
        where = "subject = ? AND place = ? AND count > 0"
        db.execute(f"UPDATE failures SET count = count - 1 WHERE {where}", (place.subject, place.where))  # noqa: S608

    def clear(self, db: sqlite3.Connection, place: Place) -> None:
        db.execute("DELETE FROM failures WHERE subject = ? AND place = ?", (place.subject, place.where))

    def clear_all(self, db: sqlite3.Connection, subject: str) -> None:
        db.execute("DELETE FROM failures WHERE subject = ?", (subject,))

    def locked(self, db: sqlite3.Connection, rule: LockoutRule) -> frozenset[str]:
        """The subjects that cannot try now from one place at least."""
        rows = db.execute("SELECT subject, at, boot, seconds FROM failures WHERE count >= ?", (rule.limit,)).fetchall()
        lasting = rule.minutes * 60
        return frozenset(row[0] for row in rows if self._age(row[1], Uptime(row[2], row[3])) < lasting)

    def tidy(self, db: sqlite3.Connection, rule: LockoutRule) -> None:
        """Forget what no longer counts, so that made-up names do not fill the disk."""
        rows = db.execute("SELECT subject, place, at, boot, seconds FROM failures").fetchall()
        for subject, where, at, boot, seconds in rows:
            if self._age(at, Uptime(boot, seconds)) >= rule.minutes * 60:
                self.clear(db, Place(subject, where))

    def _stamp(self, db: sqlite3.Connection, place: Place, age: float) -> None:
        """Note that the last failure is `age` seconds old now, by both clocks."""
        now = self._uptime()
        at = self._clock.now() - timedelta(seconds=age)
        db.execute(
            "UPDATE failures SET at = ?, boot = ?, seconds = ? WHERE subject = ? AND place = ?",
            (at.isoformat(), now.boot, now.seconds - age, place.subject, place.where),
        )

    def _age(self, at: str, then: Uptime) -> float:
        """Seconds since. After a restart of the machine only the wall clock tells; a time to come counts as now."""
        if self._comparable(then):
            return max(self._uptime().seconds - then.seconds, 0.0)
        return max((self._clock.now() - datetime.fromisoformat(at)).total_seconds(), 0.0)

    def _comparable(self, then: Uptime) -> bool:
        return then.boot != "" and then.boot == self._uptime().boot
