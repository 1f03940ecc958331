"""systemd's journal, spoken to in its own protocol, so that each field of a log line is one of the journal's.

`journalctl -u tbot-bot -o json` then shows TBOT_EVENT, TBOT_SYMBOL and so on, and `-p err` and `-f TBOT_…=` find them.
Source of the protocol: systemd.io/JOURNAL_NATIVE_PROTOCOL."""

import json
import logging
import os
import re
import socket
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

SOCKET = "/run/systemd/journal/socket"
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.DEBUG, 7),
)
_NOT_OURS = re.compile(r"[^A-Z0-9_]")
_LONGEST_NAME = 64


class Rows(Protocol):
    """What makes a log record a JSON object without secrets."""

    def entry(self, record: logging.LogRecord) -> dict[str, Any]: ...


def is_journal(stream: TextIO, variable: str) -> bool:
    """Whether `stream` leads to the journal: systemd says which file that is in $JOURNAL_STREAM (device:inode)."""
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return variable == f"{facts.st_dev}:{facts.st_ino}"


def datagram(row: Mapping[str, Any], level: int, unit: str) -> bytes:
    """One journal entry: MESSAGE for people, PRIORITY, and every field of `row` as TBOT_NAME."""
    rest = " ".join(f"{name}={_text(value)}" for name, value in row.items() if name not in _IN_MESSAGE)
    fields = {
        "MESSAGE": f"{row['event']} {rest}".rstrip(),
        "PRIORITY": str(next((number for floor, number in _PRIORITIES if level >= floor), 7)),
        "SYSLOG_IDENTIFIER": f"tbot-{unit}",
        **{_name(name): _text(value) for name, value in row.items()},
    }
    return b"".join(_field(name, value) for name, value in fields.items())


_IN_MESSAGE = frozenset({"at", "level", "unit", "event"})


def _name(name: str) -> str:
    return f"TBOT_{_NOT_OURS.sub('_', name.upper())}"[:_LONGEST_NAME]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"


class JournalHandler(logging.Handler):
    """Sends entries to the journal; what it does not take (too large, or it is gone) goes to `other` instead."""

    def __init__(self, unit: str, rows: Rows, other: logging.Handler, path: str = SOCKET) -> None:
        super().__init__()
        self._unit, self._rows, self._other, self._path = unit, rows, other, path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(True)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._socket.sendto(datagram(self._rows.entry(record), record.levelno, self._unit), self._path)
        except (OSError, TypeError, ValueError):
            self._other.handle(record)

    def close(self) -> None:
        self._socket.close()
        super().close()
