"""What traders ask of the runner: starting, and jobs for the other processes."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from tbot_bot.config.desk_kind import OK, Kind, Kinds, Outcome, fault, name_of, refused
from tbot_bot.config.provisioning_helper import Tools
from tbot_bot.config.security_users import User
from tbot_bot.domain.errors import StateCorrupt
from tbot_bot.domain.session import ARMED_STATES, CLOSING_STATES, SETUP_STATES
from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.envelope import Reply, Request

_READABLE = 0o644
_JOB_KEY = re.compile(r"[a-z_]{1,32}")
_ORDER_ID = re.compile(r"[a-z0-9-]{1,64}")
_LONGEST_JOB_VALUE = 2000


class TradingDesk:
    """Raises the start flag and files jobs, each on record first."""

    def __init__(self, tools: Tools, build_check: Callable[[], tuple[str, ...]]) -> None:
        self._paths = tools.paths
        self._clock = tools.clock
        self._state = tools.state
        self._audit = tools.audit
        self._build_check = build_check

    def kinds(self) -> Kinds:
        return {
            "start": Kind(self._start),
            "build_universe": Kind(self._build_universe),
            "backtest": Kind(self._backtest),
            "confirm_trade": Kind(self._confirm_trade),
        }

    def _start(self, request: Request, user: User | None) -> Outcome:
        denied = self._cannot_start()
        if denied is not None:
            return Outcome(denied)
        problems = self._build_check()
        if problems:
            faults = tuple(fault("", text) for text in problems)
            words = "The build check found problems, so nothing was started: " + "; ".join(problems)
            return Outcome(refused("failed", words, faults))
        by = name_of(user)
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
        by = name_of(user)
        self._audit.record(f"{kind}_job", by, {"ip": request.ip, "job": request.id})
        folder = self._paths.job_folder(kind)
        ensure_folder(folder, 0o755)
        job = {**body, "id": request.id, "by": by, "at": self._clock.now().isoformat()}
        write_json(folder / f"{request.id}.job", job, _READABLE)
        return Reply(ok=True, code="ok", message="", body={"job": request.id})


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
    return tuple(fault(key, f"must be {words}") for key, words in found)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
