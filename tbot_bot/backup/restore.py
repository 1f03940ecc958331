"""Restoring parts of a backup: staged aside, committed by one file, then carried out step by step.

Until the plan is committed nothing here has changed, and a crash leaves everything as it was; from then on a restart
finishes it. Keys here stay in force: what comes back is encrypted under them. A generation is made in any case, which
tells every process to open its files anew."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from tbot_bot.backup.contents import AUDIT_HEAD, AUDIT_KEY, AUDIT_LOG, LEDGER, USERS, record_path
from tbot_bot.backup.manifest import PARTS
from tbot_bot.backup.opened import Opened, open_backup, with_recovery_key
from tbot_bot.backup.preview import audit_relation, check_whole_log, log_is_younger
from tbot_bot.backup.records import goes_on_from
from tbot_bot.backup.recovery import RecoveryKey, confirm
from tbot_bot.backup.shelf import undisturbed
from tbot_bot.backup.swap import Plan, Swap, kept_of, read_plan, remove_plan, stage_of, swap_files, write_plan
from tbot_bot.backup.users import make_ready, put
from tbot_bot.config import generations
from tbot_bot.config.config_encryption import write_env_files, write_secrets
from tbot_bot.config.db_bootstrap import create_ledger_database, create_users
from tbot_bot.config.key_manager import write_keys
from tbot_bot.config.provisioning_helper import Tools
from tbot_bot.domain.errors import BackupRefused, NotProvisioned, SecretUnavailable, StateCorrupt
from tbot_bot.domain.session import ARMED_STATES, CLOSING_STATES, BotState
from tbot_bot.ports.books import AuditLog
from tbot_bot.reporting.audit_chain import head_file
from tbot_bot.reporting.audit_key import first_key_file, sealed_key_file
from tbot_bot.support.atomic_file import ensure_folder, set_mode, sync_folder
from tbot_bot.support.audit_anchors import anchor_file
from tbot_bot.support.decrypt_secrets import GenerationFolder, with_generation
from tbot_bot.support.encrypt_secrets import CATEGORIES, SECRET_FILES, new_key, write_secret
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.recovery_record import read_recovery

_PATIENCE = 20.0
"""Seconds to wait for a backup that is being made: it must not copy files that are being exchanged."""
_STATE_LOG_MODE = 0o644
_ACTOR = "runner"


class RestoredAuditLog(AuditLog, Protocol):
    """An audit log whose files a restore may exchange."""

    def head(self) -> tuple[int, str]:
        """Number and hash of the last record."""
        ...

    def adopt(self, put_in_place: Callable[[], None]) -> None:
        """Close the log, let its files be exchanged, and go on from what lies there then."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be restored, by whom. `made_at`: of the backup that was agreed to. `first_run`: there are no users
    here."""

    backup: Path
    made_at: datetime
    key: RecoveryKey
    parts: tuple[str, ...]
    by: str
    ip: str
    first_run: bool


class Restorer:
    """One restore at a time, on the runner's line of work."""

    def __init__(self, tools: Tools, audit: RestoredAuditLog) -> None:
        self._tools = tools
        self._paths = tools.paths
        self._audit = audit

    def restore(self, order: Order) -> Plan:
        """Carry out all of it. Raises a TbotError, OSError or sqlite3.Error; before the commit nothing has changed,
        after it the next start finishes it."""
        with undisturbed(self._paths, _PATIENCE):
            return self._restore(order)

    def _restore(self, order: Order) -> Plan:
        self.recover()
        plan = self._begun(order)
        self._audit.record("restore_begun", order.by, {"ip": order.ip, "backup": plan.backup, "parts": plan.parts})
        write_plan(self._paths, plan)
        try:
            plan = replace(self._staged(order, plan), committed=True)
            self._commit(plan)
        except BaseException:
            if not self.unfinished():
                self._take_back(plan)
            raise
        self._carry_out(plan)
        return plan

    def _commit(self, plan: Plan) -> None:
        """Raises OSError; then `unfinished` says whether the plan has its name all the same, and so is carried out by
        the next start at the latest: what it needs must not be taken back."""
        try:
            write_plan(self._paths, plan)
        except OSError:
            if not self.unfinished():
                raise
            sync_folder(self._paths.runner_private)

    def recover(self) -> None:
        """After a restart: finish what was committed, drop what was not."""
        plan = read_plan(self._paths)
        if plan is None:
            remove_plan(self._paths)
        elif plan.committed:
            self._carry_out(plan)
        else:
            self._take_back(plan)
            self._audit.record("restore_dropped", _ACTOR, {"backup": plan.backup, "why": "interrupted"})

    def unfinished(self) -> bool:
        """Whether a restore was committed and is not through."""
        plan = read_plan(self._paths)
        return plan is not None and plan.committed

    def _begun(self, order: Order) -> Plan:
        now = self._tools.clock.now().astimezone(UTC)
        return Plan(
            kept=f"{now:%Y%m%dT%H%M%S%f}Z",
            by=order.by,
            ip=order.ip,
            backup=order.backup.name,
            made_at="",
            parts=order.parts,
            generation=generations.next_number(self._paths),
            bare=generations.current_number(self._paths) is None,
        )

    def _take_back(self, plan: Plan) -> None:
        generations.remove(self._paths, plan.generation)
        remove_plan(self._paths)

    def _staged(self, order: Order, plan: Plan) -> Plan:
        """Everything under its final content, durable, beside what is in use."""
        stage = stage_of(self._paths)
        ensure_folder(stage)
        opened = open_backup(
            order.backup, with_recovery_key(order.key), stage, lambda entry: entry.part in order.parts, durable=True
        )
        self._check(order, opened, plan)
        self._stage_generation(order, opened, plan)
        relation = audit_relation(self._paths, opened.manifest) if "audit" in order.parts else ""
        swaps = [*self._data_swaps(order, opened, stage)]
        lost = relation == "other" and (order.first_run or log_is_younger(self._paths, opened.manifest))
        if relation == "none" or lost:
            check_whole_log(opened)
            relation = "adopted"
            swaps += self._audit_swaps(opened)
        if read_recovery(self._paths) is None:
            confirm(self._paths, order.key, order.by, self._tools.clock.now())
        for folder in [path for path in stage.rglob("*") if path.is_dir()]:
            sync_folder(folder)
        sync_folder(stage)
        seq, line_hash = self._audit.head()
        return replace(
            plan,
            swaps=tuple(swaps),
            audit=relation,
            interim={"seq": seq, "hash": line_hash},
            made_at=opened.manifest.made_at.isoformat(),
        )

    def _check(self, order: Order, opened: Opened, plan: Plan) -> None:
        if opened.manifest.made_at != order.made_at:
            raise BackupRefused("The file is another backup than the one that was looked at.")
        missing = [PARTS[part] for part in order.parts if not opened.manifest.of(part)]
        if missing:
            raise BackupRefused(f"The backup does not hold: {', '.join(missing)}.")
        if plan.bare and "settings" not in order.parts:
            raise BackupRefused("There are no settings here yet: restore them as well.")

    def _stage_generation(self, order: Order, opened: Opened, plan: Plan) -> None:
        folder = generations.open_staging(self._paths, plan.generation)
        keys = self._keys(opened)
        write_keys(folder / "keys", keys)
        if "settings" in order.parts:
            config, _ = opened.config()
            write_secrets(folder, config.raw)
            write_env_files(folder, config.raw)
        else:
            for category, plain in with_generation(self._paths, _plain_secrets, "restore").items():
                write_secret(folder / "secrets", category, keys[category], plain)
        if "users" in order.parts:
            make_ready(opened.file(USERS), (keys["login"], *opened.generation.keys("login")), self._tools.clock)
        generations.seal_generation(self._paths, plan.generation, self._tools.clock)

    def _keys(self, opened: Opened) -> Mapping[str, bytes]:
        """One key for each category: the one here; where it is lost the backup's, which may open what is here; else,
        and where nothing was here before, a fresh one."""
        bare = generations.current_number(self._paths) is None
        found = {}
        for category in CATEGORIES:
            here = _key_here(self._paths, category)
            theirs = () if bare else opened.keys(category)
            found[category] = here or (theirs[0] if theirs else new_key())
        return found

    def _data_swaps(self, order: Order, opened: Opened, stage: Path) -> list[Swap]:
        swaps = []
        if "ledger" in order.parts:
            swaps.append(Swap(self._below_root(self._paths.ledger_db), LEDGER, sides=True))
        for entry in opened.manifest.of("records") if "records" in order.parts else ():
            target = record_path(self._paths, entry.name)
            if target is None or goes_on_from(target, opened.file(entry.name)):
                continue
            if target == self._paths.state_log:
                set_mode(stage / entry.name, _STATE_LOG_MODE)
            swaps.append(Swap(self._below_root(target), entry.name))
        return swaps

    def _audit_swaps(self, opened: Opened) -> list[Swap]:
        held = {entry.name for entry in opened.manifest.of("audit")}
        places = {
            AUDIT_LOG: self._paths.audit_log,
            AUDIT_HEAD: head_file(self._paths),
            AUDIT_KEY: sealed_key_file(self._paths),
            "": first_key_file(self._paths),
        }
        swaps = [Swap(self._below_root(path), name if name in held else "") for name, path in places.items()]
        # What was seen of the log that was here says nothing about the one that goes on.
        seen = [anchor_file(folder) for folder in (self._paths.control, self._paths.output, self._paths.backups)]
        return [*swaps, *(Swap(self._below_root(path)) for path in seen)]

    def _carry_out(self, plan: Plan) -> None:
        """Every step may be done again."""
        paths, kept = self._paths, kept_of(self._paths, plan)
        if plan.audit == "adopted":
            self._audit.adopt(lambda: swap_files(paths, plan))
        else:
            swap_files(paths, plan)
            _put_beside(stage_of(paths) / "audit", kept / "audit-of-the-backup")
        if "users" in plan.parts:
            put(stage_of(paths) / USERS, paths.users_db, kept / self._below_root(paths.users_db))
        if (generations.current_number(paths) or 0) <= plan.generation:
            # A plan that outlived its restore must not take back what was saved since.
            generations.activate(paths, plan.generation)
        create_users(paths, self._tools.clock, self._tools.bcrypt_cost)
        create_ledger_database(paths, self._tools.create_ledger)
        if "users" in plan.parts or plan.bare:
            self._end_logins()
        if plan.bare:
            self._reach_idle()
        self._audit.record("restored", plan.by, _detail(plan))
        remove_plan(paths)
        self._tools.progress.all_done()

    def _end_logins(self) -> None:
        folder = self._paths.sessions
        if folder.is_dir():
            for path in folder.iterdir():
                path.unlink(missing_ok=True)
            sync_folder(folder)

    def _reach_idle(self) -> None:
        """A new installation has walked the road of first provisioning; one whose storage was lost begins halted."""
        state = self._tools.state
        if not state.exists():
            state.initialize(_ACTOR)
        try:
            now = state.read()
        except StateCorrupt:
            state.move(None, BotState.ERROR, _ACTOR, "the state was lost; restored from a backup")
            now = BotState.ERROR
        road = (BotState.INITIALIZE, BotState.PROVISIONING, BotState.BOOTSTRAPPING, BotState.IDLE)
        steps = road[road.index(now) + 1 :] if now in road else ()
        if now in ARMED_STATES or now is BotState.GRACEFUL_CLOSING:
            steps = (BotState.IDLE,)
        elif now in CLOSING_STATES:
            steps = (BotState.ERROR,)
        for to in steps:
            state.move(now, to, _ACTOR, "restored from a backup")
            now = to

    def _below_root(self, path: Path) -> str:
        return path.relative_to(self._paths.root).as_posix()


def _detail(plan: Plan) -> Mapping[str, object]:
    return {
        "ip": plan.ip,
        "backup": plan.backup,
        "made_at": plan.made_at,
        "parts": list(plan.parts),
        "generation": plan.generation,
        "kept": plan.kept,
        "audit": plan.audit,
        "interim": plan.interim,
    }


def _plain_secrets(now: GenerationFolder) -> Mapping[str, bytes]:
    return {category: now.decrypt(category) for category in SECRET_FILES}


def _key_here(paths: Paths, category: str) -> bytes | None:
    try:
        return with_generation(paths, lambda now: now.keys(category)[0], "restore")
    except (NotProvisioned, SecretUnavailable):
        return None


def _put_beside(staged: Path, kept: Path) -> None:
    """A log that may not take the place of the one here is left where it can be read."""
    if staged.is_dir() and not kept.exists():
        ensure_folder(kept.parent)
        os.rename(staged, kept)
        sync_folder(kept.parent)
