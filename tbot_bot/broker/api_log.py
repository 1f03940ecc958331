"""Every request to a broker and every answer: JSON lines, redacted, UTC, with latency and request id, a file a day.

A thread of its own writes, so that no order waits for a disk; what cannot be written is counted, never waited for."""

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import LineLog, ensure_folder
from tbot_bot.support.logs import redact, redact_tree

MAX_DAY_BYTES = 50_000_000
KEPT_DAYS = 14
MAX_TEXT = 4_000
"""Of a body; the rest of a longer one is only counted."""
_QUEUED = 5_000
_REQUEST_IDS = ("X-Request-ID", "X-Request-Id", "X-Correlation-Id")
_log = logging.getLogger("tbot.api")


@dataclass(slots=True)
class Told:
    """What came of one request; an exception on the way is told as what it is."""

    status: int | None = None
    request_id: str = ""
    size: int = 0
    text: str = ""

    def answered(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.request_id = next((headers[name] for name in _REQUEST_IDS if name in headers), "")
        self.size = len(content)
        self.text = content[: MAX_TEXT + 1].decode("utf-8", "replace")


@dataclass(slots=True)
class _Files:
    """The file of the present day, and how much of it is used."""

    folder: Path
    day: str = ""
    used: int = 0
    log: LineLog | None = None


class ApiLog:
    """`folder` None: nothing is kept. `hidden`: values that are replaced wherever they occur, such as an account's
    number. `now`: the wall clock. Thread-safe."""

    def __init__(self, folder: Path | None, now: Clock, hidden: tuple[str, ...] = ()) -> None:
        self._now = now
        self._hidden = tuple(sorted((value for value in hidden if len(value) >= 4), key=len, reverse=True))
        self._files = _Files(folder) if folder is not None else None
        self._queue: queue.Queue[Callable[[], dict[str, Any]] | None] = queue.Queue(_QUEUED)
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()
        self.dropped = 0

    @contextmanager
    def exchange(self, method: str, url: str, params: Any = None, body: Any = None) -> Iterator[Told]:
        """One request; tell the answer to what this yields."""
        told, began, at = Told(), time.monotonic(), self._now.now()
        failed = ""
        try:
            yield told
        except BaseException as error:
            failed = type(error).__name__
            raise
        finally:
            took = time.monotonic() - began
            self._put(lambda: _exchange_row(at, took, method, url, params, body, told, failed))

    def note(self, what: str, **fields: Any) -> None:
        """Something that is no request: a connection, a message of a socket protocol."""
        at = self._now.now()
        self._put(lambda: {"at": _stamp(at), "kind": what, **fields})

    def close(self) -> None:
        """Write what waits, within two seconds."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            try:
                self._queue.put(None, timeout=1)
            except queue.Full:
                return
            writer.join(1)

    def _put(self, row: Callable[[], dict[str, Any]]) -> None:
        if self._files is None:
            return
        with self._lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="api-log", daemon=True)
                self._writer.start()
        try:
            self._queue.put_nowait(row)
        except queue.Full:
            self.dropped += 1

    def _write(self) -> None:
        while (row := self._queue.get()) is not None:
            try:
                self._append(self._clean(row()))
            except (OSError, ValueError, RecursionError) as error:
                if not self.dropped:
                    _log.warning("the API log cannot be written", extra={"fields": {"why": type(error).__name__}})
                self.dropped += 1
        if self._files is not None and self._files.log is not None:
            self._files.log.close()
            self._files.log = None
            self._files.day = ""

    def _clean(self, row: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(redact_tree(row), ensure_ascii=False)
        for value in self._hidden:
            text = text.replace(json.dumps(value)[1:-1], "[redacted]")
        cleaned: dict[str, Any] = json.loads(text)
        return cleaned

    def _append(self, row: dict[str, Any]) -> None:
        files = self._files
        assert files is not None
        day = str(row["at"])[:10]
        if files.day != day:
            self._turn(files, day)
        if files.log is None or files.used >= MAX_DAY_BYTES:
            self.dropped += 1
            return
        files.log.append(row, durable=False)
        files.used += len(json.dumps(row))

    def _turn(self, files: _Files, day: str) -> None:
        if files.log is not None:
            files.log.close()
        ensure_folder(files.folder)
        path = files.folder / f"api-{day}.jsonl"
        files.log, files.day = LineLog(path), day
        files.used = path.stat().st_size
        for old in sorted(files.folder.glob("api-????-??-??.jsonl"))[:-KEPT_DAYS]:
            old.unlink(missing_ok=True)


class NoApiLog(ApiLog):
    """Keeps nothing."""

    def __init__(self) -> None:
        super().__init__(None, _Never())


@dataclass(frozen=True, slots=True)
class _Never:
    at: datetime = field(default=datetime(1970, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at


def _exchange_row(
    at: datetime, took: float, method: str, url: str, params: Any, body: Any, told: Told, failed: str
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "at": _stamp(at),
        "kind": "request",
        "method": method,
        "path": urlsplit(url).path,
        "ms": round(took * 1000, 1),
        "status": told.status,
        "bytes": told.size,
    }
    if params:
        row["params"] = _short(params)
    if body is not None:
        row["body"] = _short(body)
    if told.request_id:
        row["request_id"] = told.request_id
    if failed:
        row["failed"] = failed
    if told.text:
        row["answer"] = _short(told.text)
    return row


def _short(value: Any) -> Any:
    """JSON where it is some and short, so that secrets are found by their names too; else the beginning of the text."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if len(value) <= MAX_TEXT:
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                pass
        return redact(value[:MAX_TEXT]) + ("…" if len(value) > MAX_TEXT else "")
    text = json.dumps(value, default=str)
    return value if len(text) <= MAX_TEXT else redact(text[:MAX_TEXT]) + "…"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
