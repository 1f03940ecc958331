"""What a kill left half written is removed at the next start, and nothing else."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.leftovers import sweep_leftovers
from tbot_bot.support.path_resolver import Paths

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path)
    for folder in (found.audit_log.parent, found.runner_private, found.recovery, found.sessions, found.published):
        folder.mkdir(parents=True)
    return found


def left(folder: Path, name: str, age: timedelta = timedelta(0)) -> Path:
    path = folder / name
    path.write_bytes(b"half")
    os.utime(path, (stamp := (NOW - age).timestamp(), stamp))
    return path


def test_the_runners_own_go_whatever_their_age(paths: Paths) -> None:
    folders = (paths.storage, paths.audit_log.parent, paths.runner_private, paths.recovery, paths.sessions)
    files = [left(folder, ".head.json.0123456789ab.tmp") for folder in folders]
    link = paths.storage / ".current.0123456789ab.tmp"
    link.symlink_to("gen/00000001")

    assert sweep_leftovers(paths, NOW) == len(files) + 1
    assert not any(path.exists() for path in files)
    assert not link.is_symlink()


def test_where_others_write_too_only_old_ones_go(paths: Paths) -> None:
    for folder in (paths.root, paths.control, paths.published):
        young = left(folder, ".bot_state.txt.0123456789ab.tmp", timedelta(minutes=59))
        old = left(folder, ".bot_state.txt.ba9876543210.tmp", timedelta(minutes=61))

        assert sweep_leftovers(paths, NOW) == 1
        assert young.exists()
        assert not old.exists()


@pytest.mark.parametrize("name", ["head.json", ".lock", ".x.tmp", "x.0123456789ab.tmp", ".x.0123456789AB.tmp"])
def test_any_other_name_stays(paths: Paths, name: str) -> None:
    kept = left(paths.audit_log.parent, name, timedelta(days=9))

    assert sweep_leftovers(paths, NOW) == 0
    assert kept.exists()


def test_a_folder_of_such_a_name_and_folders_that_are_missing_are_passed_over(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    (paths.storage / ".x.0123456789ab.tmp").mkdir(parents=True)

    assert sweep_leftovers(paths, NOW) == 0


def test_the_name_is_the_one_that_writing_gives(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt(target)

    monkeypatch.setattr(Path, "rename", dies)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(paths.runner_private / "seen.jsonl", b"x")
    monkeypatch.undo()

    assert sweep_leftovers(paths, NOW) == 1
    assert list(paths.runner_private.iterdir()) == []
