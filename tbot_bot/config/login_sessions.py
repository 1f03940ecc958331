"""Live logins: encrypted tokens with an expiry, allow-listed by the hash of their exact text.

A token is worth something only while the database, the file in `control/sessions/` and the clock all say so; the role
is looked up afresh each time. SESSION_TIMEOUT counts from the last activity the runner was told of, and never past
SESSION_TIMEOUT_MINUTES from the login."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tbot_bot.config.security_users import User, UserStore, user_from
from tbot_bot.config.tokens import Purpose, TokenMint
from tbot_bot.config.user_database import fact, set_fact
from tbot_bot.domain.installation import EnvSettings
from tbot_bot.domain.settings import UserRole
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, sync_folder, write_json
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.session_record import MAX_COOKIE, Lifetimes, SessionRecord, digest, read_record, touch_every
from tbot_bot.support.uptime import Uptime, uptime

_READABLE_BY_WEB = 0o640
_SESSION_KEY = "session_key"
_TIMES = "s.created_at, s.seen_at, s.idle_until, s.expires_at, s.boot, s.seconds"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a login may be idle, and how long it may last at all."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh login's cookie and its end (UTC)."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LoginRow:
    """One live login as its user sees it. `device`: the digest of the device it was made from."""

    id: str
    created_at: str
    seen_at: str
    ip: str
    device: str


def limits(env: EnvSettings) -> Limits:
    longest = timedelta(minutes=env.session_timeout_minutes)
    return Limits(min(timedelta(seconds=env.session_timeout_s), longest), longest)


class LoginSessions:
    """Begins, checks and ends logins."""

    def __init__(
        self,
        paths: Paths,
        clock: Clock,
        users: UserStore,
        session_keys: Sequence[bytes],
        running: Callable[[], Uptime] = uptime,
    ) -> None:
        """`session_keys` newest first. Another newest key than last time ends all logins."""
        ensure_folder(paths.sessions, 0o750)
        self._folder = paths.sessions
        self._clock = clock
        self._database = users.database
        self._mint = TokenMint(session_keys)
        self._running = running
        self._lifetimes = Lifetimes(running)
        self.ended = self._end_those_of_another_key()
        """How many logins ended because the key was replaced."""

    def begin(self, user: User, lasting: Limits, *, ip: str, device: str = "") -> Issued:
        """A new token for `user`; it never existed before, so no one can have fixed it."""
        now = self._clock.now()
        ends = now + lasting.longest
        number = secrets.token_hex(16)
        token = self._mint.make(Purpose.LOGIN, {"id": number, "expires_at": ends.isoformat()})
        name = digest(token)
        idle_until, up, seed = now + lasting.idle, self._running(), secrets.token_hex(32)
        record = SessionRecord(user.username, user.role, now, ends, seed, now, idle_until, up)
        times = [moment.isoformat() for moment in (now, now, idle_until, ends)]
        with self._database.writing() as db:
            values = (name, number, user.id, device, ip, *times, up.boot, up.seconds)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        write_json(self._folder / name, record.to_json(), _READABLE_BY_WEB)
        return Issued(token, ends)

    def check(self, token: str | None) -> User | None:
        """Whose live login this is, with the role of this moment; None for anything else."""
        if not token or len(token) > MAX_COOKIE or not token.isascii():
            return None
        name = digest(token)
        with self._database.reading() as db:
            row = db.execute(
                f"SELECT u.id, u.username, u.role, u.totp IS NOT NULL, {_TIMES} FROM sessions s"  # noqa: S608
                " JOIN users u ON u.id = s.user_id WHERE s.digest = ? AND NOT u.disabled",
                (name,),
            ).fetchone()
        user = user_from(row)
        if user is None or read_record(self._folder / name) is None:
            return None
        created_at, seen_at, idle_until, expires_at = (datetime.fromisoformat(text) for text in row[4:8])
        began = Uptime(row[8], row[9])
        truth = SessionRecord(user.username, user.role, created_at, expires_at, "", seen_at, idle_until, began)
        if not self._lifetimes.alive(name, truth, self._clock.now()):
            return None
        return user if self._mint.read(Purpose.LOGIN, token) is not None else None

    def touch(self, token: str, lasting: Limits) -> None:
        """The user is active: the idle clock of this live login starts anew, if it is worth a write."""
        name, now = digest(token), self._clock.now()
        record = read_record(self._folder / name)
        if record is None or now - record.seen_at < touch_every(lasting.idle):
            return
        with self._database.writing() as db:
            row = db.execute("SELECT expires_at FROM sessions WHERE digest = ?", (name,)).fetchone()
            if row is None:
                return
            ends = datetime.fromisoformat(row[0])
            idle_until = min(now + lasting.idle, ends)
            values = (now.isoformat(), idle_until.isoformat(), name)
            db.execute("UPDATE sessions SET seen_at = ?, idle_until = ? WHERE digest = ?", values)
            # Within the transaction: a login that is being ended at this moment must not get its file back.
            fresh = replace(record, expires_at=ends, seen_at=now, idle_until=idle_until)
            write_json(self._folder / name, fresh.to_json(), _READABLE_BY_WEB, durable=False)

    def row_of(self, token: str) -> LoginRow | None:
        """The login of this very token."""
        return next(iter(self._rows("digest = ?", digest(token))), None)

    def rows_of(self, user: User) -> tuple[LoginRow, ...]:
        """The user's live logins, the newest first."""
        return self._rows("user_id = ? AND expires_at > ? AND idle_until > ?", user.id, *[self._now()] * 2)

    def end(self, token: str) -> None:
        """Log out; the token is dead from here on."""
        self._end("digest = ?", digest(token))

    def end_of(self, user: User, number: str) -> int:
        """End the user's login of this id; how many that were."""
        return self._end("user_id = ? AND id = ?", user.id, number)

    def end_others(self, user: User, token: str) -> int:
        """End all of the user's logins but this one; how many that were."""
        return self._end("user_id = ? AND digest <> ?", user.id, digest(token))

    def end_all(self) -> int:
        """Everyone has to log in again."""
        return self._end("1 = ?", 1)

    def end_all_but_admins(self) -> int:
        return self._end("user_id NOT IN (SELECT id FROM users WHERE role = ?)", UserRole.ADMIN)

    def sweep(self) -> tuple[str, ...]:
        """End what has run out, and remove files that no login in the database stands behind; the users concerned."""
        query = (
            "SELECT u.username FROM sessions s JOIN users u ON u.id = s.user_id"
            " WHERE s.expires_at <= ? OR s.idle_until <= ?"
        )
        with self._database.writing() as db:
            now = self._now()
            users = tuple(row[0] for row in db.execute(query, (now, now)))
            db.execute("DELETE FROM sessions WHERE expires_at <= ? OR idle_until <= ?", (now, now))
        self.prune()
        return users

    def prune(self) -> None:
        """Remove the files of logins that have ended in the database."""
        # Listed before the database is asked: a login that begins meanwhile has its row before its file.
        there = [path.name for path in self._folder.iterdir() if not path.name.startswith(".")]
        with self._database.reading() as db:
            alive = {row[0] for row in db.execute("SELECT digest FROM sessions")}
        self._remove(name for name in there if name not in alive)

    def _end(self, where: str, *values: object) -> int:
        with self._database.writing() as db:
            ended = [row[0] for row in db.execute(f"DELETE FROM sessions WHERE {where} RETURNING digest", values)]  # noqa: S608
        self._remove(ended)
        return len(ended)

    def _remove(self, names: Iterable[str]) -> None:
        gone = False
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
            gone = True
        if gone:
            sync_folder(self._folder)

    def _rows(self, where: str, *values: object) -> tuple[LoginRow, ...]:
        query = f"SELECT id, created_at, seen_at, ip, device FROM sessions WHERE {where} ORDER BY created_at DESC"  # noqa: S608
        with self._database.reading() as db:
            return tuple(LoginRow(*row) for row in db.execute(query, values))

    def _end_those_of_another_key(self) -> int:
        with self._database.writing() as db:
            known = fact(db, _SESSION_KEY)
            if known == self._mint.name:
                return 0
            set_fact(db, _SESSION_KEY, self._mint.name)
            ended = db.execute("DELETE FROM sessions").rowcount
            db.execute("DELETE FROM challenges")
        self.prune()
        return ended

    def _now(self) -> str:
        return self._clock.now().isoformat()
