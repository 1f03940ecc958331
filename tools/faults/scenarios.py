"""The operations that faults are tried on: how the root is made ready, and the acts themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tbot_bot.domain.errors import TbotError
from tbot_bot.domain.session import BotState
from tbot_bot.reporting.audit import AuditWriter
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
CANARIES: tuple[bytes, ...] = (b"CANARYOLD", b"CANARYNEW", *(pair[1].encode() for pair in KNOWN_LOGINS.values()))
"""Found anywhere on the disk, each is a leak."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`prepare` builds the root from nothing; `act` does one or several acts and tells each by `house.done`.

    `prepare` gets a started house, and `act` too unless `started` is False: then its start is part of what is tried.
    `repeats`: the acts succeed again on a root where they are done already. `late`: audit events of what follows from
    an act, and so need not be there before it was answered."""

    name: str
    prepare: Callable[[House], None]
    act: Callable[[House], None]
    started: bool = True
    repeats: bool = True
    late: frozenset[str] = frozenset()


def provision(house: House, values: Mapping[str, str]) -> None:
    """The asker learns only from what is published how it went."""
    reply = house.ask("provision", {"values": dict(values)})
    how = {"done": True, "failed": False}.get(house.published("provisioning").get("state", "")) if reply.ok else False
    house.done(ok=how, code=reply.code, message=reply.message)


def register(house: House) -> None:
    username, password = KNOWN_LOGINS["admin"]
    _take_login(house, "register", {"username": username, "password": password, "email": "canary@example.com"})


def log_in(house: House) -> None:
    username, password = KNOWN_LOGINS["admin"]
    _take_login(house, "login", {"username": username, "password": password, "device": ""})


def _take_login(house: House, kind: str, body: Mapping[str, str]) -> None:
    reply = house.ask(kind, body, token="")
    house.token = str(reply.body.get("token", house.token))
    house.done(ok=reply.ok, code=reply.code, message=reply.message, token=reply.body.get("token", ""))


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
    except OSError as error:
        house.done(ok=False, code="failed", message=str(error.strerror))


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


def _start(house: House) -> None:
    try:
        house.start()
    except (OSError, TbotError) as error:
        house.done(ok=False, code="failed", message=str(error))
    else:
        house.done(ok=True)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("first_start", _nothing, _start, started=False, repeats=False),
        Scenario("first_provisioning", _nothing, lambda house: provision(house, OLD), repeats=False),
        Scenario(
            "registration",
            lambda house: provision(house, OLD),
            register,
            repeats=False,
            late=frozenset({"login"}),
        ),
        Scenario("login", with_admin, log_in),
        Scenario("config_save", with_admin, lambda house: provision(house, NEW)),
        Scenario("state_moves", with_admin, _move_states, repeats=False),
        Scenario("audit_append", with_admin, _append_audit, started=False),
    )
}
