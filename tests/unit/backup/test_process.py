"""The backup process itself, killed at any moment."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.backup import shelf
from tbot_bot.backup.maker import verify
from tbot_bot.backup.recovery import backup_keys
from tbot_bot.support.path_resolver import ROOT_VARIABLE
from tools.child import end, start_python

MODULE = "tbot_bot.runtime.backup"


def run(rig: Any, output: Path, *options: str) -> Any:
    return start_python(["-m", MODULE, *options], output, {ROOT_VARIABLE: str(rig.paths.root)})


def killed(rig: Any, process: Any, after: float) -> bool:
    """Whether it was still at work `after` seconds into its backup, when it was killed."""
    rig.until(lambda: (rig.paths.backups / ".work").exists() or process.poll() is not None, 30)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    return bool(process.wait(10) == -signal.SIGKILL)


@pytest.mark.slow
def test_whenever_it_is_killed_no_file_with_a_backups_name_is_half(rig: Any, tmp_path: Path) -> None:
    output, keys = tmp_path / "out", backup_keys(rig.paths)
    assert keys is not None
    # Large enough that encrypting it takes a moment.
    rig.paths.alerts_log.write_bytes(b'{"level":"routine"}\n' * 2_000_000)
    died = 0
    for number in range(14):
        died += killed(rig, run(rig, output), 0.04 * number)
        for path in shelf.on_shelf(rig.paths):
            verify(path, keys.drill, keys.mac_key)
    assert died > 5
    process = run(rig, output)
    assert process.wait(60) == 0, output.read_text()
    left = [path.name for path in rig.paths.backups.iterdir()]
    assert not [name for name in left if name.endswith(".tmp") or name == ".work"]
    assert shelf.newest(rig.paths) is not None


@pytest.mark.slow
def test_it_makes_what_is_asked_for_and_two_do_not_run(rig: Any, tmp_path: Path) -> None:
    first = run(rig, tmp_path / "first", "--watch")
    try:
        rig.until(lambda: rig.published("backups").get("drill", {}).get("ok"), 60)
        second = run(rig, tmp_path / "second")
        assert second.wait(30) == 71
        assert "already runs" in (tmp_path / "second").read_text()
        names = [path.name for path in shelf.on_shelf(rig.paths)]
        assert rig.ask("backup_now").ok
        rig.until(
            lambda: len(rig.published("backups")["backups"]) > 0 and shelf.on_shelf(rig.paths)[0].name != names[0], 60
        )
    finally:
        end(first)
    written = (tmp_path / "first").read_text()
    assert rig.identity not in written
    assert "canary-of-the-broker" not in written
    drilled = run(rig, tmp_path / "drill", "--drill")
    assert drilled.wait(60) == 0, (tmp_path / "drill").read_text()


@pytest.mark.slow
def test_one_shot_it_serves_what_was_asked_for(rig: Any, tmp_path: Path) -> None:
    assert rig.ask("drill_now").ok
    assert len(list(rig.paths.job_folder("backup").glob("*.job"))) == 2
    process = run(rig, tmp_path / "out")
    assert process.wait(60) == 0, (tmp_path / "out").read_text()
    assert list(rig.paths.job_folder("backup").glob("*.job")) == []
    assert rig.published("backups")["drill"]["ok"]
    made = shelf.on_shelf(rig.paths)
    assert rig.ask("drill_now").ok
    assert run(rig, tmp_path / "again").wait(60) == 0
    assert shelf.on_shelf(rig.paths) == made
