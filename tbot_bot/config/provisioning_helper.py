"""Provisioning as steps: each idempotent, under one checkpoint, and undone in reverse when a later one fails.

Plaintext secrets live in memory only. So a crash before the new generation is sealed takes everything back (its values
are gone), and a crash after it finishes the rest from the sealed files: never half."""

from collections.abc import Callable
from dataclasses import dataclass

from tbot_bot.config import generations
from tbot_bot.config.checkpoint import Checkpoint, Work, is_superseded, read_checkpoint, remove_checkpoint
from tbot_bot.config.config_diff import changes_between
from tbot_bot.config.config_encryption import complete, write_env_files, write_secrets
from tbot_bot.config.db_bootstrap import create_ledger_database, create_users, remove_database
from tbot_bot.config.key_manager import carry_keys, create_keys, key_faults
from tbot_bot.config.parse import ParsedConfig
from tbot_bot.config.progress import Phase, Progress, StepStatus
from tbot_bot.config.security_bot import open_config
from tbot_bot.config.steps import Failure, Step, carry_out, nothing, take_back
from tbot_bot.domain.errors import SecretUnavailable, StateCorrupt
from tbot_bot.domain.session import BotState
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile

_log = get_logger("provisioning")
_ROAD = (BotState.INITIALIZE, BotState.PROVISIONING, BotState.BOOTSTRAPPING, BotState.IDLE)
_ACTOR = "runner"

TITLES = (
    ("check", "Check every value"),
    ("keys", "Make the encryption keys"),
    ("secrets", "Encrypt the credentials and the bot's identity"),
    ("settings", "Encrypt the settings (.env.enc, .env_bot.enc)"),
    ("seal", "Make keys and secrets durable"),
    ("activate", "Switch to the new keys and secrets"),
    ("users", "Prepare the user database"),
    ("ledger", "Prepare the ledger"),
    ("audit", "Record it in the audit log"),
    ("publish", "Open the bot for use"),
)
_FIXES = {
    "check": "Correct the configuration and submit it again.",
    "users": "Look at tbot_bot/core/databases: the runner must be able to write there. Then submit again.",
    "ledger": "Look at tbot_bot/core/databases: the runner must be able to write there. Then submit again.",
    "audit": "Free disk space or repair storage/audit, then submit again.",
}
_FIX = "Free disk space and see that the runner may write below tbot_bot/storage, then submit again."
_INTERRUPTED = "The runner was interrupted here; what it had begun was taken back, nothing is half done."


@dataclass(frozen=True, slots=True)
class Tools:
    """What provisioning works with, handed to it by the runner."""

    paths: Paths
    clock: Clock
    state: StateFile
    audit: AuditLog
    progress: Progress
    create_ledger: Callable[[], None]
    bcrypt_cost: int


