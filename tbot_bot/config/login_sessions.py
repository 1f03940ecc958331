"""Live logins: encrypted tokens with an expiry, allow-listed by the hash of their exact text.

A token is worth something only while the database, the file in `control/sessions/` and the clock all say so; the role
is looked up afresh each time. SESSION_TIMEOUT (idle) and SESSION_TIMEOUT_MINUTES (absolute) both count from the login:
the web cannot tell the runner of each click, so the shorter of the two ends it."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.fernet import InvalidToken

from tbot_bot.config.security_users import User, UserStore
from tbot_bot.domain.settings import EnvSettings
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, sync_folder, write_json
from tbot_bot.support.encrypt_secrets import wrapping
from tbot_bot.support.key_use import CountedCipher
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.session_record import MAX_COOKIE, Lifetimes, SessionRecord, digest, read_record

_READABLE_BY_WEB = 0o640


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh login's cookie and its end (UTC)."""

    token: str = field(repr=False)
    expires_at: datetime


def lifetime(env: EnvSettings) -> timedelta:
    return min(timedelta(seconds=env.session_timeout_s), timedelta(minutes=env.session_timeout_minutes))


class LoginSessions:
    """Begins, checks and ends logins."""

    def __init__(self, paths: Paths, clock: Clock, users: UserStore, session_keys: Sequence[bytes]) -> None:
        ensure_folder(paths.sessions, 0o750)
        self._folder = paths.sessions
        self._clock = clock
        self._users = users
        self._fernet = CountedCipher(wrapping(session_keys), "session", "login token")
        self._lifetimes = Lifetimes()

    def begin(self, user: User, lasting: timedelta) -> Issued:
        """A new token for `user`; it never existed before, so no one can have fixed it."""
        now = self._clock.now()
        ends = now + lasting
        content = {
            "id": secrets.token_hex(16),
            "user": user.username,
            "role": user.role,
            "expires_at": ends.isoformat(),
        }
        token = self._fernet.encrypt(json.dumps(content).encode()).decode()
        name = digest(token)
        record = SessionRecord(user.username, user.role, now, ends, secrets.token_hex(32))
        self._users.add_session(name, user.username, now, ends)
        write_json(self._folder / name, record.to_json(), _READABLE_BY_WEB)
        return Issued(token, ends)

    def check(self, token: str | None) -> User | None:
        """Whose live login this is, with the role of this moment; None for anything else."""
        if not token or len(token) > MAX_COOKIE or not token.isascii():
            return None
        name = digest(token)
        known = self._users.session(name)
        record = read_record(self._folder / name)
        if known is None or record is None:
            return None
        username, created_at, expires_at = known
        truth = SessionRecord(username, record.role, created_at, expires_at, record.csrf_seed)
        if not self._lifetimes.alive(name, truth, self._clock.now()):
            return None
        try:
            self._fernet.decrypt(token.encode())
        except InvalidToken:
            return None
        return self._users.find(username)

    def end(self, token: str) -> None:
        """Log out; the token is dead from here on."""
        self._drop(digest(token))

    def end_all(self) -> None:
        """End every login; the files go first, so that a crash in between leaves none that the web still honours."""
        for path in self._folder.iterdir():
            if not path.name.startswith("."):
                self._drop(path.name)
        self._users.end_all_sessions()

    def sweep(self) -> None:
        """Remove what has run out, and files that no login in the database stands behind."""
        for name in self._users.end_expired():
            self._drop(name)
        for path in self._folder.iterdir():
            if not path.name.startswith(".") and self._users.session(path.name) is None:
                self._drop(path.name)

    def _drop(self, name: str) -> None:
        self._users.end_session(name)
        (self._folder / name).unlink(missing_ok=True)
        sync_folder(self._folder)
