"""Log records to systemd's journal in its own protocol, so that levels and fields arrive as such.

`journalctl -u tbot-bot -o json` has them as TBOT_*, and `-p err` finds errors. MESSAGE is what a reader of plain
`journalctl` sees: the event, and the fields behind it."""

import array
import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

SOCKET = "/run/systemd/journal/socket"
_BUFFER = 8 * 1024 * 1024
_PATIENCE = 0.5
_SULK = 10.0
"""Seconds for which nothing waits again for a journal that took nothing: a hung one must not hold a trading loop up."""
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7
_NOT_IN_NAMES = re.compile(r"[^A-Z0-9_]")
_LONGEST_NAME = 64
_IN_MESSAGE = ("at", "level", "unit", "event", "error")
"""Fields that MESSAGE has by itself, or that every line of the journal has anyway."""


def is_journal(stream: TextIO) -> bool:
    """Whether `stream` is the one that the service manager connected to the journal."""
    told = os.environ.get("JOURNAL_STREAM", "")
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return told == f"{facts.st_dev}:{facts.st_ino}"


class JournalHandler(logging.Handler):
    """Sends each record as one datagram; where that fails, `fallback` writes it to the stream instead."""

    def __init__(
        self,
        unit: str,
        entry: Callable[[logging.LogRecord], Mapping[str, Any]],
        fallback: logging.Handler,
        address: str,
    ) -> None:
        """`entry`: a record as redacted fields."""
        super().__init__()
        self._unit = unit
        self._entry = entry
        self._fallback = fallback
        self._address = address
        self._sulks_until = 0.0
        self._lost = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            row = self._entry(record)
            data = datagram(self._unit, record.levelno, row, self._lost)
        except (TypeError, ValueError):
            self._fallback.handle(record)  # which says that it cannot be written
            return
        self._socket.settimeout(_PATIENCE if time.monotonic() >= self._sulks_until else 0.0)
        try:
            _send(self._socket, data, self._address)
        except (TimeoutError, BlockingIOError):
            # The stream leads to the same journal: to write there would wait without an end.
            self._lost += 1
            self._sulks_until = time.monotonic() + _SULK
        except OSError:
            self._fallback.handle(record)
        else:
            self._lost = 0

    def close(self) -> None:
        self._socket.close()
        super().close()


def datagram(unit: str, level: int, row: Mapping[str, Any], lost: int = 0) -> bytes:
    """One entry of the journal. `lost`: how many before it did not arrive."""
    fields = {
        "MESSAGE": _message(row),
        "PRIORITY": str(next((number for least, number in _PRIORITIES if level >= least), _DEBUG)),
        "SYSLOG_IDENTIFIER": f"tbot-{unit}",
        **{_name(name): _text(value) for name, value in row.items()},
    }
    if lost:
        fields["TBOT_LINES_LOST_BEFORE"] = str(lost)
    return b"".join(_field(name, value) for name, value in fields.items())


def _message(row: Mapping[str, Any]) -> str:
    words = [str(row.get("event", "")), *(f"{k}={_text(v)}" for k, v in row.items() if k not in _IN_MESSAGE)]
    line = " ".join(words)
    return f"{line}\n{row['error']}" if row.get("error") else line


def _name(field: str) -> str:
    return f"TBOT_{_NOT_IN_NAMES.sub('_', field.upper())}"[:_LONGEST_NAME]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _field(name: str, value: str) -> bytes:
    """A value is told by its length, so that no line end in it can begin another field."""
    data = value.encode("utf-8", "backslashreplace")
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


def _send(channel: socket.socket, data: bytes, address: str) -> None:
    try:
        channel.sendto(data, address)
    except OSError as error:
        if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS) or sys.platform != "linux":
            raise
        _send_large(channel, data, address)


def _send_large(channel: socket.socket, data: bytes, address: str) -> None:
    """What is too large for a datagram goes as a sealed piece of memory whose descriptor is sent."""
    handle = os.memfd_create("tbot-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(data)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]).tobytes())
        channel.sendmsg([], [rights], 0, address)
    finally:
        os.close(handle)
