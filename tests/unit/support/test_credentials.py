from pathlib import Path

import pytest

from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.credentials import RUNNER_KEY, credential
from tbot_bot.support.sealing import load_or_create_private_key, public_bytes


@pytest.fixture
def handed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_what_is_handed_over_is_read_and_nothing_else(handed: Path) -> None:
    (handed / "tbot.runner.key").write_bytes(b"x")
    (handed / "link").symlink_to(handed / "tbot.runner.key")
    assert (credential(RUNNER_KEY), credential("another")) == (b"x", None)
    with pytest.raises(OSError):
        credential("link")


def test_without_systemd_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert credential(RUNNER_KEY) is None


def test_the_runner_uses_the_key_that_systemd_unwrapped_and_writes_none(handed: Path, tmp_path: Path) -> None:
    made = load_or_create_private_key(tmp_path / "a" / "runner.key")
    (tmp_path / "a" / "runner.key").rename(handed / RUNNER_KEY)
    again = load_or_create_private_key(tmp_path / "a" / "runner.key")
    assert public_bytes(again) == public_bytes(made)
    assert not (tmp_path / "a" / "runner.key").exists()


def test_a_file_in_the_state_folder_comes_before_the_credential(handed: Path, tmp_path: Path) -> None:
    made = load_or_create_private_key(tmp_path / "runner.key")
    (handed / RUNNER_KEY).write_bytes(b"y" * 32)
    assert public_bytes(load_or_create_private_key(tmp_path / "runner.key")) == public_bytes(made)


def test_a_damaged_credential_is_named_and_replaced_by_nothing(handed: Path, tmp_path: Path) -> None:
    (handed / RUNNER_KEY).write_bytes(b"short")
    with pytest.raises(SecretUnavailable, match=RUNNER_KEY):
        load_or_create_private_key(tmp_path / "runner.key")
    assert not (tmp_path / "runner.key").exists()
