"""strace at a forked child: recorded, killed, failed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import need_strace
from tools.faults.calls import read_calls
from tools.faults.forked import Say
from tools.faults.strace import inject, record

pytestmark = pytest.mark.slow
"""It forks, which only a process without threads should."""


def writing(path: Path) -> Callable[[Say], Callable[[], None]]:
    def begin(say: Say) -> Callable[[], None]:
        def act() -> None:
            try:
                path.write_text("one")
                path.rename(path.with_name("renamed"))
            except OSError as error:
                say({"ok": False, "errno": error.errno})
            else:
                say({"ok": True})

        return act

    return begin


def test_a_recording_holds_the_calls_and_what_was_answered(tmp_path: Path) -> None:
    need_strace()
    at_gate: list[bool] = []
    ended = record(writing(tmp_path / "a"), tmp_path / "trace", lambda: at_gate.append((tmp_path / "a").exists()))
    calls = read_calls((tmp_path / "trace").read_text(), str(tmp_path))

    assert (ended.status, ended.said, at_gate) == (0, ({"ok": True},), [False])
    assert [call.name for call in calls if call.mutates] == ["openat", "write", "close", "rename"]
    assert calls[-1].data == b'{"ok": true}\n'


def test_killed_at_the_entry_of_a_call_it_has_not_made_it(tmp_path: Path) -> None:
    need_strace()
    ended, hit = inject(writing(tmp_path / "a"), "rename", "signal=KILL", "1", tmp_path / "notes")

    assert (ended.status, bool(hit)) == (-signal.SIGKILL, True)
    assert (tmp_path / "a").read_text() == "one"


def test_an_error_is_answered_instead_of_the_call(tmp_path: Path) -> None:
    need_strace()
    ended, hit = inject(writing(tmp_path / "a"), "rename", "error=ENOSPC", "1", tmp_path / "notes")

    assert (ended.said, hit) == (({"ok": False, "errno": 28},), 1)
    assert sorted(os.listdir(tmp_path)) == ["a", "notes"]


def test_a_call_that_never_comes_is_not_counted_as_hit(tmp_path: Path) -> None:
    need_strace()
    ended, hit = inject(writing(tmp_path / "a"), "rename", "error=ENOSPC", "2", tmp_path / "notes")

    assert (ended.said, hit) == (({"ok": True},), 0)
