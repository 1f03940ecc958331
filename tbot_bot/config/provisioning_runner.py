"""The provisioning runner: the only writer of keys, secrets, users and the audit log.

It watches `control/requests/`, acts on each sealed request once, enters other processes' audit events into the log, and
publishes the form, the progress and facts about the installation."""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tbot_bot.config.access import Access
from tbot_bot.config.account_desk import AccountDesk
from tbot_bot.config.audit_intake import AuditIntake
from tbot_bot.config.desk import Desk
from tbot_bot.config.desk_kind import Kinds
from tbot_bot.config.ephemeral import EphemeralDesk
from tbot_bot.config.generations import current_number
from tbot_bot.config.grace import Grace
from tbot_bot.config.keys_desk import KeysDesk
from tbot_bot.config.login_desk import LoginDesk
from tbot_bot.config.passwords import BCRYPT_COST
from tbot_bot.config.progress import Phase, Progress
from tbot_bot.config.provisioning_helper import TITLES, Provisioning, Tools
from tbot_bot.config.published_facts import AnchoredAuditLog, PublishedFacts
from tbot_bot.config.request_counter import RequestCounter
from tbot_bot.config.rotation import Rotation
from tbot_bot.config.settings_desk import SettingsDesk
from tbot_bot.config.state_follower import StateFollower
from tbot_bot.config.trading_desk import TradingDesk
from tbot_bot.config.users_desk import UsersDesk
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import IllegalTransition, StateCorrupt, TbotError
from tbot_bot.domain.session import BotState
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder
from tbot_bot.support.doorbell import Doorbell
from tbot_bot.support.leftovers import sweep_leftovers
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.sealing import load_or_create_private_key, write_public_key
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

_log = get_logger("runner")
_POLL = 1.0
_REFRESH = 10.0
_SECOND_LOOKS = (0.0003, 0.0005, 0.001, 0.002, 0.004)
_CALM_DOWN = 0.05
_RECOVERING = 600.0
"""Seconds that the start may take to go back or forward with what a crash interrupted."""


