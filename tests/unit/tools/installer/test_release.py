"""Releases beside one another: whole, known by their manifest, removed without a half one left."""

import os

import pytest

from tests.unit.tools.installer.rig import a_layout, a_release
from tools.installer import files
from tools.installer.faults import InstallRefused
from tools.installer.release import adopt, current_release, faults_of, read_release, remove_releases


@pytest.fixture
def layout(tmp_path):
    return a_layout(tmp_path)


def test_a_release_is_compared_with_its_manifest_file_by_file(layout):
    folder = a_release(layout).folder(layout)
    assert faults_of(folder) == ()
    (folder / "tbot_bot/__init__.py").write_text("import evil\n")
    (folder / "tbot_bot/more.py").write_text("")
    (folder / "release.json").unlink()
    assert [fault.removeprefix(f"{folder}/") for fault in faults_of(folder)] == [
        "release.json is missing",
        "tbot_bot/more.py does not belong there",
        "tbot_bot/__init__.py was changed",
    ]


def test_what_a_killed_build_left_is_no_release(layout):
    folder = a_release(layout).folder(layout)
    (folder / "MANIFEST.sha256").unlink()
    assert read_release(folder) is None
    assert current_release(layout) is None


def test_a_packaged_release_is_taken_over_and_stays_when_the_package_replaces_its_files(layout):
    packaged = layout.home / "packaged"
    release = a_release(layout, place=packaged)
    assert adopt(layout, packaged) == release
    (packaged / "tbot_bot/__init__.py").unlink()
    assert faults_of(release.folder(layout)) == ()


def test_a_folder_without_a_release_is_not_taken_over(layout):
    with pytest.raises(InstallRefused, match="holds no complete release"):
        adopt(layout, layout.home / "packaged")


def test_only_the_releases_that_are_named_are_removed(layout):
    names = [a_release(layout, name).name for name in ("1.0.0+a", "1.0.0+b", "1.1.0+c")]
    remove_releases(layout, {names[0], "0.9.0+gone"})
    assert sorted(os.listdir(layout.releases)) == names[1:]


def test_what_is_settled_can_be_read_by_all_and_written_by_its_owner_alone(tmp_path):
    (tmp_path / "a").mkdir(mode=0o700)
    (tmp_path / "a/program").write_text("")
    (tmp_path / "a/program").chmod(0o4770)
    (tmp_path / "a/text").write_text("")
    (tmp_path / "a/text").chmod(0o666)
    files.settle(tmp_path)
    modes = {path.name: oct(path.stat().st_mode & 0o7777) for path in files.walk(tmp_path)}
    assert modes == {"a": "0o755", "program": "0o755", "text": "0o644"}


@pytest.mark.root
def test_code_below_a_folder_that_others_may_write_is_refused(tmp_path):
    place = tmp_path / "open" / "tbot"
    place.mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(InstallRefused, match=r"open can be written by others"):
        files.require_trusted(place)
    os.chown(place, 1, 1)
    with pytest.raises(InstallRefused, match="belongs to user 1, not to root"):
        files.require_trusted(place)
