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

from tbot_bot.broker.hiding import Hiding
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import LineLog, ensure_folder

MAX_DAY_BYTES = 50_000_000
KEPT_DAYS = 14
MAX_TEXT = 4_000
"""Of a body; the rest of a longer one is only counted."""
_QUEUED = 5_000
_REQUEST_IDS = ("X-Request-ID", "X-Request-Id", "X-Correlation-Id")
_UNWRITABLE = (OSError, ValueError, LookupError, TypeError, RecursionError)
_log = logging.getLogger("tbot.api")


@dataclass(slots=True)
class Told:
    """What came of one request; an exception on the way is told as what it is."""

    status: int | None = None
    request_id: str = ""
    content: bytes = b""

    def answered(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.request_id = next((headers[name] for name in _REQUEST_IDS if name in headers), "")
        self.content = content

    @property
    def outcome(self) -> str:
        match self.status:
            case None:
                return "no answer"
            case 429:
                return "too many"
            case status if status >= 500:
                return "failed"
            case status if status >= 300:
                return "refused"
            case _:
                return "answered"


@dataclass(slots=True)
class _Files:
    """The file of the present day."""

    folder: Path
    day: str = ""
    path: Path = Path()
    log: LineLog | None = None

    def append(self, row: dict[str, Any]) -> bool:
        """False: the day's file is full. Raises OSError."""
        day = str(row["at"])[:10]
        if self.log is None or self.day != day:
            self._turn(day)
        assert self.log is not None
        # Other processes write it too.
        if self.path.stat().st_size >= MAX_DAY_BYTES:
            return False
        self.log.append(row, durable=False)
        return True

    def close(self) -> None:
        if self.log is not None:
            self.log.close()
            self.log = None

    def _turn(self, day: str) -> None:
        self.close()
        ensure_folder(self.folder)
        self.path = self.folder / f"api-{day}.jsonl"
        self.log, self.day = LineLog(self.path), day
        for old in sorted(self.folder.glob("api-????-??-??.jsonl"))[:-KEPT_DAYS]:
            old.unlink(missing_ok=True)


class ApiLog:
    """`folder` None: nothing is kept. `hidden`: values that are replaced wherever they occur, such as an account's
    number. `now`: the wall clock. `dropped`: rows that could not be kept. Thread-safe."""

    def __init__(self, folder: Path | None, now: Clock, hidden: tuple[str, ...] = ()) -> None:
        self._now = now
        self._hiding = Hiding(hidden)
        self._files = _Files(folder) if folder is not None else None
        self._queue: queue.Queue[Callable[[], dict[str, Any]] | None] = queue.Queue(_QUEUED)
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()
        self._disk = threading.Lock()
        self._untold = 0
        self.dropped = 0

    @contextmanager
    def exchange(self, method: str, url: str, params: Any = None, body: Any = None, attempt: int = 1) -> Iterator[Told]:
        """One request; tell the answer to what this yields. `attempt` counts tries of the same request from 1."""
        told, began, at = Told(), time.monotonic(), self._now.now()
        failed = ""
        try:
            yield told
        except BaseException as error:
            failed = type(error).__name__
            raise
        finally:
            facts = {"method": method, "attempt": attempt, "ms": round((time.monotonic() - began) * 1000, 1)}
            facts |= {"failed": failed} if failed else {}
            self._put(lambda: _row(self._hiding, at, facts, url, params, body, told))

    def note(self, what: str, **fields: Any) -> None:
        """Something that is no request: a connection, a message of a socket protocol."""
        at = self._now.now()
        self._put(lambda: {**self._hiding.tree(fields), "at": _stamp(at), "kind": what})

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
                self._writer = threading.Thread(target=self._write, args=(self._files,), name="api-log", daemon=True)
                self._writer.start()
        try:
            self._queue.put_nowait(row)
        except queue.Full:
            self._drop("the disk is too slow")

    def _write(self, files: _Files) -> None:
        while (make := self._queue.get()) is not None:
            with self._disk:
                try:
                    row = make()
                    if not files.append(row):
                        self._drop("the day's file is full")
                    elif self._untold:
                        # What is missing is missing with a word.
                        files.append({"at": row["at"], "kind": "dropped", "rows": self._untold})
                        self._untold = 0
                except _UNWRITABLE as error:
                    files.close()
                    self._drop(type(error).__name__)
        with self._disk:
            files.close()

    def _drop(self, why: str) -> None:
        if not self.dropped:
            _log.warning("the API log loses rows", extra={"fields": {"why": why}})
        self.dropped += 1
        self._untold += 1


class NoApiLog(ApiLog):
    """Keeps nothing."""

    def __init__(self) -> None:
        super().__init__(None, _Never())


@dataclass(frozen=True, slots=True)
class _Never:
    at: datetime = field(default=datetime(1970, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at


def _row(
    hiding: Hiding, at: datetime, facts: Mapping[str, Any], url: str, params: Any, body: Any, told: Told
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "at": _stamp(at),
        "kind": "request",
        "path": hiding.text(urlsplit(url).path),
        **facts,
        "status": told.status,
        "outcome": told.outcome,
        "bytes": len(told.content),
    }
    if params:
        row["params"] = _short(hiding, params)
    if body is not None:
        row["body"] = _short(hiding, body)
    if told.request_id:
        row["request_id"] = hiding.text(told.request_id)
    if told.content:
        row["answer"] = _short(hiding, told.content[: MAX_TEXT + hiding.margin])
    return row


def _short(hiding: Hiding, value: Any) -> Any:
    """JSON where it is some and short, so that secrets are found by their names too; else the beginning of the text."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        text = json.dumps(value, default=str)
        return hiding.tree(value) if len(text) <= MAX_TEXT else hiding.cut(text, MAX_TEXT)
    if len(value) > MAX_TEXT:
        return hiding.cut(value, MAX_TEXT)
    try:
        return hiding.tree(json.loads(value))
    except (ValueError, RecursionError):
        return hiding.text(value)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
