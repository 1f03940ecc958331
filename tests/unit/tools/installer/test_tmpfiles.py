"""Folders against the tmpfiles.d lines that made them."""

import os

import pytest

from tools.installer.tmpfiles import entries, faults_against

TEXT = """\
# comment
d {folder} 2770 root root -
d {folder}/gone 0700 root root -
z {folder} 0700 root root -
f {folder}/file 0644 root root -
x /tmp/tbot*
"""


def test_only_folders_with_a_mode_and_an_owner_are_looked_at():
    found = list(entries(TEXT.format(folder="/srv/a")))
    assert [(str(entry.path), oct(entry.mode), entry.user) for entry in found] == [
        ("/srv/a", "0o2770", "root"),
        ("/srv/a/gone", "0o700", "root"),
    ]


@pytest.mark.root
def test_what_is_missing_or_has_another_owner_or_mode_is_named_with_its_cure(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 60001, 0)
    folder.chmod(0o755)
    assert [(fault.words, fault.cure) for fault in faults_against(TEXT.format(folder=folder))] == [
        (f"{folder} belongs to 60001:0, not root:root", f"chown root:root {folder}"),
        (f"{folder} has mode 755, not 2770", f"chmod 2770 {folder}"),
        (f"{folder}/gone is missing", "systemd-tmpfiles --create"),
    ]


@pytest.mark.root
def test_folders_as_they_were_made_have_no_fault(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "gone").mkdir(mode=0o700)
    folder.chmod(0o2770)
    os.chown(folder / "gone", 0, 0)
    assert list(faults_against(TEXT.format(folder=folder))) == []
