"""Who a cookie belongs to, by the runner's allow-list of live logins."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tbot_bot.ports.clock import Clock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.session_record import MAX_COOKIE, Lifetimes, digest, read_record


@dataclass(frozen=True, slots=True)
class Login:
    """A live login. `csrf_seed`: random hex to derive form tokens from, as long-lived as the login.

    `touch_every`: how often it is worth telling the runner that the user is active."""

    user: str
    role: str
    expires_at: datetime
    csrf_seed: str
    touch_every: timedelta


class Sessions:
    """Reads `control/sessions/`; cannot create one, cannot lengthen one."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        self._paths = paths
        self._clock = clock
        self._lifetimes = Lifetimes()

    def lookup(self, cookie: str) -> Login | None:
        """The login of exactly this cookie; None when it is unknown, expired, idle for too long or logged out."""
        if not cookie or len(cookie) > MAX_COOKIE:
            return None
        name = digest(cookie)
        record = read_record(self._paths.sessions / name)
        if record is None or not self._lifetimes.alive(name, record, self._clock.now()):
            return None
        return Login(record.user, record.role, record.expires_at, record.csrf_seed, record.touch_every)
