"""What an upgrade asks for before it touches anything."""

import os

import pytest

from tests.unit.tools.installer.rig import a_layout
from tools.installer import files
from tools.installer.faults import InstallRefused
from tools.installer.upgrade import BEGUN, Journal, Wishes, back_up, newest_backup, read_journal


@pytest.fixture
def layout(tmp_path):
    return a_layout(tmp_path)


def provisioned(layout):
    files.make_folder(layout.state / "tbot_bot/storage/gen/00000001")
    os.symlink("gen/00000001", layout.state / "tbot_bot/storage/current")


def test_without_a_recovery_key_an_upgrade_asks_for_one_or_for_an_explicit_word(layout):
    provisioned(layout)
    said = []
    with pytest.raises(InstallRefused, match=r"Without a recovery key .* WITHOUT_BACKUP=yes"):
        back_up(layout, Wishes(), said.append)
    back_up(layout, Wishes(without_backup=True), said.append)
    assert said == ["no backup is made first, as you wish"]


def test_what_was_never_provisioned_needs_no_backup(layout):
    said = []
    back_up(layout, Wishes(), said.append)
    assert said == ["nothing is provisioned yet, so there is nothing to back up"]


def test_the_newest_backup_is_the_one_with_the_latest_name(layout):
    for name in ("tbot-20260101T000000Z.age", "tbot-20260102T000000Z.age", "mine.age"):
        files.put_text(layout.state / "tbot_bot/storage/backups" / name, "")
    newest = newest_backup(layout)
    assert newest is not None
    assert newest.name == "tbot-20260102T000000Z.age"


def test_a_damaged_journal_stops_the_installer_with_words(layout):
    files.put_text(layout.journal, '{"before": "1.0.0+a"')
    with pytest.raises(InstallRefused, match="is damaged"):
        read_journal(layout)
    layout.journal.unlink()
    assert read_journal(layout) is None
    files.put_text(
        layout.journal, '{"before": "a", "after": "b", "phase": "begun", "units": ["x"], "state": "", "why": ""}'
    )
    assert read_journal(layout) == Journal("a", "b", BEGUN, ("x",))
