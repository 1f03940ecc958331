"""Registration, login and logout; each answer is on record before it is given."""

from tbot_bot.config.access import NOT_PROVISIONED, Access, Opened
from tbot_bot.config.desk_kind import OK, Kind, Kinds, Lane, Outcome, fault, refused, text_of
from tbot_bot.config.devices import device_digest
from tbot_bot.config.entry import let_in
from tbot_bot.config.security_users import Attempt, LoginRefusal, User, registration_faults
from tbot_bot.config.step_up import LOCKED_WORDS, WRONG_CODE, note_lockout
from tbot_bot.config.steps import FAILURES, words
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.envelope import Reply, Request

_WRONG = refused(LoginRefusal.BAD_CREDENTIALS, "User name or password is wrong.")
_START_OVER = "Type your name and password again: this login took too long, or was begun in another browser."


class LoginDesk:
    """What anyone may ask: to become the first user, to come in, to go."""

    def __init__(self, access: Access, audit: AuditLog) -> None:
        self._access = access
        self._audit = audit

    def kinds(self) -> Kinds:
        return {
            "register": Kind(lambda request, _: Outcome(self.register(request)), Lane.LOGIN, facts=True),
            "login": Kind(lambda request, _: Outcome(self.login(request)), Lane.LOGIN),
            "login_code": Kind(lambda request, _: Outcome(self.login_code(request)), Lane.LOGIN),
            "logout": Kind(lambda request, _: Outcome(self.logout(request))),
            "touch": Kind(self._touch),
        }

    def register(self, request: Request) -> Reply:
        """The first user becomes admin and is logged in at once."""
        opened = self._access.open()
        if opened is None:
            return NOT_PROVISIONED
        username, password, email = (text_of(request, key) for key in ("username", "password", "email"))
        if opened.users.count():
            self._audit.record("registration_refused", "nobody", {"ip": request.ip, "why": "users exist"})
            return refused("not_allowed", "There is a user already. Log in instead.")
        wrong = registration_faults(username, password, email)
        if wrong:
            faults = tuple(fault(key, text) for key, text in wrong.items())
            return refused("invalid", "Correct what is marked.", faults)
        self._audit.record("registration", username, {"ip": request.ip, "role": "admin"})
        user = opened.users.register_first(username, password, email)
        if user is None:
            return refused("not_allowed", "There is a user already. Log in instead.")
        try:
            return let_in(opened, self._audit, user, request, text_of(request, "device"), "registration")
        except FAILURES as error:
            return refused("registered", f"You are registered. Logging you in failed: {words(error)}. Log in now.")

    def login(self, request: Request) -> Reply:
        """The password; where a second factor is enrolled, the answer is a challenge for the code."""
        opened = self._access.open()
        if opened is None:
            return NOT_PROVISIONED
        username, cookie = text_of(request, "username"), text_of(request, "device")
        device, rule = device_digest(cookie), opened.rules.lockout
        password = text_of(request, "password")
        attempt = opened.users.try_password(username, password, device, rule, admins_only=not opened.rules.rbac)
        if attempt.user is None:
            known = opened.users.find(username)
            self._refused(opened, "unknown" if known is None else known.username, request, attempt)
            return _locked(opened) if attempt.refusal is LoginRefusal.LOCKED else _WRONG
        if attempt.user.totp:
            self._audit.record("login_code_asked", attempt.user.username, {"ip": request.ip})
            return self._ask_code(opened, attempt.user, device, "Type the code that your authenticator shows.")
        return let_in(opened, self._audit, attempt.user, request, cookie, "password")

    def login_code(self, request: Request) -> Reply:
        """The second step. A wrong code is answered with a new challenge; the old one is used up."""
        opened = self._access.open()
        if opened is None:
            return NOT_PROVISIONED
        cookie = text_of(request, "device")
        device = device_digest(cookie)
        user = opened.challenges.take(text_of(request, "challenge"), device)
        if user is None or not opened.rules.admits(user):
            self._audit.record("login_refused", "unknown", {"ip": request.ip, "why": "no live challenge"})
            return refused(LoginRefusal.BAD_CREDENTIALS, _START_OVER)
        attempt = opened.users.try_code(user, text_of(request, "code"), device, opened.rules.lockout)
        if attempt.user is None:
            self._refused(opened, user.username, request, attempt)
            if attempt.refusal is LoginRefusal.LOCKED:
                return _locked(opened)
            again = self._ask_code(opened, user, device, WRONG_CODE)
            return Reply(False, again.code, again.message, again.body, (fault("code", WRONG_CODE),))
        return let_in(opened, self._audit, user, request, cookie, f"password and {attempt.code}")

    def logout(self, request: Request) -> Reply:
        """Ending a login that has ended already is no error."""
        opened = self._access.open()
        if opened is not None and request.token is not None:
            user = opened.sessions.check(request.token)
            if user is not None:
                opened.sessions.end(request.token)
                self._audit.record("logout", user.username, {"ip": request.ip})
        return OK

    def _touch(self, request: Request, _: User | None) -> Outcome:
        """The user is active. Not on record: it is no act, and there are many."""
        opened = self._access.open()
        if opened is not None and request.token is not None:
            opened.sessions.touch(request.token, opened.rules.lasting)
        return Outcome(OK)

    def _ask_code(self, opened: Opened, user: User, device: str, words: str) -> Reply:
        challenge = opened.challenges.make(user, device)
        return Reply(ok=False, code="code_needed", message=words, body={"challenge": challenge})

    def _refused(self, opened: Opened, actor: str, request: Request, attempt: Attempt) -> None:
        self._audit.record("login_refused", actor, {"ip": request.ip, "kind": request.kind, "why": attempt.refusal})
        note_lockout(self._audit, actor, request.ip, attempt, opened.rules.lockout)


def _locked(opened: Opened) -> Reply:
    return refused(LoginRefusal.LOCKED, LOCKED_WORDS.format(minutes=opened.rules.lockout.minutes))
