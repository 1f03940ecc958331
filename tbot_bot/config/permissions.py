"""Who may ask the runner for what: one table, enforced by the desk before any handler sees the request.

A kind that is not in the table is refused to everyone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tbot_bot.config.security_users import User, may
from tbot_bot.domain.settings import UserRole


class Needs(StrEnum):
    """The least power that a kind of request takes."""

    ANYONE = "anyone"
    FIRST_RUN = "first run"
    """Anyone while there is no user, an admin afterwards."""
    VIEWER = "viewer"
    TRADER = "trader"
    ADMIN = "admin"


class StepUp(StrEnum):
    """Whether a fresh password (and code, where TOTP is enrolled) must come with the request."""

    NEVER = "never"
    SOMETIMES = "sometimes"
    """The handler decides by what is asked: raising a risk limit, going live. It then calls `Access.step_up`."""
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Permission:
    needs: Needs
    step_up: StepUp = StepUp.NEVER


_ROLES = {Needs.VIEWER: UserRole.VIEWER, Needs.TRADER: UserRole.TRADER, Needs.ADMIN: UserRole.ADMIN}

PERMISSIONS: Mapping[str, Permission] = {
    # logging in
    "register": Permission(Needs.ANYONE),
    "login": Permission(Needs.ANYONE),
    "login_code": Permission(Needs.ANYONE),
    "logout": Permission(Needs.ANYONE),
    "touch": Permission(Needs.VIEWER),
    # one's own account
    "account": Permission(Needs.VIEWER),
    "change_account": Permission(Needs.VIEWER, StepUp.ALWAYS),
    "totp_begin": Permission(Needs.VIEWER, StepUp.ALWAYS),
    "totp_confirm": Permission(Needs.VIEWER),
    "totp_remove": Permission(Needs.VIEWER, StepUp.ALWAYS),
    "end_login": Permission(Needs.VIEWER),
    # users
    "users": Permission(Needs.ADMIN),
    "user_add": Permission(Needs.ADMIN, StepUp.ALWAYS),
    "user_change": Permission(Needs.ADMIN, StepUp.ALWAYS),
    "user_remove": Permission(Needs.ADMIN, StepUp.ALWAYS),
    # settings
    "validate": Permission(Needs.FIRST_RUN),
    "provision": Permission(Needs.FIRST_RUN, StepUp.SOMETIMES),
    # keys
    "keys": Permission(Needs.ADMIN),
    "rotate": Permission(Needs.ADMIN, StepUp.ALWAYS),
    "compromised": Permission(Needs.ADMIN, StepUp.ALWAYS),
    "destroy_old": Permission(Needs.ADMIN, StepUp.ALWAYS),
    "export_keys": Permission(Needs.ADMIN, StepUp.ALWAYS),
    # backups
    "recovery_begin": Permission(Needs.ADMIN, StepUp.SOMETIMES),
    "recovery_confirm": Permission(Needs.ADMIN),
    "backup_now": Permission(Needs.ADMIN),
    "drill_now": Permission(Needs.ADMIN),
    "restore_preview": Permission(Needs.FIRST_RUN, StepUp.ALWAYS),
    "restore": Permission(Needs.FIRST_RUN, StepUp.ALWAYS),
    # the audit log
    "audit_search": Permission(Needs.ADMIN),
    "audit_verify": Permission(Needs.ADMIN),
    # trading
    "start": Permission(Needs.TRADER),
    "build_universe": Permission(Needs.TRADER),
    "backtest": Permission(Needs.TRADER),
    "confirm_trade": Permission(Needs.TRADER),
}


def role_needed(needs: Needs, *, first_run: bool) -> UserRole | None:
    """The role that a request takes now; None when it takes none."""
    if needs is Needs.ANYONE or (needs is Needs.FIRST_RUN and first_run):
        return None
    return UserRole.ADMIN if needs is Needs.FIRST_RUN else _ROLES[needs]


def allowed(user: User | None, needed: UserRole | None) -> bool:
    return needed is None or (user is not None and may(user, needed))
