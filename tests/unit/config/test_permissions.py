"""Every kind of request × every role × with and without step-up, through a real runner: exactly the table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.backup.desk import backup_desk
from tbot_bot.config.audit_desk import AuditDesk
from tbot_bot.config.desk_kind import Lane
from tbot_bot.config.permissions import PERMISSIONS, Needs, StepUp, allowed, role_needed
from tbot_bot.config.security_users import User
from tbot_bot.domain.settings import UserRole
from tbot_bot.interface.requests import Reply
from tbot_bot.reporting.audit_trail import AuditTrail
from tests.unit.config.conftest import Rig, step_up

NOBODY = "nobody"
ROLES = (NOBODY, *UserRole)
RANK = {NOBODY: 0, Needs.ANYONE: 0, Needs.VIEWER: 1, Needs.TRADER: 2, Needs.ADMIN: 3, Needs.FIRST_RUN: 3}
KEEPS_LOGIN = frozenset(PERMISSIONS) - {"logout", "login", "register", "change_account", "totp_confirm", "totp_remove"}


class Everyone:
    """A runner with every desk, and a user of each role who has just logged in."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        admin = rig.register()
        self._tokens = {NOBODY: "", UserRole.ADMIN.value: admin}
        for role in (UserRole.VIEWER, UserRole.TRADER):
            self._tokens[role] = rig.add_user(admin, f"the-{role}", role)

    def ask(self, kind: str, role: str, *, proof: bool) -> Reply:
        """An empty request: whoever may ask is told by the handler what is missing, which is not the desk's refusal."""
        reply = self.rig.ask(kind, step_up() if proof else {}, self._tokens[role] or None)
        if kind not in KEEPS_LOGIN and role != NOBODY:
            name = "ada" if role == UserRole.ADMIN else f"the-{role}"
            self._tokens[role] = str(self.rig.log_in(name).body["token"])
        return reply


@pytest.fixture(scope="module")
def everyone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everyone]:
    rig = whole(tmp_path_factory.mktemp("matrix"))
    rig.start()
    rig.provision()
    yield Everyone(rig)
    rig.stop()


def whole(root: Path) -> Rig:
    rig = Rig(root)
    rig.more = (
        lambda tools, _: AuditDesk(AuditTrail(rig.paths), tools.audit).kinds(),
        lambda tools, access: backup_desk(rig._audit)(tools, access),
    )
    return rig


def expected(kind: str, role: str, *, proof: bool) -> str:
    """What the table says: passed, or which refusal of the desk."""
    permission = PERMISSIONS[kind]
    if RANK[role if role == NOBODY else Needs(role)] < RANK[permission.needs]:
        return "log in" if role == NOBODY else "role"
    if permission.step_up is StepUp.ALWAYS and not proof:
        return "step up"
    return "passed"


def seen(reply: Reply) -> str:
    if reply.code == "expired" and "Log in again" in reply.message:
        return "log in"
    if reply.code == "not_allowed" and reply.message.startswith("This needs the role"):
        return "role"
    return "step up" if reply.code == "step_up" else "passed"


@pytest.mark.parametrize("kind", sorted(PERMISSIONS))
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("proof", [False, True], ids=["bare", "proved"])
def test_a_request_passes_exactly_where_the_table_says(everyone: Everyone, kind: str, role: str, proof: bool) -> None:
    reply = everyone.ask(kind, role, proof=proof)

    wanted = expected(kind, role, proof=proof)
    if PERMISSIONS[kind].step_up is StepUp.SOMETIMES and wanted == "passed" and not proof:
        assert seen(reply) in {"passed", "step up"}
    else:
        assert seen(reply) == wanted, reply


@pytest.mark.parametrize("kind", ["no_such_kind", "admin", "user_promote", "login_as"])
@pytest.mark.parametrize("role", ROLES)
def test_a_kind_that_is_not_in_the_table_is_refused_to_everyone(everyone: Everyone, kind: str, role: str) -> None:
    reply = everyone.ask(kind, role, proof=True)

    assert (reply.ok, "unknown" in reply.message) == (False, True)


def test_every_kind_has_a_row_and_every_row_a_desk(everyone: Everyone) -> None:
    assert everyone.rig.runner.desk.kinds == set(PERMISSIONS)


def test_what_computes_passwords_is_not_done_between_other_requests(everyone: Everyone) -> None:
    """A step-up takes as long as a login; inline it would stop everything else for that time."""
    desk = everyone.rig.runner.desk
    slow = {kind for kind, permission in PERMISSIONS.items() if permission.step_up is not StepUp.NEVER}

    assert {kind for kind in slow | {"login", "register"} if desk._kinds[kind].lane is Lane.INLINE} == set()


@pytest.mark.parametrize("kind", sorted(kind for kind, row in PERMISSIONS.items() if row.needs is Needs.FIRST_RUN))
def test_what_the_first_run_may_ask_needs_an_admin_afterwards(kind: str) -> None:
    needs = PERMISSIONS[kind].needs

    assert allowed(None, role_needed(needs, first_run=True))
    assert not allowed(None, role_needed(needs, first_run=False))
    assert not allowed(User("x", UserRole.TRADER), role_needed(needs, first_run=False))
    assert allowed(User("x", UserRole.ADMIN), role_needed(needs, first_run=False))


def test_nothing_is_open_to_all_but_coming_in_and_going() -> None:
    open_to_all = {kind for kind, row in PERMISSIONS.items() if row.needs is Needs.ANYONE}

    assert open_to_all == {"register", "login", "login_code", "logout"}


def test_a_token_is_looked_up_anew_for_each_request(ready: Any) -> None:
    """A role that was taken away is gone with the next request, even where the web still shows it."""
    admin = ready.register()
    trader = ready.add_user(admin, "bob", "trader")
    assert ready.ask("build_universe", token=trader).ok

    assert ready.ask("user_change", {"username": "bob", "role": "viewer", **step_up()}, admin).ok

    assert ready.ask("build_universe", token=trader).code == "expired"