class ProvisioningRunner:
    """All of the runner but its process. One at a time per root."""

    def __init__(
        self,
        paths: Paths,
        clock: Clock,
        *,
        create_ledger: Callable[[], None],
        audit: AnchoredAuditLog,
        publisher: Publisher,
        build_check: Callable[[], tuple[str, ...]],
        owners: frozenset[int] | None = None,
        bcrypt_cost: int = BCRYPT_COST,
        more: Sequence[Callable[[Tools, Access], Kinds]] = (),
        audit_problem: Callable[[], str] = str,
        more_facts: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """`create_ledger` makes LEDGER.db, idempotent; `build_check` says what forbids a session, in sentences.

        `owners`: user ids whose request and event files are accepted; None = ours, root's, and the folders' owners.
        `audit_problem`: what is known to be wrong with the audit log; "" = nothing.
        `more`: makers of desks that this layer may not know, such as that of the backups; `more_facts`: what such
        layers have to say in the snapshot `system`.
        Raises SecretUnavailable, StateCorrupt or AuditUnavailable when what is on disk cannot be worked with."""
        self._paths = paths
        self._now = clock.now
        self._audit = audit
        self._state = StateFile(paths, clock)
        self._key = load_or_create_private_key(paths.runner_private / "runner.key")
        self._progress = Progress(publisher, TITLES)
        tools = Tools(paths, clock, self._state, audit, self._progress, create_ledger, bcrypt_cost)
        self._access = Access(paths, clock, bcrypt_cost, audit)
        self._rotation = Rotation(tools, self._access.end_all_logins)
        self._provisioning = Provisioning(tools, self._rotation.recover)
        self._grace = Grace(paths, clock, audit)
        kinds = {
            **LoginDesk(self._access, audit).kinds(),
            **AccountDesk(self._access, audit, clock).kinds(),
            **UsersDesk(self._access, audit).kinds(),
            **SettingsDesk(tools, self._access, self._provisioning, version_tag()).kinds(),
            **KeysDesk(tools, self._rotation, self._grace).kinds(),
            **TradingDesk(tools, build_check).kinds(),
            **EphemeralDesk(self._access, audit).kinds(),
        }
        for make in more:
            kinds.update(make(tools, self._access))
        self._desk = Desk(self._access, audit, kinds)
        for folder in (paths.requests, paths.audit_inbox):
            ensure_folder(folder, 0o770)
        self._intake = AuditIntake(paths, audit, owners)
        self._follower = StateFollower(paths, audit)
        self._facts = PublishedFacts(
            paths, clock, publisher, self._access, audit, version_tag(), audit_problem, more_facts
        )
        self._stale = threading.Event()
        self._counter = RequestCounter(
            paths, clock, key=self._key, desk=self._desk, audit=audit, owners=owners, changed=self._changed
        )
        self._refreshed_at = 0.0
        self._doorbell = Doorbell((paths.requests, paths.audit_inbox))

    @property
    def desk(self) -> Desk:
        """Who answers requests, for those who bring them by hand instead of through files."""
        return self._desk

    def run(self, stop: threading.Event, notify: SdNotify) -> None:
        """Recover, then serve until `stop`. The watchdog is fed at least every second, and no longer once a request has
        been worked on for so long that its worker must be hanging."""
        try:
            with notify.patient(_RECOVERING):
                self._recover()
            notify.ready()
            _log.info("runner ready", extra={"fields": {"generation": current_number(self._paths)}})
            while not stop.is_set():
                if not self._counter.hangs:
                    notify.beat()
                notify.status(self._status())
                self._round()
            notify.stopping()
        finally:
            self._doorbell.close()
            self._counter.close()
            self._follower.take()

    def _recover(self) -> None:
        sweep_leftovers(self._paths, self._now())
        self._rotation.recover()
        self._provisioning.recover()
        self._follower.take()
        self._refresh()
        write_public_key(self._paths.runner_public_key, self._key)

    def _status(self) -> str:
        generation = current_number(self._paths)
        made = "waiting for first provisioning" if generation is None else f"generation {generation}"
        return f"{made} · {self._counter.waiting} requests waiting"

    def _round(self) -> None:
        rung = self._doorbell.wait(_POLL)
        came = self._counter.serve()
        for pause in _SECOND_LOOKS if rung and not came else ():
            time.sleep(pause)
            if self._counter.serve():
                break
        self._intake.take()
        self._follower.take()
        if self._counter.under_attack:
            time.sleep(_CALM_DOWN)
        if self._stale.is_set() or time.monotonic() - self._refreshed_at >= _REFRESH:
            self._refresh()

    def wake(self) -> None:
        """Look now at whatever there is, the stop signal too; from any thread."""
        self._doorbell.ring()

    def _changed(self) -> None:
        """A request changed something: publish soon, not in ten seconds."""
        self._stale.set()
        self._doorbell.ring()

    def _refresh(self) -> None:
        """Publish everything again and tidy up; trouble with either is logged, and the next round tries again."""
        self._stale.clear()
        self._refreshed_at = time.monotonic()
        try:
            self._guard_state()
            self._progress.publish()
            self._facts.publish()
            self._counter.sweep()
            if self._paths.keys_outside is None:
                # An installation whose keys come from outside changes none of its generations.
                self._grace.sweep()
            self._access.sweep()
        except (TbotError, OSError, sqlite3.Error) as error:
            _log.error("refreshing failed", extra={"fields": {"why": str(error)}})

    def _guard_state(self) -> None:
        """On a provisioned system a missing or damaged state word means error: no new entries."""
        if current_number(self._paths) is None or self._progress.phase is Phase.RUNNING:
            return
        try:
            self._state.read()
        except StateCorrupt as corrupt:
            try:
                self._state.move(None, BotState.ERROR, "runner", str(corrupt))
            except IllegalTransition:
                return
