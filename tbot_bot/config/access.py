"""Who is asking: the user database under the present generation's keys, and the live login behind a token."""

import threading
from dataclasses import dataclass

from tbot_bot.config.challenges import Challenges
from tbot_bot.config.checkpoint import read_checkpoint
from tbot_bot.config.desk_kind import refused
from tbot_bot.config.generations import current_number
from tbot_bot.config.lockout import LockoutRule
from tbot_bot.config.login_sessions import Limits, LoginSessions, limits
from tbot_bot.config.security_bot import access_rules, login_rules
from tbot_bot.config.security_users import User, UserStore
from tbot_bot.config.step_up import prove
from tbot_bot.config.turns import Turns
from tbot_bot.domain.settings import UserRole
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.support.decrypt_secrets import GenerationFolder, with_generation
from tbot_bot.support.envelope import Reply, Request
from tbot_bot.support.path_resolver import Paths

NOT_PROVISIONED = refused("not_provisioned", "Save a configuration first; then users can log in.")


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What the configuration says about logging in. `rbac` false: only admins can, and no user can be added."""

    lockout: LockoutRule
    lasting: Limits
    rbac: bool
    default_role: UserRole

    def admits(self, user: User) -> bool:
        return self.rbac or user.role is UserRole.ADMIN


@dataclass(frozen=True, slots=True)
class Opened:
    """Users and sessions under one generation's keys and settings."""

    number: int
    users: UserStore
    sessions: LoginSessions
    challenges: Challenges
    rules: AccessRules


class Access:
    """The user database and the live logins; there is none before provisioning is complete. Thread-safe."""

    def __init__(self, paths: Paths, clock: Clock, bcrypt_cost: int, audit: AuditLog) -> None:
        self._paths = paths
        self._audit = audit
        self._clock = clock
        self._cost = bcrypt_cost
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self.turns = Turns()

    @property
    def paths(self) -> Paths:
        return self._paths

    def open(self) -> Opened | None:
        """None until provisioning is complete. Opened anew when another generation is current."""
        with self._lock:
            number = current_number(self._paths)
            if number is None or not self._paths.users_db.exists() or self._first_unfinished():
                self._opened = None
            elif self._opened is None or self._opened.number != number:
                self._opened = self._open(number)
            return self._opened

    def close(self) -> None:
        """Forget what is open: the next request opens it anew, as after the database was replaced by a restore."""
        with self._lock:
            self._opened = None

    def end_all_logins(self) -> None:
        opened = self.open()
        if opened is not None:
            opened.sessions.end_all()

    def count(self) -> int:
        """How many users there are."""
        opened = self.open()
        return 0 if opened is None else opened.users.count()

    def who(self, token: str | None) -> User | None:
        opened = self.open()
        user = None if opened is None else opened.sessions.check(token)
        return user if opened is not None and user is not None and opened.rules.admits(user) else None

    def step_up(self, request: Request, user: User) -> Reply | None:
        """Why the request does not prove anew that `user` sent it; None when it does. It takes as long as a login,
        so kinds that call it are on the WORK lane; a failure counts towards the lockout."""
        opened = self.open()
        if opened is None:
            return NOT_PROVISIONED
        row = None if request.token is None else opened.sessions.row_of(request.token)
        device = "" if row is None else row.device
        return prove(opened.users, opened.rules.lockout, self._audit, request, user, device)

    def trusts(self, device: str) -> bool:
        """Whether a user logged in before from the device of this cookie."""
        opened = self.open()
        return opened is not None and opened.users.trusts(device)

    def sweep(self) -> None:
        """End the logins that have run out, on record, and forget failures that no longer count."""
        opened = self.open()
        if opened is None:
            return
        for username in opened.sessions.sweep():
            self._audit.record("login_expired", username, {})
        opened.users.tidy(opened.rules.lockout)

    def _open(self, number: int) -> Opened:
        login, session = with_generation(self._paths, _keys)
        users = UserStore(self._paths.users_db, login, self._clock, self._cost)
        users.create_database()
        sessions = LoginSessions(self._paths, self._clock, users, session)
        rules = self._rules()
        self._note_ended(sessions.ended, "the session key was replaced")
        if not rules.rbac:
            self._note_ended(sessions.end_all_but_admins(), "roles are off")
        return Opened(number, users, sessions, Challenges(self._clock, users, session), rules)

    def _note_ended(self, count: int, why: str) -> None:
        if count:
            self._audit.record("logins_ended", "runner", {"count": count, "why": why})

    def _rules(self) -> AccessRules:
        env, access = login_rules(self._paths), access_rules(self._paths)
        lockout = LockoutRule(env.login_attempt_limit, env.login_lockout_minutes)
        return AccessRules(lockout, limits(env), access.rbac_enabled, access.default_user_role)

    def _first_unfinished(self) -> bool:
        """While the first provisioning is under way its database is not to be used; later ones change no user."""
        checkpoint = read_checkpoint(self._paths)
        return checkpoint is not None and checkpoint.first


def _keys(now: GenerationFolder) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    return now.keys("login"), now.keys("session")