class Provisioning:
    """One provisioning from accepted values to the idle state; a later one makes a generation and moves no state."""

    def __init__(self, tools: Tools, recover_rotation: Callable[[], None] = nothing) -> None:
        """`recover_rotation` ends a rotation that was begun and not ended, before settings are saved upon it."""
        self._tools = tools
        self._paths = tools.paths
        self._recover_rotation = recover_rotation

    def run(self, config: ParsedConfig, by: str, ip: str) -> bool:
        """Carry out all steps; False when one failed and everything was taken back, as published and audited."""
        paths = self._paths
        if read_checkpoint(paths) is not None:
            self._recover_rotation()
            self.recover()
        checkpoint = Checkpoint(
            number=generations.next_number(paths),
            previous=generations.current_number(paths),
            by=by,
            ip=ip,
            had_users=paths.users_db.exists(),
            had_ledger=paths.ledger_db.exists(),
        )
        self._tools.progress.begin()
        staging = self._staging_steps(checkpoint, complete(config.raw))
        return self._carry_out(checkpoint, (*staging, *self._sealed_steps(checkpoint)))

    def recover(self) -> None:
        """After a restart: finish what was sealed, take back what was not, and put a lost state word right."""
        generations.drop_staged(self._paths)
        checkpoint = read_checkpoint(self._paths)
        if checkpoint is None or checkpoint.work is not Work.PROVISION:
            self._settle_state()
            return
        if is_superseded(checkpoint, generations.current_number(self._paths)):
            remove_checkpoint(self._paths)
            self._settle_state()
            return
        finish = generations.is_sealed(self._paths, checkpoint.number)
        _log.warning("provisioning was interrupted", extra={"fields": {"finish": finish}})
        self._tools.progress.begin()
        if finish:
            for step in self._staging_steps(checkpoint, None):
                self._tools.progress.mark(step.name, StepStatus.DONE)
            self._carry_out(checkpoint, self._sealed_steps(checkpoint))
            return
        self._take_back(checkpoint, Failure("keys", _INTERRUPTED), "Submit the configuration again.")

    def _carry_out(self, checkpoint: Checkpoint, steps: tuple[Step, ...]) -> bool:
        progress = self._tools.progress

        def undo(failure: Failure) -> Failure:
            return self._take_back(checkpoint, failure, _FIXES.get(failure.step, _FIX))

        if carry_out(self._paths, checkpoint, steps, undo=undo, watch=progress.mark) is not None:
            return False
        progress.end(Phase.DONE)
        return True

    def _take_back(self, checkpoint: Checkpoint, failure: Failure, fix: str) -> Failure:
        progress = self._tools.progress
        progress.mark(failure.step, StepStatus.FAILED, failure.why, fix)

        def ended() -> None:
            self._return_to_start(checkpoint, f"provisioning failed at {failure.step}")
            detail = {"step": failure.step, "why": failure.why, "ip": checkpoint.ip, "generation": checkpoint.number}
            self._tools.audit.record("provisioning_failed", checkpoint.by, detail)

        steps = (*self._staging_steps(checkpoint, None), *self._sealed_steps(checkpoint))
        failure = take_back(self._paths, steps, failure, ended, progress.mark)
        if failure.also:
            why = f"{failure.why} Taking it back failed as well ({failure.also}); restart the runner to try that again."
            progress.mark(failure.step, StepStatus.FAILED, why, fix)
        progress.end(Phase.FAILED)
        return failure

    def _staging_steps(self, checkpoint: Checkpoint, raw: dict[str, str] | None) -> tuple[Step, ...]:
        """The steps up to the seal, which need the values; `raw` None: only to take them back."""
        paths, number = self._paths, checkpoint.number
        staging = generations.staging_of(paths, number)

        def values() -> dict[str, str]:
            if raw is None:
                raise SecretUnavailable("the values are gone with the interrupted runner")
            return raw

        def drop() -> None:
            generations.remove(paths, number)

        return (
            Step("check", lambda: self._check(checkpoint), nothing),
            Step("keys", lambda: self._keys(checkpoint), drop),
            Step("secrets", lambda: write_secrets(staging, values()), drop),
            Step("settings", lambda: write_env_files(staging, values()), drop),
            Step("seal", lambda: generations.seal_generation(paths, number, self._tools.clock), drop),
        )

    def _sealed_steps(self, checkpoint: Checkpoint) -> tuple[Step, ...]:
        """The steps after the seal, which need only what lies sealed on the disk."""
        paths = self._paths

        def undo_users() -> None:
            if not checkpoint.had_users:
                remove_database(paths.users_db)

        def undo_ledger() -> None:
            if not checkpoint.had_ledger:
                remove_database(paths.ledger_db)

        return (
            Step(
                "activate",
                lambda: generations.activate(paths, checkpoint.number),
                lambda: self._deactivate(checkpoint),
            ),
            Step("users", lambda: self._users(checkpoint), undo_users),
            Step("ledger", lambda: create_ledger_database(paths, self._tools.create_ledger), undo_ledger),
            Step("audit", lambda: self._audit_end(checkpoint), nothing),
            Step("publish", lambda: self._prove(checkpoint), nothing),
        )

    def _check(self, checkpoint: Checkpoint) -> None:
        """The values were checked when they were accepted; from here on it is announced and on record."""
        self._audit(checkpoint, "provisioning_started")
        self._reach(checkpoint, BotState.PROVISIONING)

    def _keys(self, checkpoint: Checkpoint) -> None:
        folder = generations.open_staging(self._paths, checkpoint.number) / "keys"
        if checkpoint.first:
            create_keys(folder)
        else:
            carry_keys(self._paths, folder)

    def _users(self, checkpoint: Checkpoint) -> None:
        self._reach(checkpoint, BotState.BOOTSTRAPPING)
        create_users(self._paths, self._tools.clock, self._tools.bcrypt_cost)

    def _deactivate(self, checkpoint: Checkpoint) -> None:
        if generations.current_number(self._paths) == checkpoint.number:
            generations.deactivate(self._paths, checkpoint.previous)
        generations.remove(self._paths, checkpoint.number)

    def _prove(self, checkpoint: Checkpoint) -> None:
        """Read everything back as the bot will, and let the bot begin."""
        faults = key_faults(self._paths.keys)
        if faults:
            raise SecretUnavailable("; ".join(faults))
        open_config(self._paths)
        self._reach(checkpoint, BotState.IDLE)

    def _audit(self, checkpoint: Checkpoint, event: str, **more: object) -> None:
        detail = {
            **more,
            "ip": checkpoint.ip,
            "generation": checkpoint.number,
            "previous": checkpoint.previous,
            "first": checkpoint.first,
            "manifest": generations.manifest_checksum(self._paths, checkpoint.number),
        }
        self._tools.audit.record(event, checkpoint.by, detail)

    def _audit_end(self, checkpoint: Checkpoint) -> None:
        """What was saved, against what was there before, both as they lie on the disk."""
        folder, previous = generations.folder_of(self._paths, checkpoint.number), checkpoint.previous
        before = None if previous is None else generations.folder_of(self._paths, previous)
        changes = changes_between(before, folder)
        self._audit(checkpoint, "provisioned" if checkpoint.first else "config_saved", changes=changes)

    def _reach(self, checkpoint: Checkpoint, target: BotState) -> None:
        """Move the state along the road of first provisioning; a later one happens while idle and moves nothing."""
        state = self._tools.state
        now = state.read()
        if not checkpoint.first or now not in _ROAD:
            return
        for place in range(_ROAD.index(now), _ROAD.index(target)):
            self._move(_ROAD[place], _ROAD[place + 1], "first provisioning")

    def _return_to_start(self, checkpoint: Checkpoint, why: str) -> None:
        now = self._tools.state.read()
        if checkpoint.first and now in {BotState.PROVISIONING, BotState.BOOTSTRAPPING}:
            self._move(now, BotState.INITIALIZE, why)
        elif checkpoint.first and now is BotState.IDLE:
            self._begin_anew()

    def _settle_state(self) -> None:
        """Without an unfinished provisioning, the state word and what is on disk must agree."""
        state = self._tools.state
        if generations.current_number(self._paths) is not None:
            self._tools.progress.all_done()
            return
        try:
            now = state.read() if state.exists() else None
        except StateCorrupt:
            now = None
        if now is None or now is BotState.IDLE:
            self._begin_anew()
        elif now in {BotState.PROVISIONING, BotState.BOOTSTRAPPING}:
            self._move(now, BotState.INITIALIZE, "nothing is provisioned")

    def _begin_anew(self) -> None:
        """Nothing is provisioned, so there is nothing that a fresh start could lose. No move leads back from idle: it
        was reached a moment before the last of the first provisioning failed."""
        self._paths.bot_state.unlink(missing_ok=True)
        self._tools.state.initialize(_ACTOR)

    def _move(self, frm: BotState, to: BotState, why: str) -> None:
        self._tools.state.move(frm, to, _ACTOR, why)
