"""The operations that faults are tried on: how the root is made ready, and the acts themselves."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.backup.maker import make_backup
from tbot_bot.backup.recovery import backup_keys
from tbot_bot.domain.errors import TbotError
from tbot_bot.domain.session import BotState
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.support.envelope import Reply
from tbot_bot.support.state_file import StateFile
from tools.faults.facts import KNOWN_LOGINS
from tools.faults.house import House

OLD: Mapping[str, str] = {
    "BOT_ID": "TBFAULT1",
    "LOGIN_LOCKOUT_MINUTES": "15",
    "BROKER_API_KEY": "CANARYOLDBROKERKEY01",
    "BROKER_SECRET_KEY": "CANARYOLDBROKERSECRET01",
    "SCREENER_API_KEY": "CANARYOLDSCREENERKEY01",
    "ALERT_URL_EMAIL": "mailto://user:CANARYOLDALERTPASSWORD@example.com",
    "SESSION_TIMEOUT": "86400",
    "SESSION_TIMEOUT_MINUTES": "1440",
}
NEW: Mapping[str, str] = {
    **OLD,
    "LOGIN_LOCKOUT_MINUTES": "16",
    "BROKER_API_KEY": "CANARYNEWBROKERKEY02",
    "BROKER_SECRET_KEY": "CANARYNEWBROKERSECRET02",
    "SCREENER_API_KEY": "CANARYNEWSCREENERKEY02",
    "ALERT_URL_EMAIL": "mailto://user:CANARYNEWALERTPASSWORD@example.com",
}
CREDENTIALS: Mapping[str, str] = dict(zip(("username", "password"), KNOWN_LOGINS["admin"], strict=True))
STEP_UP: Mapping[str, Mapping[str, str]] = {"step_up": {"password": CREDENTIALS["password"], "code": ""}}
CANARIES: tuple[bytes, ...] = (b"CANARYOLD", b"CANARYNEW", *(pair[1].encode() for pair in KNOWN_LOGINS.values()))
"""Found anywhere on the disk, each is a leak."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`prepare` builds the root from nothing; `act` does one or several acts and tells each by `house.done`.

    `prepare` gets a started house, and `act` too unless `started` is False: then its start is part of what is tried.
    `repeats`: the acts succeed again on a root where they are done already. `late`: audit events of what follows from
    an act, and so need not be there before it was answered. `killed_in`: instead of `prepare`, the root of that
    scenario, killed at that place of its calls (0 to 1). `bare`: the root is an empty folder."""

    name: str
    prepare: Callable[[House], None]
    act: Callable[[House], None]
    started: bool = True
    repeats: bool = True
    late: frozenset[str] = frozenset()
    killed_in: tuple[str, float] | None = None
    bare: bool = False


def provision(house: House, values: Mapping[str, str]) -> None:
    """The asker learns only from what is published how it went."""
    asked_at = house.clock.now()
    reply = house.ask("provision", {"values": dict(values), **STEP_UP})
    shown = house.published("provisioning", asked_at).get("state", "")
    how = {"done": True, "failed": False}.get(shown) if reply.ok else False
    house.done(ok=how, code=reply.code, message=reply.message)


def register(house: House) -> None:
    _take_login(house, "register", {**CREDENTIALS, "email": "canary@example.com"})


def log_in(house: House) -> None:
    _take_login(house, "login", {**CREDENTIALS, "device": ""})


def stepped_up(house: House, kind: str, body: Mapping[str, Any]) -> Reply:
    """An act of the admin with the password once more."""
    reply = house.ask(kind, {**body, **STEP_UP})
    house.done(ok=verdict(reply), code=reply.code, message=reply.message)
    return reply


def verdict(reply: Reply) -> bool | None:
    """None where the answer says that something is half done and how it will be ended."""
    later = any("could not be destroyed" in str(note) for note in reply.body.get("notes", ()))
    half = reply.code in {"registered", "changed"} or "restart the runner" in reply.message.lower()
    return None if half or later else reply.ok


def _take_login(house: House, kind: str, body: Mapping[str, str]) -> None:
    reply = house.ask(kind, body, token="")
    house.notes["token"] = str(reply.body.get("token", house.notes.get("token", "")))
    house.done(ok=verdict(reply), code=reply.code, message=reply.message, token=reply.body.get("token", ""))


def with_admin(house: House) -> None:
    provision(house, OLD)
    register(house)


def _nothing(_: House) -> None:
    """The root of an installation that was never provisioned."""


_ROAD = (BotState.IDLE, BotState.ANALYZING, BotState.TRADING, BotState.MONITORING)


def _move_states(house: House) -> None:
    """From wherever it is to the end of the road."""
    state = StateFile(house.paths, house.clock)
    try:
        for target in _ROAD[_ROAD.index(state.read()) + 1 :]:
            state.move(None, target, "bot", "a campaign")
            house.done(ok=True)
    except (OSError, TbotError) as error:
        house.done(ok=False, code="failed", message=str(error))


def _append_audit(house: House) -> None:
    try:
        audit = AuditWriter(house.paths, house.clock)
        for number in range(4):
            audit.record(f"campaign_{number}", "campaign", {"number": number, "text": "x" * 200})
            house.done(ok=True)
    except (OSError, TbotError) as error:
        house.done(ok=False, code="failed", message=str(error))
        return
    audit.close()


def _saved_once(house: House) -> None:
    """A generation that was replaced waits to be destroyed."""
    with_admin(house)
    provision(house, NEW)


def confirm_recovery(house: House) -> None:
    """The recovery key, shown and confirmed. Its text is then in the admin's notes alone."""
    shown = house.ask("recovery_begin", STEP_UP)
    identity = str(shown.body.get("identity", ""))
    body = identity.removeprefix("AGE-SECRET-KEY-1")
    reply = house.ask("recovery_confirm", {"last_group": body[(len(body) - 1) // 6 * 6 :]}) if shown.ok else shown
    house.notes["identity"] = identity
    house.done(ok=verdict(reply), code=reply.code, message=reply.message, secret=identity)


def _with_recovery(house: House) -> None:
    with_admin(house)
    confirm_recovery(house)


def back_up(house: House) -> None:
    """As the backup process does it."""
    try:
        keys = backup_keys(house.paths)
        assert keys is not None
        house.notes["backup"] = make_backup(house.paths, house.clock, keys).name
    except (OSError, TbotError, sqlite3.Error) as error:
        house.done(ok=False, code="failed", message=str(error))
    else:
        house.done(ok=True)


def _backed_up_and_changed(house: House) -> None:
    _with_recovery(house)
    back_up(house)
    provision(house, NEW)
    _add_user(house)
    ledger = LedgerStore(house.paths.ledger_db)
    ledger.book_opening("CANARY", Decimal(1000), house.clock.now())
    ledger.close()


def _restore(house: House) -> None:
    """All parts, after a look at what would change."""
    seen = stepped_up(house, "restore_preview", {"backup": house.notes["backup"], "identity": house.notes["identity"]})
    if seen.ok:
        parts = [row["part"] for row in seen.body["parts"] if row["present"]]
        stepped_up(house, "restore", {"preview": seen.body["preview"], "parts": parts})


def _rotate(*categories: str) -> Callable[[House], None]:
    return lambda house: _ignore(stepped_up(house, "rotate", {"categories": list(categories)}))


def _compromised(house: House) -> None:
    stepped_up(house, "compromised", {"category": "screener_api", "what": "compromised"})


def _destroy_old(house: House) -> None:
    """Refused, it may have destroyed something all the same; asked again, it goes on where it ended."""
    reply = house.ask("destroy_old", STEP_UP)
    house.done(ok=True if reply.ok else None, code=reply.code, message=reply.message)


def _add_user(house: House) -> None:
    username, password = KNOWN_LOGINS["ben"]
    stepped_up(house, "user_add", {"username": username, "email": "", "role": "trader", "new_password": password})


def _change_password(house: House) -> None:
    body = {"username": "", "email": "", "new_password": KNOWN_LOGINS["admin, new password"][1]}
    reply = house.ask("change_account", {**body, **STEP_UP})
    house.done(ok=verdict(reply), code=reply.code, message=reply.message, token=reply.body.get("token", ""))


def _ignore(_: Reply) -> None:
    """The answer was told already."""


def _start(house: House) -> None:
    try:
        house.start()
    except (OSError, TbotError, sqlite3.Error) as error:
        house.done(ok=False, code="failed", message=str(error))
    else:
        house.done(ok=True)


_KILLED = (("first_provisioning", 50), ("rotate_all", 40), ("rotate_all", 80), ("restore", 80))


def _restart(name: str, percent: int) -> Scenario:
    """The start after another scenario was killed that far on its way, itself under fault."""
    late = frozenset({"logins_ended"})
    killed_in = (name, percent / 100)
    return Scenario(f"start_after_{name}_{percent}", _nothing, _start, started=False, late=late, killed_in=killed_in)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("first_start", _nothing, _start, started=False, repeats=False, bare=True),
        Scenario("later_start", _nothing, _start, started=False, repeats=False),
        Scenario("first_provisioning", _nothing, lambda house: provision(house, OLD), repeats=False),
        Scenario(
            "registration",
            lambda house: provision(house, OLD),
            register,
            repeats=False,
            late=frozenset({"login", "device_trusted"}),
        ),
        Scenario("login", with_admin, log_in),
        Scenario("user_add", with_admin, _add_user, repeats=False),
        Scenario("change_password", with_admin, _change_password, repeats=False),
        Scenario("config_save", with_admin, lambda house: provision(house, NEW)),
        Scenario("state_moves", with_admin, _move_states, repeats=False),
        Scenario("audit_append", with_admin, _append_audit, started=False),
        Scenario("rotate_one", with_admin, _rotate("broker")),
        Scenario("rotate_all", with_admin, _rotate("all"), late=frozenset({"logins_ended"})),
        Scenario("compromised", with_admin, _compromised),
        Scenario("destroy_old", _saved_once, _destroy_old),
        Scenario("recovery_confirm", with_admin, confirm_recovery),
        Scenario("backup", _with_recovery, back_up),
        Scenario("restore", _backed_up_and_changed, _restore),
        *(_restart(name, place) for name, place in _KILLED),
    )
}
