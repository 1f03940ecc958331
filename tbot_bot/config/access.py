"""Who is asking: registration, login, logout, and the live login behind a token."""

import threading
from dataclasses import dataclass

from tbot_bot.config.checkpoint import read_checkpoint
from tbot_bot.config.desk_kind import Kind, Kinds, Lane, Outcome, fault, refused, text_of
from tbot_bot.config.generations import current_number
from tbot_bot.config.login_sessions import Issued, LoginSessions, lifetime
from tbot_bot.config.security_bot import login_rules
from tbot_bot.config.security_users import LockoutRule, LoginRefusal, User, UserStore, registration_faults
from tbot_bot.config.turns import Turns
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.support.decrypt_secrets import with_generation
from tbot_bot.support.envelope import Reply, Request
from tbot_bot.support.path_resolver import Paths

_NOT_PROVISIONED = refused("not_provisioned", "Save a configuration first; then users can log in.")
_WORDS = {
    LoginRefusal.BAD_CREDENTIALS: "User name or password is wrong.",
    LoginRefusal.LOCKED: "Too many failed logins. Wait {minutes} minutes, or use a device you logged in from before.",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """Users and sessions under one generation's keys."""

    number: int
    users: UserStore
    sessions: LoginSessions


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
        """None until provisioning is complete."""
        with self._lock:
            number = current_number(self._paths)
            if number is None or not self._paths.users_db.exists() or self._first_unfinished():
                self._opened = None
            elif self._opened is None or self._opened.number != number:
                keys = with_generation(self._paths, lambda now: (now.keys("login"), now.keys("session")))
                users = UserStore(self._paths.users_db, keys[0], self._clock, self._cost)
                self._opened = Opened(number, users, LoginSessions(self._paths, self._clock, users, keys[1]))
            return self._opened

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
        return None if opened is None else opened.sessions.check(token)

    def step_up(self, request: Request, user: User) -> Reply | None:
        """Why the request does not prove anew that `user` sent it; None when it does. It takes as long as a login,
        so kinds that call it are on the WORK lane; a failure counts towards the lockout."""
        opened = self.open()
        if opened is None:
            return _NOT_PROVISIONED
        given = request.body.get("step_up")
        password = given.get("password") if isinstance(given, dict) else None
        if not isinstance(password, str) or not password:
            return _step_up_reply("Type your password to confirm this.")
        rule = lockout_rule(self._paths)
        found = opened.users.authenticate(user.username, password, request.ip, rule)
        outcome = "ok" if isinstance(found, User) else found
        self._audit.record("step_up", user.username, {"ip": request.ip, "kind": request.kind, "outcome": outcome})
        if isinstance(found, User):
            return None
        if found is LoginRefusal.LOCKED:
            return _step_up_reply(_WORDS[found].format(minutes=rule.minutes))
        return _step_up_reply("The password is wrong.")

    def _first_unfinished(self) -> bool:
        """While the first provisioning is under way its database is not to be used; later ones change no user."""
        checkpoint = read_checkpoint(self._paths)
        return checkpoint is not None and checkpoint.first


class AccessDesk:
    """Answers the requests about people; each answer is on record before it is given."""

    def __init__(self, access: Access, audit: AuditLog) -> None:
        self._access = access
        self._audit = audit

    def kinds(self) -> Kinds:
        return {
            "register": Kind(lambda request, _: Outcome(self.register(request)), Lane.LOGIN, facts=True),
            "login": Kind(lambda request, _: Outcome(self.login(request)), Lane.LOGIN),
            "logout": Kind(lambda request, _: Outcome(self.logout(request))),
        }

    def register(self, request: Request) -> Reply:
        """The first user becomes admin and is logged in at once."""
        opened = self._access.open()
        if opened is None:
            return _NOT_PROVISIONED
        username, password, email = (text_of(request, key) for key in ("username", "password", "email"))
        if opened.users.count():
            self._audit.record("registration_refused", "nobody", {"ip": request.ip, "why": "users exist"})
            return Reply(ok=False, code="not_allowed", message="There is a user already. Log in instead.")
        wrong = registration_faults(username, password, email)
        if wrong:
            faults = tuple(fault(key, text) for key, text in wrong.items())
            return Reply(ok=False, code="invalid", message="Please correct what is marked.", faults=faults)
        self._audit.record("registration", username, {"ip": request.ip, "role": "admin"})
        user = opened.users.register_first(username, password, email, request.ip)
        if user is None:
            return Reply(ok=False, code="not_allowed", message="There is a user already. Log in instead.")
        return self._let_in(opened, user, request)

    def login(self, request: Request) -> Reply:
        opened = self._access.open()
        if opened is None:
            return _NOT_PROVISIONED
        rule = lockout_rule(self._access.paths)
        username = text_of(request, "username")
        found = opened.users.authenticate(username, text_of(request, "password"), request.ip, rule)
        if isinstance(found, LoginRefusal):
            known = opened.users.find(username)
            actor = "unknown" if known is None else known.username
            self._audit.record("login_refused", actor, {"ip": request.ip, "why": found})
            return Reply(ok=False, code=found, message=_WORDS[found].format(minutes=rule.minutes))
        return self._let_in(opened, found, request)

    def logout(self, request: Request) -> Reply:
        """Ending a login that has ended already is no error."""
        opened = self._access.open()
        if opened is not None and request.token is not None:
            user = opened.sessions.check(request.token)
            if user is not None:
                opened.sessions.end(request.token)
                self._audit.record("logout", user.username, {"ip": request.ip})
        return Reply(ok=True, code="ok", message="")

    def _let_in(self, opened: Opened, user: User, request: Request) -> Reply:
        """A new token; the one that came along, if any, is dead from here on."""
        lasting = lifetime(login_rules(self._access.paths))
        self._audit.record("login", user.username, {"ip": request.ip, "role": user.role})
        if request.token is not None and opened.sessions.check(request.token) is not None:
            opened.sessions.end(request.token)
        issued: Issued = opened.sessions.begin(user, lasting)
        body = {
            "token": issued.token,
            "user": user.username,
            "role": user.role,
            "expires_at": issued.expires_at.isoformat(),
        }
        return Reply(ok=True, code="ok", message="", body=body)


def lockout_rule(paths: Paths) -> LockoutRule:
    env = login_rules(paths)
    return LockoutRule(env.login_attempt_limit, env.login_lockout_minutes)


def _step_up_reply(why: str) -> Reply:
    """A refusal that asks for the password anew, and says whether a code must come with it."""
    faults = (fault("step_up_password", why),)
    return Reply(ok=False, code="step_up", message=why, body={"totp": False}, faults=faults)
