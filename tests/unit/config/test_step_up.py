"""Proving anew who one is, before what cannot be undone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.config.access import Access
from tbot_bot.config.security_users import User
from tbot_bot.domain.settings import UserRole
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.support.envelope import Reply, Request

ADA = User("ada", UserRole.ADMIN)
PASSWORD = "a battery of horses"


class Steps:
    """The access of a rig whose runner has stopped, so that its database and log are ours alone."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig
        self.audit = AuditWriter(rig.paths, rig.clock)
        self.access = Access(rig.paths, rig.clock, 4, self.audit)

    def ask(self, step_up: object) -> Reply | None:
        body = {} if step_up is None else {"step_up": step_up}
        request = Request("rotate", "00" * 16, self.rig.clock.now(), "192.0.2.7", b"", None, body)
        return self.access.step_up(request, ADA)


@pytest.fixture
def steps(ready: Any, tmp_path: Path) -> Iterator[Steps]:
    ready.register()
    ready.stop()
    made = Steps(ready)
    yield made
    made.audit.close()


def test_the_right_password_proves_it_and_is_on_record(steps: Steps) -> None:
    assert steps.ask({"password": PASSWORD}) is None
    assert '"by":"password","ip":"192.0.2.7","kind":"rotate"' in steps.rig.audit_text()


@pytest.mark.parametrize("given", [None, {}, "a battery of horses", {"password": 5}, {"password": "wrong"}])
def test_anything_else_is_refused_beside_the_field(steps: Steps, given: object) -> None:
    reply = steps.ask(given)

    assert reply is not None
    assert (reply.ok, reply.code, reply.body) == (False, "step_up", {"totp": False})
    assert [one["key"] for one in reply.faults] == ["step_up_password"]


def test_guessing_locks_like_guessing_at_the_login(steps: Steps) -> None:
    for _ in range(10):
        steps.ask({"password": "wrong"})

    reply = steps.ask({"password": PASSWORD})

    assert reply is not None
    assert "Wait 15 minutes" in reply.message
