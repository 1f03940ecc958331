"""What admins ask about backups: a recovery key, a backup or a drill now, and a restore after a look at it."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tbot_bot.backup import recovery
from tbot_bot.backup.manifest import PARTS
from tbot_bot.backup.opened import open_backup, scratch, with_recovery_key
from tbot_bot.backup.preview import part_changes, warnings
from tbot_bot.backup.recovery import RecoveryKey, new_recovery_key, parse_recovery_key
from tbot_bot.backup.restore import Order, RestoredAuditLog, Restorer
from tbot_bot.backup.shelf import backup_file
from tbot_bot.config.access import Access
from tbot_bot.config.desk_kind import Kind, Kinds, Lane, Outcome, done, fault, name_of, refused, text_of
from tbot_bot.config.generations import current_number
from tbot_bot.config.provisioning_helper import Tools
from tbot_bot.config.security_users import User
from tbot_bot.domain.errors import StateCorrupt, TbotError
from tbot_bot.domain.session import ARMED_STATES, CLOSING_STATES
from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.envelope import Reply, Request
from tbot_bot.support.logs import add_secret, get_logger
from tbot_bot.support.recovery_record import read_recovery

_log = get_logger("backup")
_PATIENCE = 15 * 60.0
_READABLE = 0o644
_UNFINISHED = (
    "The recovery key is in force; keep it. The first backup or the sealing of the audit log's first key failed: "
    "restart the runner, and make a backup."
)
_FIRST_SETUP = "first setup"


class BackedUpAuditLog(RestoredAuditLog, Protocol):
    """The runner's audit log, as backups and restores need it."""

    def seal_first_key(self, recipient: str) -> bool:
        """Seal the log's first key to an age recipient; False when it was sealed before."""
        ...


@dataclass(frozen=True, slots=True)
class _Pending:
    """A recovery key that was shown and not confirmed yet."""

    key: RecoveryKey
    user: str
    since: float


@dataclass(frozen=True, slots=True)
class _Previewed:
    """A backup that was looked at; the identity waits here for the restore."""

    id: str
    backup: str
    made_at: datetime
    key: RecoveryKey = field(repr=False)
    since: float
    by: str


