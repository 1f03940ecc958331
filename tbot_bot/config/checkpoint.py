"""What the runner has begun, on disk before it begins, so that a restart can finish it or take it back.

One at a time: a provisioning or a rotation. It is written once: which of them it is and what it works on is all that
recovery needs, for every step may be done again and every undo may run without its step."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.atomic_file import ensure_folder, sync_folder, write_json
from tbot_bot.support.path_resolver import Paths


class Work(StrEnum):
    PROVISION = "provision"
    ROTATE = "rotate"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Holds no secret. `number`: the generation made first. `previous`: the one to go back to, None at first
    provisioning.

    `had_users`, `had_ledger`: whether that database existed before, and so must survive taking it back. `categories`
    and `reason` are those of a rotation."""

    number: int
    previous: int | None
    by: str
    ip: str
    had_users: bool = True
    had_ledger: bool = True
    work: Work = Work.PROVISION
    categories: tuple[str, ...] = ()
    reason: str = ""

    @property
    def first(self) -> bool:
        return self.previous is None


def checkpoint_file(paths: Paths) -> Path:
    return paths.runner_private / "provisioning.json"


def write_checkpoint(paths: Paths, checkpoint: Checkpoint) -> None:
    ensure_folder(paths.runner_private)
    write_json(checkpoint_file(paths), asdict(checkpoint))


def read_checkpoint(paths: Paths) -> Checkpoint | None:
    """What was begun and not ended; None when there is nothing. Raises SecretUnavailable when it is unreadable."""
    path = checkpoint_file(paths)
    try:
        row = json.loads(path.read_bytes())
        # The first release kept the steps begun as well; they are not needed.
        row.pop("begun", None)
        return Checkpoint(
            **{**row, "work": Work(row.get("work", Work.PROVISION)), "categories": tuple(row.get("categories", ()))}
        )
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise SecretUnavailable(
            f"{path} may be read by the runner's user alone: ask as that user or as root"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SecretUnavailable(
            f"{path.name} in storage/runner is damaged, so it is unknown how far provisioning came; "
            "restore storage/ from a backup, or move it away to begin anew"
        ) from error


def is_superseded(checkpoint: Checkpoint, current: int | None) -> bool:
    """Whether a later change is in use: then this one was ended, and only its checkpoint could not be removed."""
    last = checkpoint.number + (1 if checkpoint.work is Work.ROTATE else 0)
    return current is not None and current > last


def remove_checkpoint(paths: Paths) -> None:
    path = checkpoint_file(paths)
    if path.exists():
        path.unlink()
        sync_folder(path.parent)
