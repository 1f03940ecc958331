"""What the doctor says of an installation below a folder."""

import os
import time

import pytest

from tests.unit.tools.installer.rig import a_layout, a_release
from tools.installer import files, placing
from tools.installer.doctor import Finding, examine, report
from tools.installer.upgrade import TAKEN_BACK, Journal
from tools.installer.upgrade import _write as write_journal


@pytest.fixture
def layout(tmp_path):
    return a_layout(tmp_path)


@pytest.fixture
def release(layout):
    made = a_release(layout)
    placing.place(layout, made)
    return made


def about(layout, subject):
    return [finding for finding in examine(layout) if finding.subject == subject]


def test_where_nothing_is_installed_it_says_how_to(layout):
    said = []
    assert report(layout, said.append) == 1
    assert said == [
        f"FIX code        nothing is installed in {layout.home}\n                → sudo make install",
        "1 thing wants mending",
    ]


def test_a_byte_that_changed_in_the_code_is_found(layout, release):
    (release.folder(layout) / "tbot_bot/__init__.py").write_text("import evil\n")
    found = [finding for finding in about(layout, "code") if "was changed" in finding.words]
    assert [finding.words for finding in found] == [f"{release.folder(layout)}/tbot_bot/__init__.py was changed"]
    assert "make install" in found[0].cure


def test_a_unit_that_was_edited_in_place_is_found(layout, release):
    assert [finding.cure for finding in about(layout, "units") if str(layout.library) in finding.words] == [""]
    unit = layout.library / "systemd/system/tbot.target"
    unit.write_text("[Unit]\nDescription=mine\n")
    assert f"{unit} is missing or was changed" in [finding.words for finding in about(layout, "units")]


def test_an_upgrade_that_was_taken_back_is_remembered_with_its_reason(layout, release):
    write_journal(layout, Journal(release.name, "2.0.0+b", TAKEN_BACK, (), "", "tbot-bot.service did not become ready"))
    words = "the one to 2.0.0+b was taken back: tbot-bot.service did not become ready"
    assert about(layout, "upgrade") == [Finding("upgrade", words)]


def test_old_backups_and_a_missing_universe_want_mending_once_it_is_set_up(layout, release):
    assert about(layout, "backup") == []
    storage = layout.state / "tbot_bot/storage"
    files.put_text(storage / "backups/tbot-20260101T000000Z.age", "")
    os.symlink("gen/00000001", storage / "current")
    now = time.clock_gettime(time.CLOCK_REALTIME)
    os.utime(storage / "backups/tbot-20260101T000000Z.age", (now - 3 * 86_400, now - 3 * 86_400))
    [backup], [universe] = about(layout, "backup"), about(layout, "universe")
    assert (backup.words, backup.cure != "") == ("tbot-20260101T000000Z.age is 72 hours old", True)
    assert (universe.words, universe.cure) == ("there is none", "systemctl start tbot-universe.service")
