from pathlib import Path

import pytest

from tbot_bot.reporting.audit import AuditWriter, head_file
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tools import verify_audit


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("TBOT_ROOT", str(tmp_path))
    made = Paths(tmp_path.resolve())
    writer = AuditWriter(made, SystemClock())
    for _ in range(3):
        writer.record("login", "ada", {})
    writer.close()
    return made


def test_a_true_log_is_ok(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_audit.main() == 0
    assert "records 1 to 3" in capsys.readouterr().out


def test_the_first_bad_record_is_named(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    paths.audit_log.write_bytes(paths.audit_log.read_bytes().replace(b"ada", b"eve"))

    assert verify_audit.main() == 1
    assert "record 1 " in capsys.readouterr().out


def test_a_damaged_head_is_bad(paths: Paths) -> None:
    head_file(paths).write_bytes(b"x")

    assert verify_audit.main() == 1


def test_a_torn_line_is_mentioned_and_no_fault(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    with paths.audit_log.open("ab") as file:
        file.write(b"{")

    assert verify_audit.main() == 0
    assert "1 bytes" in capsys.readouterr().out
