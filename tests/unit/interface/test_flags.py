import errno
import os
from pathlib import Path

import pytest

from tbot_bot.domain.session import BotState
from tbot_bot.interface import root
from tbot_bot.interface.flags import request_kill, request_stop
from tbot_bot.interface.state import current_state
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile


def test_stop_and_kill_are_files_that_say_who(tmp_path: Path) -> None:
    paths = Paths(tmp_path)

    request_stop(paths, "ada")
    request_kill(paths, "ada", "looks wrong")

    assert b"ada" in paths.stop_flag.read_bytes()
    assert b"looks wrong" in paths.kill_flag.read_bytes()


def test_asking_twice_is_success_and_keeps_the_first(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    request_kill(paths, "ada", "first")
    request_kill(paths, "bob", "second")

    assert b"first" in paths.kill_flag.read_bytes()


def test_a_full_disk_does_not_stop_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)

    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    request_kill(paths, "ada", "now")

    assert paths.kill_flag.exists()


def test_an_unknown_state_is_none(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert current_state(paths) is None

    StateFile(paths, SystemClock()).initialize("test")
    assert current_state(paths) is BotState.INITIALIZE
    paths.bot_state.write_bytes(b"nonsense\n")
    assert current_state(paths) is None


def test_the_root_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TBOT_ROOT", str(tmp_path))

    assert root() == Paths(tmp_path.resolve())
