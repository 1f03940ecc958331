from pathlib import Path

import pytest

from tbot_bot.backup.recovery import backup_keys, confirm, new_recovery_key
from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths

CLOCK = SystemClock()


def test_the_drill_key_may_come_from_systemd_instead_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(tmp_path / "root")
    record = confirm(paths, new_recovery_key(), "ada", CLOCK.now())
    before = backup_keys(paths)
    folder = tmp_path / "credentials"
    folder.mkdir()
    (paths.recovery / f"{record.fingerprint}.drill.key").rename(folder / "tbot.drill.key")
    with pytest.raises(SecretUnavailable):
        backup_keys(paths)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert backup_keys(paths) == before
