"""How far a provisioning came, on disk before each step, so that a restart can finish it or take it back."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.atomic_file import ensure_folder, sync_folder, write_json
from tbot_bot.support.path_resolver import Paths


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Holds no secret. `previous`: generation to go back to, None at first provisioning. `begun`: steps, in order.

    `had_users`, `had_ledger`: whether that database existed before, and so must survive taking it back."""

    number: int
    previous: int | None
    by: str
    ip: str
    had_users: bool
    had_ledger: bool
    begun: tuple[str, ...] = ()

    @property
    def first(self) -> bool:
        return self.previous is None

    def with_step(self, name: str) -> "Checkpoint":
        return self if name in self.begun else replace(self, begun=(*self.begun, name))


def checkpoint_file(paths: Paths) -> Path:
    return paths.runner_private / "provisioning.json"


def write_checkpoint(paths: Paths, checkpoint: Checkpoint) -> None:
    ensure_folder(paths.runner_private)
    write_json(checkpoint_file(paths), asdict(checkpoint))


def read_checkpoint(paths: Paths) -> Checkpoint | None:
    """The unfinished provisioning; None when there is none. Raises SecretUnavailable when it is unreadable."""
    path = checkpoint_file(paths)
    if not path.exists():
        return None
    try:
        row = json.loads(path.read_bytes())
        return Checkpoint(**{**row, "begun": tuple(row["begun"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SecretUnavailable(
            f"{path.name} in storage/runner is damaged, so it is unknown how far provisioning came; "
            "restore storage/ from a backup, or move it away to begin anew"
        ) from error


def remove_checkpoint(paths: Paths) -> None:
    path = checkpoint_file(paths)
    if path.exists():
        path.unlink()
        sync_folder(path.parent)
