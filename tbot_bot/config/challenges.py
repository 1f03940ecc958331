"""Between the right password and the code: a token good for one code, from the same device, for five minutes."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from tbot_bot.config.security_users import User, UserStore, user_from
from tbot_bot.config.tokens import Purpose, TokenMint
from tbot_bot.ports.clock import Clock
from tbot_bot.support.session_record import MAX_COOKIE, digest

LASTING = timedelta(minutes=5)


class Challenges:
    """Allow-listed by the hash of their exact text, as logins are; taking one ends it."""

    def __init__(self, clock: Clock, users: UserStore, session_keys: Sequence[bytes]) -> None:
        self._clock = clock
        self._database = users.database
        self._mint = TokenMint(session_keys)

    def make(self, user: User, device: str) -> str:
        """`device`: the digest of the device cookie that came with the password, "" without one."""
        now = self._clock.now()
        token = self._mint.make(Purpose.CODE, {"id": secrets.token_hex(16)})
        values = (digest(token), user.id, device, now.isoformat(), (now + LASTING).isoformat())
        with self._database.writing() as db:
            db.execute("DELETE FROM challenges WHERE expires_at <= ?", (now.isoformat(),))
            db.execute("INSERT INTO challenges VALUES (?, ?, ?, ?, ?)", values)
        return token

    def take(self, token: str, device: str) -> User | None:
        """Whose code is awaited; the challenge is used up by this, whatever comes of the code."""
        if len(token) > MAX_COOKIE:
            return None
        with self._database.writing() as db:
            row = db.execute(
                "DELETE FROM challenges WHERE digest = ? RETURNING user_id, device, created_at, expires_at",
                (digest(token),),
            ).fetchone()
            if row is None or row[1] != device or self._mint.read(Purpose.CODE, token) is None:
                return None
            made, ends = (datetime.fromisoformat(text) for text in row[2:])
            if not made <= self._clock.now() < ends:
                return None
            query = "SELECT id, username, role, totp IS NOT NULL FROM users WHERE id = ? AND NOT disabled"
            return user_from(db.execute(query, (row[0],)).fetchone())
