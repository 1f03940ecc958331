from pathlib import Path

import pyrage
import pytest

from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_chain import head_file
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
    assert verify_audit.main([]) == 0
    assert "records 1 to 3" in capsys.readouterr().out


def test_the_first_bad_record_is_named(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    paths.audit_log.write_bytes(paths.audit_log.read_bytes().replace(b"ada", b"eve"))

    assert verify_audit.main([]) == 1
    assert "record 1 " in capsys.readouterr().out


def test_a_damaged_head_is_bad(paths: Paths) -> None:
    head_file(paths).write_bytes(b"x")

    assert verify_audit.main([]) == 1


def test_a_torn_line_is_mentioned_and_no_fault(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    with paths.audit_log.open("ab") as file:
        file.write(b"{")

    assert verify_audit.main([]) == 0
    assert "1 bytes" in capsys.readouterr().out


def _sealed(paths: Paths, tmp_path: Path) -> Path:
    """Seals the first key; returns a file with the recovery key as the page shows it, in groups."""
    identity = pyrage.x25519.Identity.generate()
    writer = AuditWriter(paths, SystemClock())
    writer.seal_first_key(str(identity.to_public()))
    writer.close()
    text = str(identity).removeprefix("AGE-SECRET-KEY-1").lower()
    groups = " ".join(text[place : place + 6] for place in range(0, len(text), 6))
    kept = tmp_path / "recovery.txt"
    kept.write_text(f"# made on Monday\nAGE-SECRET-KEY-1\n{groups}\n")
    kept.chmod(0o600)
    return kept


def test_once_sealed_it_says_that_signatures_need_the_recovery_key(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = _sealed(paths, tmp_path)

    assert verify_audit.main([]) == 0
    assert "signatures need --recovery-file" in capsys.readouterr().out
    assert verify_audit.main(["--recovery-file", str(kept)]) == 0
    assert "records 1 to 4" in (said := capsys.readouterr().out)
    assert "every signature" in said


def test_a_recovery_file_that_others_can_read_is_refused(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = _sealed(paths, tmp_path)
    kept.chmod(0o640)

    assert verify_audit.main(["--recovery-file", str(kept)]) == 2
    assert "chmod 600" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "# nothing\n", "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1QQ", "age1abc"])
def test_what_is_no_recovery_key_checks_nothing(
    paths: Paths, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = _sealed(paths, tmp_path)
    kept.write_text(content)

    assert verify_audit.main(["--recovery-file", str(kept)]) == 2
    assert verify_audit.main(["--recovery-file", str(tmp_path / "none")]) == 2
    assert "not checked" in capsys.readouterr().out


def test_an_anchor_from_the_journal_shows_a_cut(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_audit.main(["--anchor", f"9:{'0' * 64}"]) == 1
    assert "saw record 9: the end was cut off" in capsys.readouterr().out
    assert verify_audit.main(["--anchor", "nine"]) == 2


def test_a_log_elsewhere_is_checked_beside_its_own_head(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TBOT_ROOT", str(tmp_path / "other"))

    assert verify_audit.main([]) == 1
    assert verify_audit.main(["--log", str(paths.audit_log)]) == 0
