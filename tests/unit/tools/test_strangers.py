"""Tools run by a user who may not look at the state say so, in words."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tools import build_check, verify_audit

NOBODY = 65534

pytestmark = pytest.mark.root


def as_nobody(body: Callable[[], int]) -> int:
    """The exit code of `body`, run in a child without rights; 99 when it raised."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            code = body()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    paths = Paths((tmp_path / "root").resolve())
    monkeypatch.setenv("TBOT_ROOT", str(paths.root))
    writer = AuditWriter(paths, SystemClock())
    writer.record("login", "ada", {})
    writer.close()
    paths.root.chmod(0o700)
    return paths


def test_an_audit_log_that_may_not_be_read_is_not_checked_rather_than_bad(closed: Paths) -> None:
    assert as_nobody(lambda: verify_audit.main([])) == verify_audit.NOT_CHECKED
    assert verify_audit.main([]) == verify_audit.OK


def test_the_build_check_of_a_closed_folder_finds_problems_and_does_not_break(closed: Paths) -> None:
    assert as_nobody(build_check.main) == 1
