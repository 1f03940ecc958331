"""Putting restored files in place: what was there is moved aside first, and every move may be done again."""

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tbot_bot.domain.errors import BackupRefused
from tbot_bot.support.atomic_file import ensure_folder, share, sync_folder, write_json
from tbot_bot.support.path_resolver import Paths

_SIDES = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Swap:
    """`target` below the root is moved aside and `staged` (below the stage, "" = nothing) takes its place.

    `sides`: the files that SQLite keeps beside a database go with it."""

    target: str
    staged: str = ""
    sides: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A restore under way. Nothing of it counts until `committed` is on disk; then all of it is carried out.

    `kept`: the folder in `before-restore/`. `bare`: there was no generation before. `interim`: end of the audit log
    that was here, when the backup's takes its place."""

    kept: str
    by: str
    ip: str
    backup: str
    made_at: str
    parts: tuple[str, ...]
    generation: int
    bare: bool
    audit: str = ""
    interim: Mapping[str, Any] | None = None
    swaps: tuple[Swap, ...] = ()
    committed: bool = False


def plan_file(paths: Paths) -> Path:
    return paths.runner_private / "restore.json"


def stage_of(paths: Paths) -> Path:
    return paths.restore_work / "stage"


def kept_of(paths: Paths, plan: Plan) -> Path:
    return paths.before_restore / plan.kept


def write_plan(paths: Paths, plan: Plan) -> None:
    ensure_folder(paths.runner_private)
    write_json(plan_file(paths), asdict(plan))


def read_plan(paths: Paths) -> Plan | None:
    """The restore that was begun and not ended. Raises BackupRefused when its plan is damaged."""
    try:
        row = json.loads(plan_file(paths).read_bytes())
        swaps = tuple(Swap(**one) for one in row["swaps"])
        return Plan(**{**row, "parts": tuple(row["parts"]), "swaps": swaps})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupRefused(
            f"{plan_file(paths).name} in storage/runner is damaged, so it is unknown how far a restore came; "
            "move it away and restore once more"
        ) from error


def remove_plan(paths: Paths) -> None:
    """The restore is ended by now, carried out or taken back. A plan that stays, or that a power cut brings back, is
    ended once more by the next start, which changes nothing."""
    with contextlib.suppress(OSError):
        if plan_file(paths).exists():
            plan_file(paths).unlink()
            sync_folder(paths.runner_private)
    with contextlib.suppress(OSError):
        shutil.rmtree(paths.restore_work)


def swap_files(paths: Paths, plan: Plan) -> None:
    """Every swap that is not done yet."""
    for swap in plan.swaps:
        _swap(paths, plan, swap)


def resume_swaps(paths: Paths) -> None:
    """After a crash, before anything opens the files: put those of a committed restore in place."""
    plan = read_plan(paths)
    if plan is not None and plan.committed:
        swap_files(paths, plan)


def _swap(paths: Paths, plan: Plan, swap: Swap) -> None:
    target, kept = paths.root / swap.target, kept_of(paths, plan) / swap.target
    staged = stage_of(paths) / swap.staged if swap.staged else None
    if staged is not None and not staged.exists():
        return
    for side in ("", *_SIDES) if swap.sides else ("",):
        _keep(target.with_name(target.name + side), kept.with_name(kept.name + side))
    if staged is not None:
        ensure_folder(target.parent)
        share(staged, target.parent)
        staged.rename(target)
        sync_folder(target.parent)


def _keep(old: Path, kept: Path) -> None:
    if not old.exists() or kept.exists():
        return
    ensure_folder(kept.parent)
    old.rename(kept)
    sync_folder(kept.parent)
    sync_folder(old.parent)
