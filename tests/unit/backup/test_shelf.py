import os
from pathlib import Path

import pytest

from tbot_bot.backup import shelf
from tbot_bot.support.path_resolver import Paths
from tests.unit.backup.conftest import Rig


def test_the_folder_is_told_of_with_whoever_must_own_a_file_there(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert shelf.shelf_facts(paths)["files"] == []
    paths.backups.mkdir(parents=True)
    for name in ("tbot-20260310T020000Z.age", "brought.age", ".hidden.age", "state.json", "no-backup.txt"):
        (paths.backups / name).touch()
    (paths.backups / "link.age").symlink_to("brought.age")
    found = shelf.shelf_facts(paths)

    assert found["files"] == ["tbot-20260310T020000Z.age", "brought.age"]
    assert (found["folder"], found["uid"]) == (str(paths.backups), os.geteuid())
    assert found["owner"]
    assert found["group"]


def test_a_user_without_a_name_is_told_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf.os, "geteuid", lambda: 4_000_001)
    monkeypatch.setattr(shelf.os, "getegid", lambda: 4_000_002)
    found = shelf.shelf_facts(Paths(tmp_path))
    assert (found["owner"], found["group"]) == ("4000001", "4000002")


def test_a_folder_that_cannot_be_listed_keeps_nobody_from_the_rest(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.backups.parent.mkdir(parents=True)
    paths.backups.symlink_to(paths.backups)
    assert shelf.shelf_facts(paths)["folder"] == str(paths.backups)


def test_the_runner_publishes_it_before_anything_is_provisioned(bare: Rig) -> None:
    bare.until(lambda: bare.published("system"))
    assert bare.published("system")["shelf"]["folder"] == str(bare.paths.backups)
