import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.logs import add_secret
from tbot_bot.support.path_resolver import Paths

CLOCK = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))


def test_an_event_is_a_file_without_secrets(tmp_path: Path) -> None:
    add_secret("very-secret-value")
    AuditDrop(Paths(tmp_path), CLOCK).record("armed", "bot", {"why": "very-secret-value"})

    (path,) = Paths(tmp_path).audit_inbox.iterdir()
    row = json.loads(path.read_bytes())

    assert (row["event"], row["actor"], row["at"]) == ("armed", "bot", "2026-01-05T14:30:00+00:00")
    assert "very-secret" not in path.read_text()


def test_what_cannot_be_recorded_is_said(tmp_path: Path) -> None:
    Paths(tmp_path).storage.parent.mkdir()
    Paths(tmp_path).storage.write_bytes(b"in the way")

    with pytest.raises(AuditUnavailable):
        AuditDrop(Paths(tmp_path), CLOCK).record("armed", "bot", {})


def test_words_that_name_a_secret_leave_the_event_readable(tmp_path: Path) -> None:
    detail = {"uses": {"login": {"decrypt ok: check a password": 3}}, "changed": {"BROKER_API_KEY": ["#0a1b2c3d", ""]}}
    AuditDrop(Paths(tmp_path), CLOCK).record("key_use", "bot", detail)

    (path,) = Paths(tmp_path).audit_inbox.iterdir()

    assert json.loads(path.read_bytes())["detail"] == detail
