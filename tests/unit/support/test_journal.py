import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tbot_bot.support.journal import JournalHandler, datagram, is_journal
from tbot_bot.support.logs import JsonFormatter, LineHandler, add_secret


def fields(data: bytes) -> dict[str, str]:
    """Read as the journal reads: NAME=value lines, or NAME, length and bytes."""
    found = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + length], rest[9 + length :]
        found[name.decode()] = value.decode()
        data = rest
    return found


def record(text: str, level: int = logging.INFO, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("tbot.x", level, "x.py", 1, text, None, None)
    made.fields = more
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.settimeout(2)
        yield listener


def handler(tmp_path: Path) -> JournalHandler:
    rows = JsonFormatter("bot")
    other = LineHandler(sys.stdout)
    other.setFormatter(rows)
    return JournalHandler("bot", rows, other, str(tmp_path / "socket"))


def test_every_field_of_a_line_is_one_of_the_journals(journal: socket.socket, tmp_path: Path) -> None:
    made = handler(tmp_path)
    made.emit(record("order", symbol="XYZ", size=10, client_id="a-1"))
    made.close()
    entry = fields(journal.recv(10_000))
    assert entry["MESSAGE"] == "order symbol=XYZ size=10 client_id=a-1"
    assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("6", "tbot-bot")
    assert (entry["TBOT_EVENT"], entry["TBOT_SYMBOL"], entry["TBOT_SIZE"]) == ("order", "XYZ", "10")


def test_levels_become_the_priorities_that_journalctl_knows() -> None:
    levels = {logging.CRITICAL: "2", logging.ERROR: "3", logging.WARNING: "4", logging.INFO: "6", logging.DEBUG: "7"}
    assert {level: fields(datagram({"event": "x"}, level, "bot"))["PRIORITY"] for level in levels} == levels


def test_what_holds_line_ends_cannot_make_up_fields() -> None:
    entry = fields(datagram({"event": "x\nPRIORITY=0", "why": "a\nTBOT_UNIT=web"}, logging.INFO, "bot"))
    assert (entry["PRIORITY"], entry["TBOT_WHY"]) == ("6", "a\nTBOT_UNIT=web")
    assert "TBOT_UNIT" not in entry


def test_a_name_that_the_journal_would_refuse_becomes_one_it_takes() -> None:
    assert "TBOT_A_B_" in fields(datagram({"event": "x", "a-bé": 1}, logging.INFO, "bot"))


def test_secrets_do_not_reach_the_journal(journal: socket.socket, tmp_path: Path) -> None:
    add_secret("open-sesame-99")
    made = handler(tmp_path)
    made.emit(record("broker said open-sesame-99", detail="open-sesame-99", password="hunter2hunter2"))
    made.close()
    data = journal.recv(10_000)
    assert b"sesame" not in data
    assert b"hunter2" not in data


def test_what_the_journal_does_not_take_is_written_as_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = handler(tmp_path)
    made.emit(record("nobody listens"))
    made.close()
    assert "nobody listens" in capsys.readouterr().out


def test_only_the_very_stream_that_systemd_names_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        facts = os.fstat(out.fileno())
        assert is_journal(out, f"{facts.st_dev}:{facts.st_ino}")
        assert not is_journal(out, f"{facts.st_dev}:{facts.st_ino + 1}")
        assert not is_journal(out, "")
