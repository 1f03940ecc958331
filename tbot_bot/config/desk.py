"""The runner's desk: what each kind of request does, and who may ask for it.

Authority is checked here and nowhere else, from the runner's own database: whatever the web believes counts nothing."""

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tbot_bot.config.access import Access, AccessDesk
from tbot_bot.config.config_encryption import merge_kept
from tbot_bot.config.faults import Faults
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.progress import Phase
from tbot_bot.config.provisioning_helper import Provisioning, Tools
from tbot_bot.config.security_bot import open_config, register_secrets
from tbot_bot.config.security_users import User, may
from tbot_bot.domain.errors import NotProvisioned, StateCorrupt, TbotError
from tbot_bot.domain.session import ARMED_STATES, CLOSING_STATES, SETUP_STATES, BotState
from tbot_bot.domain.settings import UserRole
from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.envelope import Reply, Request
from tbot_bot.support.logs import redact

_READABLE = 0o644
_JOB_KEY = re.compile(r"[a-z_]{1,32}")
_ORDER_ID = re.compile(r"[a-z0-9-]{1,64}")
_LONGEST_JOB_VALUE = 2000

OK = Reply(ok=True, code="ok", message="")


def refused(code: str, message: str, faults: tuple[dict[str, str], ...] = ()) -> Reply:
    return Reply(ok=False, code=code, message=message, faults=faults)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer, and what is to be done once it has been sent."""

    reply: Reply
    then: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """`needs`: the least role, None = the handler decides. `slow`: hashes a password or provisions; not inline.

    `facts`: whether it changes what the runner publishes."""

    handle: Callable[[Request, User | None], Outcome]
    needs: UserRole | None
    slow: bool = False
    facts: bool = False


class Desk:
    """Answers requests. `handle` never raises for anything a request can hold."""

    def __init__(
        self,
        tools: Tools,
        provisioning: Provisioning,
        build_check: Callable[[], tuple[str, ...]],
        version_tag: str,
    ) -> None:
        self._paths = tools.paths
        self._clock = tools.clock
        self._state = tools.state
        self._audit = tools.audit
        self._progress = tools.progress
        self._provisioning = provisioning
        self._build_check = build_check
        self._version_tag = version_tag
        self._access = Access(tools.paths, tools.clock, tools.bcrypt_cost)
        people = AccessDesk(self._access, tools.audit)
        self._kinds: Mapping[str, Kind] = {
            "validate": Kind(self._validate, None),
            "provision": Kind(self._provision, None, slow=True, facts=True),
            "register": Kind(lambda request, _: Outcome(people.register(request)), None, slow=True, facts=True),
            "login": Kind(lambda request, _: Outcome(people.login(request)), None, slow=True),
            "logout": Kind(lambda request, _: Outcome(people.logout(request)), None),
            "start": Kind(self._start, UserRole.TRADER),
            "build_universe": Kind(self._build_universe, UserRole.TRADER),
            "backtest": Kind(self._backtest, UserRole.TRADER),
            "confirm_trade": Kind(self._confirm_trade, UserRole.TRADER),
        }

    @property
    def access(self) -> Access:
        return self._access

    def knows(self, kind: str) -> bool:
        return kind in self._kinds

    def is_slow(self, kind: str) -> bool:
        return self._kinds[kind].slow

    def changes_facts(self, kind: str) -> bool:
        return self._kinds[kind].facts

    def handle(self, request: Request) -> Outcome:
        """The outcome of one request that was opened, is fresh and of a known kind."""
        kind = self._kinds[request.kind]
        try:
            user = self._access.who(request.token)
            if kind.needs is not None and (user is None or not may(user, kind.needs)):
                return Outcome(self._turn_away(request, user, kind.needs))
            return kind.handle(request, user)
        except TbotError as error:
            return Outcome(refused("failed", redact(str(error))))
        except OSError as error:
            return Outcome(refused("failed", f"The runner could not do this: {error.strerror}. Look at its log."))
        except sqlite3.Error as error:
            return Outcome(refused("failed", f"The user database failed: {redact(str(error))}. Look at its log."))

    def _turn_away(self, request: Request, user: User | None, needed: UserRole) -> Reply:
        actor = "nobody" if user is None else user.username
        self._audit.record("request_not_allowed", actor, {"kind": request.kind, "ip": request.ip})
        if user is None:
            return refused("expired", "Your login has ended. Log in again; what you asked for was not done.")
        return refused("not_allowed", f"This needs the role {needed}; you are {user.role}. Ask an admin.")

    def _validate(self, request: Request, user: User | None) -> Outcome:
        denied = self._may_configure(request, user)
        if denied is not None:
            return Outcome(denied)
        parsed = self._parsed(request)
        return Outcome(OK if isinstance(parsed, ParsedConfig) else _faulty(parsed))

    def _provision(self, request: Request, user: User | None) -> Outcome:
        denied = self._may_configure(request, user) or self._not_now()
        if denied is not None:
            return Outcome(denied)
        parsed = self._parsed(request)
        if not isinstance(parsed, ParsedConfig):
            return Outcome(_faulty(parsed))
        register_secrets(parsed)
        by = "first setup" if user is None else user.username
        # Before the answer, so that whoever follows it never sees the end of an earlier attempt.
        self._progress.begin()

        def carry_out() -> None:
            self._provisioning.run(parsed, by, request.ip)

        return Outcome(OK, carry_out)

    def _may_configure(self, request: Request, user: User | None) -> Reply | None:
        """Anyone until there are users, then admins; None when allowed."""
        if self._access.count() == 0:
            return None
        if user is None or not may(user, UserRole.ADMIN):
            return self._turn_away(request, user, UserRole.ADMIN)
        return None

    def _not_now(self) -> Reply | None:
        state = self._state.read()
        if self._progress.phase is Phase.RUNNING:
            return refused("busy", "A provisioning is under way. Follow it, then try again.")
        if self._access.count() == 0:
            if state is BotState.INITIALIZE:
                return None
            return refused("not_allowed", "The bot is configured already. Register the first user, then log in.")
        if state in ARMED_STATES | CLOSING_STATES:
            return refused("busy", f"The bot is {state}. Stop it first; settings change only while it does not trade.")
        return None

    def _parsed(self, request: Request) -> ParsedConfig | Faults:
        values = request.body.get("values")
        given = dict(values) if isinstance(values, dict) else {}
        try:
            kept: Mapping[str, str] = open_config(self._paths).raw
        except NotProvisioned:
            return parse(given, self._version_tag)
        return parse(merge_kept(given, kept), self._version_tag)

    def _start(self, request: Request, user: User | None) -> Outcome:
        denied = self._cannot_start()
        if denied is not None:
            return Outcome(denied)
        problems = self._build_check()
        if problems:
            faults = tuple({"key": "", "value": "", "message": text, "allowed": "", "nearest": ""} for text in problems)
            words = "The build check found problems, so nothing was started: " + "; ".join(problems)
            return Outcome(refused("failed", words, faults))
        by = _name(user)
        self._audit.record("start", by, {"ip": request.ip})
        ensure_folder(self._paths.start_flag.parent, 0o755)
        write_json(self._paths.start_flag, {"by": by, "at": self._clock.now().isoformat()}, _READABLE)
        return Outcome(OK)

    def _cannot_start(self) -> Reply | None:
        try:
            state = self._state.read()
        except StateCorrupt as error:
            return refused("failed", f"{error}. The runner will set it to error; look, then start again.")
        if state in SETUP_STATES:
            return refused("not_provisioned", "Finish the configuration first.")
        if state in ARMED_STATES:
            return refused("busy", f"The bot is running already ({state}).")
        if state in CLOSING_STATES:
            return refused("busy", "Positions are being closed. Start again when that is done.")
        return None

    def _build_universe(self, request: Request, user: User | None) -> Outcome:
        return Outcome(self._queue("universe", {}, request, user))

    def _backtest(self, request: Request, user: User | None) -> Outcome:
        faults = _backtest_faults(request.body)
        if faults:
            return Outcome(refused("invalid", "The backtest cannot be queued as asked.", faults))
        return Outcome(self._queue("backtest", request.body, request, user))

    def _confirm_trade(self, request: Request, user: User | None) -> Outcome:
        """The bot takes the answer from its job folder and checks the entry anew before it sends it."""
        client_id = request.body.get("client_id")
        if not isinstance(client_id, str) or not _ORDER_ID.fullmatch(client_id):
            return Outcome(refused("invalid", "Name the entry to confirm by its client order id."))
        return Outcome(self._queue("confirm", {"client_id": client_id}, request, user))

    def _queue(self, kind: str, body: Mapping[str, Any], request: Request, user: User | None) -> Reply:
        by = _name(user)
        self._audit.record(f"{kind}_job", by, {"ip": request.ip, "job": request.id})
        folder = self._paths.job_folder(kind)
        ensure_folder(folder, 0o755)
        job = {**body, "id": request.id, "by": by, "at": self._clock.now().isoformat()}
        write_json(folder / f"{request.id}.job", job, _READABLE)
        return Reply(ok=True, code="ok", message="", body={"job": request.id})


def _faulty(faults: Faults) -> Reply:
    rows = tuple(
        {"key": f.key, "value": f.value, "message": f.message, "allowed": f.allowed, "nearest": f.nearest}
        for f in faults
    )
    count = f"{len(rows)} values need" if len(rows) > 1 else "One value needs"
    return refused("invalid", f"{count} correcting. Nothing was saved.", rows)


def _name(user: User | None) -> str:
    return "nobody" if user is None else user.username


def _backtest_faults(body: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    found: list[tuple[str, str]] = []
    days = {key: _day(body.get(key)) for key in ("first", "last")}
    found += [(key, "a day such as 2019-02-11") for key, day in days.items() if day is None]
    first, last = days["first"], days["last"]
    if first is not None and last is not None and first > last:
        found.append(("last", "on or after the first day"))
    file = body.get("file", "")
    if not isinstance(file, str) or file.startswith("/") or ".." in file.split("/"):
        found.append(("file", "a path below the root, without .."))
    for key, value in body.items():
        if not _JOB_KEY.fullmatch(key) or len(json.dumps(value)) > _LONGEST_JOB_VALUE:
            found.append((key[:40], "lower-case letters as the name, and a short value"))
    return tuple({"key": k, "value": "", "message": f"must be {m}", "allowed": m, "nearest": ""} for k, m in found)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
