"""The journal's own protocol, read from a real socket as journald reads it."""

import logging
import os
import select
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tbot_bot.support import journal, logs

CANARY = "s3cr3t-c4n4ry-of-the-journal"


class Journald:
    """The receiving end: datagrams, and sealed memory for those that are too large."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "socket")
        self.stdout = folder / "stdout"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.settimeout(2)
        self.large = 0

    def entry(self) -> dict[str, str]:
        data, handles, _, _ = socket.recv_fds(self._socket, 1 << 20, 1)
        if handles:
            self.large += 1
            with os.fdopen(handles[0], "rb") as file:
                file.seek(0)
                data = file.read()
        return _fields(data)

    def drain(self) -> int:
        """Read what waits; how many entries that were."""
        seen = 0
        while select.select([self._socket], [], [], 0.1)[0]:
            self.entry()
            seen += 1
        return seen

    def close(self) -> None:
        self._socket.close()


def _fields(data: bytes) -> dict[str, str]:
    found = {}
    while data:
        name, _, data = data.partition(b"\n")
        assert b"=" not in name
        (size,) = struct.unpack("<Q", data[:8])
        assert data[8 + size : 9 + size] == b"\n"
        found[name.decode()] = data[8 : 8 + size].decode()
        data = data[9 + size :]
    return found


@pytest.fixture
def journald(monkeypatch: pytest.MonkeyPatch) -> Iterator[Journald]:
    """Logging of this process as under systemd: stdout is a file whose device and inode JOURNAL_STREAM names."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    with tempfile.TemporaryDirectory(prefix="tb-") as folder:
        made = Journald(Path(folder))
        with made.stdout.open("w") as out:
            facts = os.fstat(out.fileno())
            monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino}")
            monkeypatch.setattr(sys, "stdout", out)
            monkeypatch.setattr(journal, "SOCKET", made.address)
            logs.add_secret(CANARY)
            logs.configure("bot")
            yield made
            root.handlers[0].close()
        made.close()
    root.handlers[:] = before
    root.setLevel(level)


def test_fields_and_level_arrive_as_the_journals_own(journald: Journald) -> None:
    logs.get_logger("x").error("waiting", extra={"fields": {"why": "no broker", "tries": 3, "of-list": ["a", 1]}})
    found = journald.entry()
    assert found["MESSAGE"] == 'waiting why=no broker tries=3 of-list=["a", 1]'
    assert (found["PRIORITY"], found["SYSLOG_IDENTIFIER"], found["TBOT_EVENT"]) == ("3", "tbot-bot", "waiting")
    assert (found["TBOT_WHY"], found["TBOT_TRIES"], found["TBOT_OF_LIST"]) == ("no broker", "3", '["a", 1]')
    assert journald.stdout.read_text() == ""


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.INFO, "6"), (logging.WARNING, "4"), (logging.ERROR, "3"), (logging.CRITICAL, "2")],
)
def test_levels_are_syslogs(journald: Journald, level: int, priority: str) -> None:
    logs.get_logger("x").log(level, "it happened")
    assert journald.entry()["PRIORITY"] == priority


def test_a_line_end_begins_no_field(journald: Journald) -> None:
    logs.get_logger("x").info("bad\nPRIORITY=0", extra={"fields": {"a\nUSER=root": "x\nMESSAGE=forged"}})
    found = journald.entry()
    assert (found["PRIORITY"], found["TBOT_A_USER_ROOT"]) == ("6", "x\nMESSAGE=forged")
    assert "forged" in found["MESSAGE"]
    assert found["MESSAGE"].startswith("bad\nPRIORITY=0")


def test_secrets_are_hidden_as_on_stdout(journald: Journald) -> None:
    fields = {"api_key": "unregistered", "b": CANARY}
    try:
        int(f"boom {CANARY}")
    except ValueError:
        logs.get_logger("x").exception(f"a {CANARY}", extra={"fields": fields})
    found = journald.entry()
    assert CANARY not in str(found)
    assert found["TBOT_API_KEY"] == logs.REDACTED
    assert "unregistered" not in str(found)
    assert "ValueError" in found["TBOT_ERROR"]
    assert "ValueError" in found["MESSAGE"]


def test_an_entry_of_megabytes_goes_as_sealed_memory(journald: Journald) -> None:
    logs.get_logger("x").info("large", extra={"fields": {"text": "ä" * 3_000_000}})
    assert len(journald.entry()["TBOT_TEXT"]) == 3_000_000
    assert journald.large == 1


def test_the_end_of_the_audit_log_is_a_field_of_its_own(journald: Journald) -> None:
    logs.get_logger("x").info("audit head", extra={"fields": {"seq": 7, "hash": "ab" * 32}})
    found = journald.entry()
    assert (found["TBOT_SEQ"], found["TBOT_HASH"]) == ("7", "ab" * 32)


def test_without_a_journal_the_line_goes_to_stdout(journald: Journald) -> None:
    Path(journald.address).unlink()
    logs.get_logger("x").error("still said")
    assert '"still said"' in journald.stdout.read_text()


def test_a_journal_that_takes_nothing_holds_nobody_up(journald: Journald) -> None:
    began = time.monotonic()
    for number in range(1500):
        logs.get_logger("x").info("much", extra={"fields": {"number": number}})
    # Were each line to wait for the journal's patience, it would be minutes.
    assert time.monotonic() - began < 60
    seen = journald.drain()
    assert 0 < seen < 1500
    logs.get_logger("x").info("after it")
    assert int(journald.entry()["TBOT_LINES_LOST_BEFORE"]) == 1500 - seen


def test_another_stdout_than_the_journals_gets_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setenv("JOURNAL_STREAM", "1:1")
        assert not journal.is_journal(out)
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not journal.is_journal(out)
    assert not journal.is_journal(out)