class BackupDesk:
    """Answers the requests; the backups themselves are made by a process of their own.

    Identities live in this object only, for a quarter of an hour at most."""

    def __init__(
        self,
        tools: Tools,
        access: Access,
        audit: BackedUpAuditLog,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tools = tools
        self._paths = tools.paths
        self._access = access
        self._audit = audit
        self._monotonic = monotonic
        self._restorer = Restorer(tools, audit)
        self._pending: _Pending | None = None
        self._previewed: _Previewed | None = None

    def kinds(self) -> Kinds:
        return {
            "recovery_begin": Kind(self._recovery_begin, Lane.WORK),
            "recovery_confirm": Kind(self._recovery_confirm, Lane.WORK, facts=True),
            "backup_now": Kind(lambda request, user: self._queue("backup", request, user)),
            "drill_now": Kind(lambda request, user: self._queue("drill", request, user)),
            "restore_preview": Kind(self._restore_preview, Lane.WORK),
            "restore": Kind(self._restore, Lane.WORK, facts=True, alone=True),
        }

    def recover(self) -> None:
        """After a restart: finish a restore, and the sealing of the audit log's first key.

        The folder of the backups is there from the start, for the file that someone brings to a new machine."""
        ensure_folder(self._paths.backups)
        self._restorer.recover()
        recovery.sweep(self._paths)
        record = read_recovery(self._paths)
        if record is not None:
            self._audit.seal_first_key(record.recipient)

    def _forget_later(self) -> None:
        """Identities are dropped in time even when no one asks again."""
        timer = threading.Timer(_PATIENCE + 1, self._forget)
        timer.daemon = True
        timer.start()

    def _forget(self) -> None:
        now = self._monotonic()
        if self._pending is not None and now - self._pending.since > _PATIENCE:
            self._pending = None
        if self._previewed is not None and now - self._previewed.since > _PATIENCE:
            self._previewed = None

    def _recovery_begin(self, request: Request, user: User | None) -> Outcome:
        if read_recovery(self._paths) is not None and user is not None:
            denied = self._access.step_up(request, user)
            if denied is not None:
                return Outcome(denied)
        key = new_recovery_key()
        add_secret(key.identity)
        self._audit.record("recovery_begun", name_of(user), {"ip": request.ip, "fingerprint": key.fingerprint})
        self._pending = _Pending(key, name_of(user), self._monotonic())
        self._forget_later()
        return done(body=recovery.facts(key))

    def _recovery_confirm(self, request: Request, user: User | None) -> Outcome:
        pending = self._pending
        if pending is None or pending.user != name_of(user) or self._monotonic() - pending.since > _PATIENCE:
            self._pending = None
            return Outcome(refused("expired", "The key was shown too long ago. Show a new one, and write that down."))
        if text_of(request, "last_group", 40).strip().upper() != pending.key.last_group:
            wrong = fault("last_group", f"the last {len(pending.key.last_group)} characters of the key")
            return Outcome(
                refused("invalid", "That is not the key's last group. Compare it with what you kept.", (wrong,))
            )
        if not pending.key.opens_what_it_seals():
            return Outcome(refused("failed", "The key does not open what it encrypts. Show a new one."))
        earlier = read_recovery(self._paths)
        detail = {"ip": request.ip, "fingerprint": pending.key.fingerprint}
        detail["replaces"] = "" if earlier is None else earlier.fingerprint
        self._audit.record("recovery_confirmed", name_of(user), detail)
        record = recovery.confirm(self._paths, pending.key, name_of(user), self._tools.clock.now())
        self._pending = None
        facts = {"fingerprint": record.fingerprint}
        try:
            sealed = self._audit.seal_first_key(record.recipient)
            self._file_job("backup", request, user)
        except (TbotError, OSError) as error:
            # The key is in force all the same, and to say otherwise would have the admin throw it away.
            _log.error("after a recovery key", extra={"fields": {"why": str(error)}})
            return done(_UNFINISHED, facts)
        return done(_confirmed(replaced=earlier is not None, sealed=sealed), facts)

    def _queue(self, what: str, request: Request, user: User | None) -> Outcome:
        if read_recovery(self._paths) is None:
            words = "There is no recovery key yet, so a backup could not be encrypted. Make the key first."
            return Outcome(refused("no_recovery_key", words))
        self._audit.record(f"{what}_job", name_of(user), {"ip": request.ip, "job": request.id})
        self._file_job(what, request, user)
        return done(body={"job": request.id})

    def _file_job(self, what: str, request: Request, user: User | None) -> None:
        folder = self._paths.job_folder("backup")
        ensure_folder(folder, 0o755)
        job = {"what": what, "id": request.id, "by": name_of(user), "at": self._tools.clock.now().isoformat()}
        write_json(folder / f"{request.id}.job", job, _READABLE)

    def _restore_preview(self, request: Request, user: User | None) -> Outcome:
        denied = self._not_now()
        if denied is not None:
            return Outcome(denied)
        path = backup_file(self._paths, text_of(request, "backup", 200))
        if path is None:
            wrong = fault("backup", "a file in storage/backups")
            return Outcome(refused("invalid", "There is no such backup in storage/backups.", (wrong,)))
        folder = scratch(self._paths, "preview")
        try:
            key = parse_recovery_key(text_of(request, "identity"))
            add_secret(key.identity)
            body = self._looked_at(path, key, folder)
        except TbotError as error:
            self._audit.record("restore_refused", _by(user), {"ip": request.ip, "backup": path.name, "why": str(error)})
            return Outcome(refused("invalid", str(error), (fault("identity", str(error)),)))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._audit.record("restore_previewed", _by(user), {"ip": request.ip, "backup": path.name})
        made_at = datetime.fromisoformat(body["made_at"])
        self._previewed = _Previewed(request.id, path.name, made_at, key, self._monotonic(), _by(user))
        self._forget_later()
        return done(body={"preview": request.id, **body})

    def _looked_at(self, path: Path, key: RecoveryKey, folder: Path) -> dict[str, Any]:
        """What the backup holds and would change. Raises BackupRefused or OSError."""
        opened = open_backup(path, with_recovery_key(key), folder, lambda _: True)
        manifest = opened.manifest
        return {
            "made_at": manifest.made_at.isoformat(),
            "version": manifest.tbot,
            "bot": manifest.bot,
            "parts": [{**asdict(one), "changes": list(one.changes)} for one in part_changes(self._paths, opened)],
            "warnings": list(warnings(self._paths, opened, self._tools.clock.now())),
        }

    def _restore(self, request: Request, user: User | None) -> Outcome:
        denied = self._not_now()
        if denied is not None:
            return Outcome(denied)
        seen = self._previewed
        wanted = text_of(request, "preview")
        if seen is None or seen.id != wanted or seen.by != _by(user) or self._monotonic() - seen.since > _PATIENCE:
            return Outcome(refused("expired", "Look at the backup again before restoring it; nothing was changed."))
        parts = request.body.get("parts")
        chosen = tuple(part for part in PARTS if isinstance(parts, list) and part in parts)
        if not isinstance(parts, list) or not chosen or len(chosen) != len(parts):
            return Outcome(refused("invalid", "Choose what to restore.", (fault("parts", "at least one part"),)))
        path = backup_file(self._paths, seen.backup)
        if path is None:
            return Outcome(refused("invalid", "The backup is no longer there; nothing was changed."))
        order = Order(path, seen.made_at, seen.key, chosen, _by(user), request.ip, first_run=self._access.count() == 0)
        try:
            plan = self._restorer.restore(order)
        except (TbotError, OSError, sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            _log.error("a restore failed", extra={"fields": {"why": why}})
            self._audit.record("restore_failed", order.by, {"ip": request.ip, "backup": path.name, "why": why})
            return Outcome(refused("failed", self._what_failed(why)))
        self._previewed = None
        return done(_restored(plan.audit), {"parts": list(plan.parts), "kept": f"storage/before-restore/{plan.kept}"})

    def _what_failed(self, why: str) -> str:
        if self._restorer.unfinished():
            return f"The restore was decided and could not be finished: {why}. Restart the runner; it finishes it."
        return f"The restore failed: {why}. Nothing was changed."

    def _not_now(self) -> Reply | None:
        if current_number(self._paths) is None:
            return None
        try:
            state = self._tools.state.read()
        except StateCorrupt:
            return None
        if state in ARMED_STATES | CLOSING_STATES:
            return refused("busy", f"The bot is {state}. Stop it first; a restore waits until it does not trade.")
        return None


def backup_desk(audit: BackedUpAuditLog) -> Callable[[Tools, Access], Kinds]:
    """Makes the desk for a runner, once what a crash interrupted is finished."""

    def make(tools: Tools, access: Access) -> Kinds:
        desk = BackupDesk(tools, access, audit)
        desk.recover()
        return desk.kinds()

    return make


def _by(user: User | None) -> str:
    return _FIRST_SETUP if user is None else user.username


def _confirmed(*, replaced: bool, sealed: bool) -> str:
    words = "From now on backups are made for this key; the first one is being made."
    if replaced:
        words += " Older backups still need the earlier key: keep it."
    if replaced and not sealed:
        words += " The audit log's first key stays sealed to the earlier one too."
    return words


def _restored(audit: str) -> str:
    words = "Restored. Log in again."
    if audit == "adopted":
        return f"{words} The audit log of the backup goes on."
    return f"{words} The audit log here is newer and stays." if audit else words
