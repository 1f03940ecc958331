"""State that outlives its users' numbers."""

import json
import os

import pytest

from tests.unit.tools.installer.rig import a_layout
from tools.installer import files, owners
from tools.installer.faults import InstallRefused

pytestmark = pytest.mark.root


@pytest.fixture
def layout(tmp_path):
    layout = a_layout(tmp_path)
    files.make_folder(layout.state / "folder")
    return layout


def renumbered(monkeypatch, users, groups):
    monkeypatch.setattr(owners, "user_number", users.get)
    monkeypatch.setattr(owners, "group_number", groups.get)


def test_files_belong_to_the_same_users_again_when_these_have_other_numbers(layout, monkeypatch):
    path, link = layout.state / "folder/a", layout.state / "folder/link"
    path.write_text("")
    link.symlink_to("/etc/passwd")
    os.chown(path, 60001, 60002)
    os.chown(link, 60001, 60002, follow_symlinks=False)
    path.chmod(0o2640)
    renumbered(monkeypatch, {"tbot-bot": 60001}, {"tbot-state": 60002})
    owners.put_aside(layout)
    closed = layout.state.stat()
    assert (closed.st_uid, closed.st_mode & 0o7777) == (0, 0o700)

    renumbered(monkeypatch, {"tbot-bot": 60011}, {"tbot-state": 60012})
    owners.give_back(layout)
    assert [(each.lstat().st_uid, each.lstat().st_gid) for each in (path, link)] == [(60011, 60012)] * 2
    assert path.stat().st_mode & 0o7777 == 0o2640
    assert os.stat("/etc/passwd").st_uid == 0
    assert not (layout.state / ".owners.json").exists()


def test_two_users_that_swapped_their_numbers_keep_their_files_apart(layout, monkeypatch):
    for name, number in (("a", 60001), ("b", 60002)):
        (layout.state / name).write_text("")
        os.chown(layout.state / name, number, 0)
    renumbered(monkeypatch, {"tbot-bot": 60001, "tbot-keys": 60002}, {})
    owners.put_aside(layout)
    renumbered(monkeypatch, {"tbot-bot": 60002, "tbot-keys": 60001}, {})
    owners.give_back(layout)
    assert [(layout.state / name).stat().st_uid for name in "ab"] == [60002, 60001]


def test_a_record_that_is_not_roots_is_not_believed(layout):
    record = layout.state / ".owners.json"
    record.write_text(json.dumps({"users": {"tbot-bot": 0}, "groups": {}}))
    os.chown(record, 60001, 60001)
    with pytest.raises(InstallRefused, match="is not root's"):
        owners.give_back(layout)
