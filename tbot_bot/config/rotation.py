"""New keys for some categories or all, atomically, in any state of the bot.

First a generation that holds new and old keys, its secrets encrypted with the new ones; then the user database is
encrypted anew in one transaction, which either set of keys can read; then a generation with the new keys alone. A crash
before the first is sealed takes everything back, one after it goes on to the end. Readers see one whole generation."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tbot_bot.config import generations
from tbot_bot.config.checkpoint import Checkpoint, Work, is_superseded, read_checkpoint, remove_checkpoint
from tbot_bot.config.config_encryption import blank_text
from tbot_bot.config.key_manager import dual_keys, newest_keys, write_keys
from tbot_bot.config.provisioning_helper import Tools
from tbot_bot.config.security_users import UserStore
from tbot_bot.config.steps import Failure, Step, carry_out, nothing, take_back
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.atomic_file import write_new
from tbot_bot.support.decrypt_secrets import GenerationFolder, is_lost, with_generation
from tbot_bot.support.encrypt_secrets import CATEGORIES, SECRET_FILES, key_file, keys_in, write_secret
from tbot_bot.support.logs import get_logger

_log = get_logger("rotation")
_TRIES = 2
_INTERRUPTED = "The runner was interrupted before the new keys were durable; the earlier ones are in use as before."


@dataclass(frozen=True, slots=True)
class Asked:
    """Which categories, why ("asked", "lost", "compromised"), and who asked from where.

    "lost": what cannot be decrypted any more is replaced by empty values. "compromised": secret values are emptied."""

    categories: tuple[str, ...]
    reason: str
    by: str
    ip: str


class Rotation:
    """Carries rotations out, one at a time, with no one else at the user database (see Turns)."""

    def __init__(self, tools: Tools, end_logins: Callable[[], None]) -> None:
        self._tools = tools
        self._paths = tools.paths
        self._end_logins = end_logins

    def run(self, asked: Asked) -> Failure | None:
        """Rotate; what failed and was taken back, or None when the new keys are in use and on record."""
        if read_checkpoint(self._paths) is not None:
            self.recover()
        if read_checkpoint(self._paths) is not None:
            return Failure("begin", "something begun earlier is not ended; restart the runner, then try again")
        current = generations.current_number(self._paths)
        if current is None:
            return Failure("begin", "there are no keys yet")
        checkpoint = Checkpoint(
            number=generations.next_number(self._paths),
            previous=current,
            by=asked.by,
            ip=asked.ip,
            work=Work.ROTATE,
            categories=asked.categories,
            reason=asked.reason,
        )
        return self._carry_out(checkpoint)

    def recover(self) -> None:
        """After a restart: finish a rotation whose new keys were durable, take back any other."""
        checkpoint = read_checkpoint(self._paths)
        if checkpoint is None or checkpoint.work is not Work.ROTATE:
            return
        if is_superseded(checkpoint, generations.current_number(self._paths)):
            remove_checkpoint(self._paths)
            return
        durable = generations.is_sealed(self._paths, checkpoint.number)
        ended = generations.current_number(self._paths) == checkpoint.number + 1
        _log.warning("a rotation was interrupted", extra={"fields": {"finish": durable or ended}})
        if durable or ended:
            self._carry_out(checkpoint)
        else:
            self._take_back(checkpoint, Failure("seal", _INTERRUPTED))

    def _carry_out(self, checkpoint: Checkpoint) -> Failure | None:
        failure = carry_out(
            self._paths, checkpoint, self._steps(checkpoint), undo=lambda failure: self._take_back(checkpoint, failure)
        )
        if failure is None:
            self._drop_dual(checkpoint.number)
        return failure

    def _drop_dual(self, number: int) -> None:
        """It held the old keys beside the new and is no one's earlier generation. The rotation itself is done."""
        for _ in range(_TRIES):
            try:
                generations.remove(self._paths, number)
                return
            except OSError as error:
                # Old keys should not lie there until the next start because of an error that passes.
                _log.error("a generation is removed later", extra={"fields": {"number": number, "why": error.strerror}})

    def _take_back(self, checkpoint: Checkpoint, failure: Failure) -> Failure:
        def ended() -> None:
            self._record("rotation_failed", checkpoint, step=failure.step, why=failure.why)

        return take_back(self._paths, self._steps(checkpoint), failure, ended)

    def _steps(self, checkpoint: Checkpoint) -> tuple[Step, ...]:
        dual, clean, previous = checkpoint.number, checkpoint.number + 1, checkpoint.previous
        condemns = checkpoint.reason != "asked"

        def back(frm: int, to: int | None) -> None:
            if generations.current_number(self._paths) == frm:
                generations.deactivate(self._paths, to)

        return (
            Step("record", lambda: self._record("rotation_started", checkpoint), nothing),
            Step("stage", lambda: self._stage(checkpoint), lambda: generations.remove(self._paths, dual)),
            Step("activate", lambda: self._activate_dual(checkpoint), lambda: back(dual, previous)),
            Step("users", lambda: self._rewrap(checkpoint), lambda: self._unwrap(checkpoint)),
            Step(
                "clean",
                lambda: self._stage_clean(clean, condemns=condemns),
                lambda: generations.remove(self._paths, clean),
            ),
            Step("switch", lambda: generations.activate(self._paths, clean), lambda: back(clean, dual)),
            Step("prove", lambda: self._prove(checkpoint), nothing),
            Step("audit", lambda: self._record("keys_rotated", checkpoint), nothing),
            Step("logins", lambda: self._logins(checkpoint), nothing),
        )

    def _ended(self, checkpoint: Checkpoint) -> bool:
        """Whether an interrupted attempt came as far as the generation with the new keys alone."""
        return generations.current_number(self._paths) == checkpoint.number + 1

    def _stage(self, checkpoint: Checkpoint) -> None:
        if self._ended(checkpoint) or generations.is_sealed(self._paths, checkpoint.number):
            return

        def fill(folder: GenerationFolder) -> None:
            staging = generations.open_staging(self._paths, checkpoint.number)
            keys = dual_keys(folder, checkpoint.categories)
            write_keys(staging / "keys", keys)
            for category in SECRET_FILES:
                if category in checkpoint.categories:
                    plain = _plain(folder, category, checkpoint.reason)
                    write_secret(staging / "secrets", category, keys_in(keys[category])[0], plain, "rotation")
                else:
                    _carry(folder, category, staging)

        with_generation(self._paths, fill, "rotation")
        generations.seal_generation(self._paths, checkpoint.number, self._tools.clock, dual=True)

    def _activate_dual(self, checkpoint: Checkpoint) -> None:
        if not self._ended(checkpoint):
            generations.activate(self._paths, checkpoint.number)

    def _rewrap(self, checkpoint: Checkpoint) -> None:
        if "login" in checkpoint.categories and self._paths.users_db.exists() and not self._ended(checkpoint):
            self._users(self._login_keys(checkpoint.number)).rewrap()

    def _unwrap(self, checkpoint: Checkpoint) -> None:
        """Back under the old key, which the dual generation names last."""
        dual = checkpoint.number
        wrapped = "login" in checkpoint.categories and self._paths.users_db.exists()
        if wrapped and generations.current_number(self._paths) == dual:
            self._users(self._login_keys(dual)[::-1]).rewrap()

    def _stage_clean(self, number: int, *, condemns: bool) -> None:
        """Everything of the generation in use, with the newest keys alone."""
        if generations.current_number(self._paths) == number or generations.is_sealed(self._paths, number):
            return

        def fill(folder: GenerationFolder) -> None:
            staging = generations.open_staging(self._paths, number)
            write_keys(staging / "keys", newest_keys(folder))
            for category in SECRET_FILES:
                _carry(folder, category, staging)

        with_generation(self._paths, fill, "rotation")
        generations.seal_generation(self._paths, number, self._tools.clock, condemns=condemns)

    def _prove(self, checkpoint: Checkpoint) -> None:
        """Every secret under a new key opens with it, before the old ones may go."""
        names = [category for category in checkpoint.categories if category in SECRET_FILES]
        with_generation(self._paths, lambda folder: [folder.decrypt(category) for category in names], "rotation")

    def _logins(self, checkpoint: Checkpoint) -> None:
        if "session" in checkpoint.categories:
            self._end_logins()

    def _users(self, keys: Sequence[bytes]) -> UserStore:
        return UserStore(self._paths.users_db, keys, self._tools.clock, self._tools.bcrypt_cost)

    def _login_keys(self, number: int) -> Sequence[bytes]:
        return keys_in((generations.folder_of(self._paths, number) / "keys" / key_file("login")).read_bytes())

    def _record(self, event: str, checkpoint: Checkpoint, **more: str) -> None:
        detail = {
            "ip": checkpoint.ip,
            "categories": list(checkpoint.categories),
            "reason": checkpoint.reason,
            "generation": checkpoint.number + 1,
            **more,
        }
        self._tools.audit.record(event, checkpoint.by, detail)


def all_or(categories: Collection[str]) -> tuple[str, ...]:
    """The categories meant, in the order of the table: all of them for "all"."""
    return tuple(category for category in CATEGORIES if category in categories or "all" in categories)


def _carry(folder: GenerationFolder, category: str, staging: Path) -> None:
    """The category's file as it is; one that is lost stays lost, it must not keep the others from new keys."""
    try:
        token = folder.token(category)
    except (SecretUnavailable, FileNotFoundError) as error:
        if is_lost(error):
            return
        raise
    write_new(staging / "secrets" / SECRET_FILES[category], token)


def _plain(folder: GenerationFolder, category: str, reason: str) -> bytes:
    """What is to lie encrypted under the new key: the old plaintext, or what is left of it when it was lost or is to
    go."""
    try:
        text: str | None = folder.decrypt(category).decode()
    except (SecretUnavailable, FileNotFoundError):
        if reason == "asked":
            raise
        text = None
    if text is not None and reason != "compromised":
        return text.encode()
    return blank_text(category, text, folder).encode()
