"""Browsers from which a user has logged in before, known by a long-lived random cookie.

Trust here is small: it gives a device its own count of failed tries, and a place in the line ahead of strangers. It
never stands in for a password."""

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tbot_bot.config.lockout import STRANGERS

LASTING = timedelta(days=365)
_BYTES = 32
_MOST = 50
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Device:
    """A trusted device's cookie and when it is to be forgotten; `new` when it was trusted just now."""

    cookie: str = field(repr=False)
    expires_at: datetime
    new: bool


def device_digest(cookie: str) -> str:
    """What is kept of the cookie; empty for a text that is none."""
    if not cookie or len(cookie) > _LONGEST:
        return ""
    return hashlib.sha256(b"tbot-device|" + cookie.encode("utf-8", "surrogatepass")).hexdigest()


def place_of(db: sqlite3.Connection, user_id: int | None, digest: str) -> str:
    """The device, if it is this user's, else the strangers' pool."""
    query = "SELECT 1 FROM devices WHERE digest = ? AND user_id = ?"
    return STRANGERS if db.execute(query, (digest, user_id)).fetchone() is None else digest


def is_trusted(db: sqlite3.Connection, digest: str) -> bool:
    """Whether it is any user's."""
    return db.execute("SELECT 1 FROM devices WHERE digest = ?", (digest,)).fetchone() is not None


def trust(db: sqlite3.Connection, user_id: int, cookie: str, ip: str, now: datetime) -> Device:
    """The user logged in from here. A cookie that we did not give out is replaced, so that no one can plant one."""
    digest = device_digest(cookie)
    if not is_trusted(db, digest):
        cookie = secrets.token_urlsafe(_BYTES)
        digest = device_digest(cookie)
    new = place_of(db, user_id, digest) == STRANGERS
    db.execute(
        "INSERT INTO devices VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at, ip = excluded.ip",
        (digest, user_id, now.isoformat(), now.isoformat(), ip),
    )
    _forget_oldest(db, user_id, now)
    return Device(cookie, now + LASTING, new)


def forget(db: sqlite3.Connection, user_id: int, but: str = "") -> None:
    """None of the user's devices but this one is trusted any longer."""
    db.execute("DELETE FROM devices WHERE user_id = ? AND digest <> ?", (user_id, but))


def _forget_oldest(db: sqlite3.Connection, user_id: int, now: datetime) -> None:
    db.execute("DELETE FROM devices WHERE seen_at < ?", ((now - LASTING).isoformat(),))
    db.execute(
        "DELETE FROM devices WHERE user_id = ? AND digest NOT IN"
        " (SELECT digest FROM devices WHERE user_id = ? ORDER BY seen_at DESC LIMIT ?)",
        (user_id, user_id, _MOST),
    )
