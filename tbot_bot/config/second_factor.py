"""Second factors in the user database: each code works once, and that it was used is on disk before it counts."""

import sqlite3
from datetime import datetime
from enum import StrEnum

from tbot_bot.config.totp import matching_step, recovery_digest, same
from tbot_bot.config.user_database import UserDatabase


class CodeKind(StrEnum):
    TOTP = "code"
    RECOVERY = "recovery code"


class SecondFactor:
    """Each method works within the caller's transaction."""

    def __init__(self, database: UserDatabase) -> None:
        self._database = database

    def enrol(self, db: sqlite3.Connection, user_id: int, secret: str, step: int, digests: tuple[bytes, ...]) -> None:
        """From now on the user needs codes. `step`: that of the code which proved the enrolment, used up by it."""
        self.remove(db, user_id)
        wrapped = self._database.wrap(secret.encode())
        db.execute("UPDATE users SET totp = ?, totp_step = ? WHERE id = ?", (wrapped, step, user_id))
        codes = [(user_id, self._database.wrap(digest)) for digest in digests]
        db.executemany("INSERT INTO recovery_codes VALUES (?, ?)", codes)

    def remove(self, db: sqlite3.Connection, user_id: int) -> None:
        db.execute("UPDATE users SET totp = NULL WHERE id = ?", (user_id,))
        db.execute("DELETE FROM recovery_codes WHERE user_id = ?", (user_id,))

    def codes_left(self, db: sqlite3.Connection, user_id: int) -> int:
        return int(db.execute("SELECT count(*) FROM recovery_codes WHERE user_id = ?", (user_id,)).fetchone()[0])

    def use(self, db: sqlite3.Connection, user_id: int, code: str, now: datetime) -> CodeKind | None:
        """Which kind of code this was, used up by now; None when it is none, or none any more."""
        row = db.execute("SELECT totp, totp_step FROM users WHERE id = ?", (user_id,)).fetchone()
        if row is None or row[0] is None:
            return None
        step = matching_step(self._database.unwrap(row[0]).decode(), code, now)
        if step is not None and step > row[1]:
            db.execute("UPDATE users SET totp_step = ? WHERE id = ?", (step, user_id))
            return CodeKind.TOTP
        return CodeKind.RECOVERY if self._use_recovery(db, user_id, code) else None

    def _use_recovery(self, db: sqlite3.Connection, user_id: int, code: str) -> bool:
        digest = recovery_digest(code)
        if digest is None:
            return False
        for number, wrapped in db.execute(
            "SELECT rowid, code FROM recovery_codes WHERE user_id = ?", (user_id,)
        ).fetchall():
            if same(self._database.unwrap(wrapped), digest):
                db.execute("DELETE FROM recovery_codes WHERE rowid = ?", (number,))
                return True
        return False
