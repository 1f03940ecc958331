"""One live login as a file: written by the runner, read by the web, named by the sha256 of the exact cookie.

A Fernet token still decrypts with a newline or `==` appended, so a session is allowed by the hash of the exact text
and by nothing else; deleting the file is logging out."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tbot_bot.support.atomic_file import json_line
from tbot_bot.support.uptime import Uptime, uptime

MAX_COOKIE = 4096
_MAX_RECORD = 4096
_UNKNOWN = Uptime("", 0.0)
_MAX_TRACKED = 10_000


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """Who is logged in, as what, until when (UTC). `csrf_seed`: random hex that lives as long as the login.

    `seen_at`: when the user was last known to be active. `idle_until`: the end unless they are active again; it is
    never after `expires_at`, which nothing moves. `began`: the machine's uptime at `created_at`,
    where that is known."""

    user: str
    role: str
    created_at: datetime
    expires_at: datetime
    csrf_seed: str
    seen_at: datetime
    idle_until: datetime
    began: Uptime = _UNKNOWN

    def to_json(self) -> dict[str, str | float]:
        """`sum` shows a damaged file: half a change, such as another role, is no record at all."""
        row: dict[str, str | float] = {
            "user": self.user,
            "role": self.role,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "csrf_seed": self.csrf_seed,
            "seen_at": self.seen_at.isoformat(),
            "idle_until": self.idle_until.isoformat(),
            "boot": self.began.boot,
            "uptime": self.began.seconds,
        }
        return {**row, "sum": hashlib.sha256(json_line(row)).hexdigest()}

    @property
    def touch_every(self) -> timedelta:
        return touch_every(self.idle_until - self.seen_at)


def touch_every(idle: timedelta) -> timedelta:
    """At most one touch in this time; a login then ends at most this much earlier than its last click says."""
    return min(timedelta(seconds=60), idle / 10)


def digest(cookie: str) -> str:
    """The file name of a cookie's session; distinct for any two different texts."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()


def read_record(path: Path) -> SessionRecord | None:
    """The record at `path`; None when missing, not a regular file, or not, byte for byte, what a record is written
    as."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(handle, _MAX_RECORD)
        row = json.loads(data)
        record = SessionRecord(
            user=str(row["user"]),
            role=str(row["role"]),
            created_at=_utc(row["created_at"]),
            expires_at=_utc(row["expires_at"]),
            csrf_seed=str(row["csrf_seed"]),
            seen_at=_utc(row["seen_at"]),
            idle_until=_utc(row["idle_until"]),
            began=Uptime(str(row["boot"]), float(row["uptime"])),
        )
        return record if json_line(record.to_json()) == data else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        os.close(handle)


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


class Lifetimes:
    """Whether a session is still alive, by the wall clock AND by the time really elapsed: since this process first saw
    it, and, while the machine runs on, since it began.

    Setting the clock back therefore lengthens no session, and a session from the future is none. Thread-safe without a
    lock: two threads can only note the same end twice."""

    def __init__(self, running: Callable[[], Uptime] = uptime) -> None:
        self._running = running
        self._ends: dict[tuple[str, datetime], float] = {}

    def alive(self, name: str, record: SessionRecord, now: datetime) -> bool:
        ends = (record.expires_at, record.idle_until)
        if now < record.created_at or now >= min(ends) or self._outlived(record, min(ends)):
            return False
        if len(self._ends) >= _MAX_TRACKED:
            self._forget_ended()
        clock = time.monotonic()
        return all(clock < self._ends.setdefault((name, end), clock + (end - now).total_seconds()) for end in ends)

    def _outlived(self, record: SessionRecord, end: datetime) -> bool:
        up = self._running()
        if not up.boot or up.boot != record.began.boot:
            return False
        return up.seconds - record.began.seconds >= (end - record.created_at).total_seconds()

    def _forget_ended(self) -> None:
        now = time.monotonic()
        self._ends = {key: end for key, end in list(self._ends.items()) if end > now}
