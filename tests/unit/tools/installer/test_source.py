"""What a release is made of."""

import subprocess
from pathlib import Path

import pytest

from tbot_bot.support.path_resolver import CODE_ROOT
from tools.installer.faults import InstallRefused
from tools.installer.source import PACKAGES, STATE, TEXTS, files_of, version_of


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in (*TEXTS, "tbot_bot/a.py", "tbot_web/templates/a.html", "tools/a.sh", "systemd/tbot.target"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("v2.3.4\n")
    return tmp_path


def test_state_keys_and_caches_of_a_checkout_that_ran_are_left_out(source):
    left_out = [
        "tbot_bot/storage/gen/00000001/keys/login.key",
        "tbot_bot/storage/odd.py",
        "tbot_bot/core/databases/SYSTEM_USERS.db",
        "tbot_bot/__pycache__/a.cpython-311.pyc",
        "tbot_bot/.env_bot",
        "tbot_bot/broker.key",
        "control/bot_state.txt",
        "systemd/notes.txt",
    ]
    for name in left_out:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    assert {str(name) for name in files_of(source)} == {
        *TEXTS,
        "tbot_bot/a.py",
        "tbot_web/templates/a.html",
        "tools/a.sh",
        "systemd/tbot.target",
    }


def test_a_link_among_the_code_is_refused(source):
    (source / "tbot_bot/b.py").symlink_to("/etc/passwd")
    with pytest.raises(InstallRefused, match="is a link"):
        files_of(source)


def test_a_part_of_a_checkout_is_refused(source):
    (source / "requirements/base.txt").unlink()
    with pytest.raises(InstallRefused, match=r"requirements/base.txt is missing"):
        files_of(source)


def test_the_version_is_that_of_version_md(source):
    assert version_of(source) == "2.3.4"
    (source / "VERSION.md").write_text("next\n")
    with pytest.raises(InstallRefused, match="names no version"):
        version_of(source)


def test_every_file_of_the_packages_under_version_control_belongs_to_a_release():
    listed = subprocess.run(["git", "ls-files", "systemd", *PACKAGES], cwd=CODE_ROOT, capture_output=True, text=True)
    tracked = {Path(line) for line in listed.stdout.splitlines()}
    assert not {name for name in tracked - set(files_of(CODE_ROOT)) if not any(map(name.is_relative_to, STATE))}
