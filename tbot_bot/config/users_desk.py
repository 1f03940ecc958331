"""What admins ask about users: who there is, adding, changing and removing them."""

from tbot_bot.config.access import NOT_PROVISIONED, Access, Opened
from tbot_bot.config.desk_kind import OK, Kind, Kinds, Lane, Outcome, done, fault, name_of, refused, text_of
from tbot_bot.config.passwords import email_fault, name_fault, password_fault
from tbot_bot.config.security_users import Change, ChangeRefusal, User
from tbot_bot.domain.settings import UserRole
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.envelope import Request

_TAKEN = "this name is taken"
_CORRECT = "Correct what is marked."
_ROLES_OFF = "Roles are off (RBAC_ENABLED=false): only admins can log in. Turn roles on first."
_LAST_ADMIN = refused("not_allowed", "This is the last admin who can log in. Make someone else an admin first.")
_ROLE_WORDS = "one of " + ", ".join(UserRole)


class UsersDesk:
    """Each act is on record before it is done; whoever is changed is logged out by it."""

    def __init__(self, access: Access, audit: AuditLog) -> None:
        self._access = access
        self._audit = audit

    def kinds(self) -> Kinds:
        return {
            "users": Kind(self._users),
            "user_add": Kind(self._add, Lane.WORK, facts=True),
            "user_change": Kind(self._change, Lane.WORK),
            "user_remove": Kind(self._remove, Lane.WORK, facts=True),
        }

    def _users(self, _: Request, __: User | None) -> Outcome:
        opened = self._access.open()
        if opened is None:
            return Outcome(NOT_PROVISIONED)
        locked = opened.users.locked(opened.rules.lockout)
        rows = [
            {
                "username": one.user.username,
                "email": one.email,
                "role": one.user.role,
                "totp": one.user.totp,
                "created_at": one.created_at,
                "last_login": one.last_login,
                "disabled": one.disabled,
                "locked": locked(one.user.username),
            }
            for one in opened.users.all()
        ]
        body = {"users": rows, "default_role": opened.rules.default_role, "rbac": opened.rules.rbac}
        return done(body=body)

    def _add(self, request: Request, by: User | None) -> Outcome:
        opened = self._access.open()
        if opened is None:
            return Outcome(NOT_PROVISIONED)
        if not opened.rules.rbac:
            return Outcome(refused("not_allowed", _ROLES_OFF))
        name, email, password = (text_of(request, key) for key in ("username", "email", "new_password"))
        role = _role(text_of(request, "role") or opened.rules.default_role)
        wrong = {
            "username": name_fault(name) or (_TAKEN if opened.users.find(name) is not None else ""),
            "email": email_fault(email),
            "new_password": password_fault(password, name, email),
            "role": "" if role is not None else _ROLE_WORDS,
        }
        if role is None or any(wrong.values()):
            return _faulty(wrong)
        detail = {"ip": request.ip, "user": name, "role": role}
        hashed = opened.users.hash(password)
        self._audit.record("user_added", name_of(by), detail)
        if opened.users.add(name, email, role, hashed) is None:
            self._audit.record("user_not_added", name_of(by), {**detail, "why": "the name is taken"})
            return _faulty({"username": _TAKEN})
        return done()

    def _change(self, request: Request, by: User | None) -> Outcome:
        opened = self._access.open()
        user = None if opened is None else opened.users.find(text_of(request, "username"))
        if opened is None or user is None:
            return _faulty({"username": "no user of this name"})
        change, wrong = _change_of(request, opened, user)
        if change is None:
            return _faulty(wrong)
        if change.role is not None and not opened.rules.rbac:
            return Outcome(refused("not_allowed", _ROLES_OFF))
        detail = {
            "ip": request.ip,
            "user": user.username,
            "role": user.role if change.role is None else f"{user.role} → {change.role}",
            "credentials_changed": change.password_hash is not None,
            "second_factor": "removed" if change.remove_totp else "as before",
            "disabled": "as before" if change.disabled is None else change.disabled,
        }
        self._audit.record("user_changed", name_of(by), detail)
        if opened.users.change(user, change) is ChangeRefusal.LAST_ADMIN:
            self._audit.record("user_not_changed", name_of(by), {**detail, "why": "the last admin"})
            return Outcome(_LAST_ADMIN)
        opened.sessions.prune()
        return Outcome(OK)

    def _remove(self, request: Request, by: User | None) -> Outcome:
        opened = self._access.open()
        user = None if opened is None else opened.users.find(text_of(request, "username"))
        if opened is None or user is None:
            return _faulty({"username": "no user of this name"})
        detail = {"ip": request.ip, "user": user.username, "role": user.role}
        self._audit.record("user_removed", name_of(by), detail)
        if opened.users.remove(user) is ChangeRefusal.LAST_ADMIN:
            self._audit.record("user_not_removed", name_of(by), {**detail, "why": "the last admin"})
            return Outcome(_LAST_ADMIN)
        opened.sessions.prune()
        return Outcome(OK)


def _change_of(request: Request, opened: Opened, user: User) -> tuple[Change | None, dict[str, str]]:
    """What is asked for, or what is wrong with it, by field."""
    body = request.body
    role, password = text_of(request, "role"), text_of(request, "new_password")
    facts = opened.users.facts(user)
    email = "" if facts is None else facts.email
    wrong = {
        "role": _ROLE_WORDS if role and _role(role) is None else "",
        "new_password": password_fault(password, user.username, email) if password else "",
        **{key: "true or false" for key in ("disabled", "remove_totp") if not isinstance(body.get(key, False), bool)},
    }
    if any(wrong.values()):
        return None, wrong
    new_role = _role(role)
    return (
        Change(
            role=None if new_role is user.role else new_role,
            disabled=body.get("disabled"),
            password_hash=opened.users.hash(password) if password else None,
            remove_totp=body.get("remove_totp", False),
        ),
        {},
    )


def _role(text: str) -> UserRole | None:
    return UserRole(text) if text in set(UserRole) else None


def _faulty(wrong: dict[str, str]) -> Outcome:
    faults = tuple(fault(key, words) for key, words in wrong.items() if words)
    return Outcome(refused("invalid", _CORRECT, faults))
