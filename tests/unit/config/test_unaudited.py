"""Nothing privileged is done while it cannot be audited: every kind of request, with an audit log that takes no record.

Step-ups may be recorded, so that it is the act itself that finds the log full."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyotp
import pyrage
import pytest

from tbot_bot.backup.desk import backup_desk
from tbot_bot.config.audit_desk import AuditDesk
from tbot_bot.config.permissions import PERMISSIONS
from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting.audit_trail import AuditTrail
from tbot_bot.support.atomic_file import read_lines
from tests.unit.config.conftest import PASSWORD, Rig

STEP_UP = {"step_up": {"password": PASSWORD, "code": ""}}
READS = {
    "validate",
    "keys",
    "users",
    "account",
    "touch",
    "audit_search",
    "restore_preview",  # nothing outside a scratch folder; its own tests look at that
}
"""Kinds that change nothing but when a login was last seen."""
ELSEWHERE = {"register", "login", "login_code", "logout", "provision", "restore", "recovery_confirm", "totp_confirm"}
"""Kinds with a test of their own below; that of `restore` is beside the backups."""

Body = Callable[[Rig], Mapping[str, Any]]


def _plain(**body: Any) -> Body:
    return lambda _: body


ACTS: Mapping[str, Body] = {
    "change_account": _plain(username="", email="new@example.com", new_password="", **STEP_UP),
    "totp_begin": _plain(**STEP_UP),
    "totp_remove": lambda house: {"step_up": {"password": PASSWORD, "code": _enrol(house)[1]}},
    "end_login": _plain(id="others"),
    "user_add": _plain(username="carl", email="", role="viewer", new_password="a fence of mules", **STEP_UP),
    "user_change": _plain(username="bob", role="trader", **STEP_UP),
    "user_remove": _plain(username="bob", **STEP_UP),
    "rotate": _plain(categories=["broker"], **STEP_UP),
    "compromised": _plain(category="smtp", what="lost", **STEP_UP),
    "destroy_old": _plain(**STEP_UP),
    "export_keys": lambda _: {"recipient": str(pyrage.x25519.Identity.generate().to_public()), **STEP_UP},
    "recovery_begin": _plain(**STEP_UP),
    "backup_now": _plain(),
    "drill_now": _plain(),
    "audit_verify": _plain(),
    "start": _plain(),
    "build_universe": _plain(),
    "backtest": _plain(first="2019-02-11", last="2019-02-12"),
    "confirm_trade": _plain(client_id="tb-1"),
}


@contextmanager
def full(rig: Rig) -> Iterator[list[str]]:
    """No record is taken but those of step-ups; yields the events that wanted one."""
    wanted: list[str] = []
    real = rig._audit.record

    def record(event: str, actor: str, detail: Mapping[str, Any]) -> None:
        if event.startswith("step_up"):
            real(event, actor, detail)
            return
        wanted.append(event)
        raise AuditUnavailable(f"the event {event} could not be recorded: No space left on device")

    rig._audit.record = record  # type: ignore[method-assign]
    try:
        yield wanted
    finally:
        rig._audit.record = real  # type: ignore[method-assign]


def effects(rig: Rig) -> dict[str, str]:
    """Everything that an act can leave behind, as names and digests."""
    root, found = rig.paths.root, {}
    passed = ("control/replies", "control/published", "control/requests", "control/audit_anchors")
    ours = ("tbot_bot/storage/runner", "tbot_bot/storage/audit")
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder, name)
            at = str(path.relative_to(root))
            if at.startswith((*passed, *ours)) or ".db" in name or name.endswith((".lock", ".tmp")):
                continue
            if path.is_symlink():
                found[at] = os.readlink(path)
            elif path.is_file():
                found[at] = hashlib.sha256(path.read_bytes()).hexdigest()
    with closing(sqlite3.connect(rig.paths.users_db)) as db:
        for table in ("users", "sessions"):
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if "seen" not in row[1]]
            rows = db.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1").fetchall()
            found[f"table {table}"] = repr(rows)
    return found


@pytest.fixture
def house(ready: Rig) -> Rig:
    """A runner with every desk, an admin, an old generation, and where there can be one a second user."""
    ready.stop()
    ready.more = (
        lambda tools, _: AuditDesk(AuditTrail(ready.paths), tools.audit).kinds(),
        lambda tools, access: backup_desk(ready._audit)(tools, access),
    )
    ready.start()
    ready.token = ready.register()
    assert ready.ask("rotate", {"categories": ["smtp"], **STEP_UP}, ready.token).ok
    bob = {"username": "bob", "email": "", "role": "viewer", "new_password": "a river of goats"}
    ready.ask("user_add", {**bob, **STEP_UP}, ready.token)
    ready.problems = ()
    return ready


def _prepared(house: Rig, kind: str) -> None:
    """What must be there before an act of `kind` could be done at all."""
    if kind in {"backup_now", "drill_now"}:
        assert house.ask("recovery_confirm", {"last_group": _last_group(house)}, house.token).ok
    if kind == "end_login":
        assert house.ask("login", {"username": "ada", "password": PASSWORD, "device": ""}).ok


def _last_group(house: Rig) -> str:
    """Begins a recovery key; returns the end of its identity, which confirms it."""
    shown = house.ask("recovery_begin", {}, house.token)
    assert shown.ok, shown
    last = str(shown.body["identity"]).replace(" ", "").removeprefix("AGE-SECRET-KEY-1")
    return [last[place : place + 6] for place in range(0, len(last), 6)][-1]


def _begun(house: Rig) -> pyotp.TOTP:
    begun = house.ask("totp_begin", STEP_UP, house.token)
    assert begun.ok, begun
    return pyotp.TOTP(str(begun.body["secret"]))


def _enrol(house: Rig) -> list[str]:
    """A second factor, which renews the login; returns the recovery codes."""
    confirmed = house.ask("totp_confirm", {"code": _begun(house).now()}, house.token)
    assert confirmed.ok, confirmed
    house.token = str(confirmed.body["token"])
    return list(confirmed.body["recovery_codes"])


def test_every_kind_is_looked_at() -> None:
    assert set(PERMISSIONS) == READS | ELSEWHERE | set(ACTS)


@pytest.mark.parametrize("kind", sorted(ACTS))
def test_an_act_that_cannot_be_audited_is_not_done(house: Rig, kind: str) -> None:
    _prepared(house, kind)
    body = dict(ACTS[kind](house))
    before = effects(house)

    with full(house) as wanted:
        reply = house.ask(kind, body, house.token)

    assert wanted, reply
    assert "request_not_allowed" not in wanted
    assert not reply.ok
    assert "could not be recorded" in reply.message
    after = effects(house)
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()


def test_a_login_that_cannot_be_audited_is_none(house: Rig) -> None:
    before = effects(house)

    with full(house) as wanted:
        reply = house.ask("login", {"username": "ada", "password": PASSWORD, "device": ""})

    assert wanted
    assert not reply.ok
    assert effects(house) == before


def test_a_second_factor_that_cannot_be_audited_is_not_enrolled(house: Rig) -> None:
    code = _begun(house).now()
    before = effects(house)

    with full(house) as wanted:
        reply = house.ask("totp_confirm", {"code": code}, house.token)

    assert wanted
    assert not reply.ok
    assert effects(house) == before


def test_a_code_lets_no_one_in_unaudited(house: Rig) -> None:
    codes = _enrol(house)
    asked = house.ask("login", {"username": "ada", "password": PASSWORD, "device": ""})
    assert asked.code == "code_needed"
    before = effects(house)

    with full(house) as wanted:
        body = {"challenge": asked.body["challenge"], "code": codes[0], "device": ""}
        reply = house.ask("login_code", body)

    assert wanted
    assert not reply.ok
    assert effects(house)["table sessions"] == before["table sessions"]


def test_a_recovery_key_that_cannot_be_audited_is_not_taken(house: Rig) -> None:
    last = _last_group(house)
    before = effects(house)

    with full(house) as wanted:
        reply = house.ask("recovery_confirm", {"last_group": last}, house.token)

    assert wanted
    assert not reply.ok
    assert effects(house) == before


def test_the_first_user_is_not_registered_unaudited(ready: Rig) -> None:
    before = effects(ready)

    with full(ready) as wanted:
        person = {"username": "ada", "password": PASSWORD, "email": ""}
        reply = ready.ask("register", person)

    assert wanted
    assert not reply.ok
    assert effects(ready) == before


def test_a_logout_ends_the_login_even_unaudited(house: Rig) -> None:
    """Giving up power is no privileged act, and must not fail."""
    with full(house):
        house.ask("logout", {}, house.token)

    assert house.ask("audit_verify", {}, house.token).code == "expired"


def test_settings_that_cannot_be_audited_are_not_saved(house: Rig) -> None:
    before = effects(house)

    with full(house) as wanted:
        reply = house.ask("provision", {"values": {"LOGIN_ATTEMPT_LIMIT": "4"}, **STEP_UP}, house.token)
        assert reply.ok, reply
        house.until(lambda: house.progress()["state"] == "failed")

    assert wanted
    after = effects(house)
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()


def test_a_wish_that_is_not_granted_is_on_record(house: Rig) -> None:
    house.problems = ("keys/broker.key is missing",)
    assert house.ask("start", {}, house.token).code == "failed"
    assert house.ask("backtest", {"first": "yesterday"}, house.token).code == "invalid"
    assert house.ask("validate", {"values": {"MAX_TRADES": "many"}}, house.token).code == "invalid"

    rows = [row for row in read_lines(house.paths.audit_log) if row["event"] == "request_refused"]
    assert [(row["actor"], row["detail"]["kind"], row["detail"]["code"]) for row in rows] == [
        ("ada", "start", "failed"),
        ("ada", "backtest", "invalid"),
    ]
    assert "broker.key is missing" in rows[0]["detail"]["why"]


def test_a_refusal_stays_one_when_it_cannot_be_recorded(house: Rig) -> None:
    with full(house):
        reply = house.ask("backtest", {"first": "yesterday"}, house.token)

    assert reply.code == "invalid"
