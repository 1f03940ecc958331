"""The audit log's one writer: JSON lines, each chained to the one before, signed with a key that is then thrown away.

Who steals the present key can therefore not rewrite the past (audit_chain). k_0 verifies everything; it is sealed to
the offline recovery key as soon as there is one (audit_key). Cutting the tail shows against `head.json` and, for a
thief who can write that too, against anchors (support/audit_anchors). Checking is audit_verify's work."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.ports.clock import Clock
from tbot_bot.reporting import audit_key
from tbot_bot.reporting.audit_chain import (
    GENESIS,
    LONGEST_LINE,
    Head,
    canonical,
    commits_to,
    following,
    hash_of,
    head_file,
    problem_of,
    read_head,
    signed,
    write_head,
)
from tbot_bot.reporting.audit_search import newest
from tbot_bot.support.atomic_file import LineLog, ensure_folder
from tbot_bot.support.audit_anchors import known_anchors
from tbot_bot.support.logs import redact_tree
from tbot_bot.support.path_resolver import Paths


class AuditWriter:
    """The one writer of `storage/audit/audit.jsonl`. Thread-safe; each record is durable before it returns."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        """Opens or begins the log; what that costs does not grow with the log. Raises AuditUnavailable when it does not
        end where `head.json` says, or when another process is writing it."""
        self._clock = clock
        self._lock = threading.Lock()
        self._paths = paths
        self._lease = _take_lease(paths)
        self._half_written = False
        try:
            audit_key.drop_plain_key(paths)
            self._head, torn = _open_head(paths)
            self._log = LineLog(paths.audit_log)
        except (OSError, AuditUnavailable) as error:
            os.close(self._lease)
            if isinstance(error, AuditUnavailable):
                raise
            raise AuditUnavailable(f"the audit log cannot be opened: {error.strerror}") from error
        if self._head.seq == 0:
            self._tell_of_earlier_log()
        if torn:
            self.record("audit_torn_line", "runner", {"bytes": torn, "why": "a crash while writing; it was cut off"})

    def record(self, event: str, actor: str, detail: Mapping[str, Any]) -> None:
        """Append one record. Raises AuditUnavailable when that is not certain; the act must then not be done."""
        with self._lock:
            body = {
                "seq": self._head.seq + 1,
                "at": self._clock.now().isoformat(),
                **_clean({"event": event, "actor": actor, "detail": dict(detail)}),
                "prev": self._head.line_hash,
            }
            row = signed(body, self._head.next_key)
            try:
                self._drop_half()
                self._half_written = True
                self._log.append(row)
                self._half_written = False
                self._head = following(self._head, canonical(row))
                write_head(self._paths, self._head)
            except OSError as error:
                with contextlib.suppress(OSError):
                    self._drop_half()
                raise AuditUnavailable(f"the event {event} could not be recorded: {error.strerror}") from error

    def head(self) -> tuple[int, str]:
        """Number and hash of the last record, to be anchored where the log's thief cannot reach."""
        with self._lock:
            return self._head.seq, self._head.line_hash

    def newest(self, event: str) -> Mapping[str, Any] | None:
        """The newest record of `event` that was not dropped by another process; None when there is none."""
        return newest(self._paths, event)

    def seal_first_key(self, recipient: str) -> bool:
        """Seal k_0 to the age recipient and remove it in plain, on record first. False when it was sealed before: it
        stays sealed to the recovery key of that time. Raises AuditUnavailable."""
        if not audit_key.first_key_file(self._paths).exists():
            return False
        self.record("audit_first_key_sealed", "runner", {"recipient": recipient})
        return audit_key.seal_first_key(self._paths, recipient)

    def adopt(self, put_in_place: Callable[[], None]) -> None:
        """Let a restore exchange the log's files, then go on from the end of what lies there; nothing is recorded
        meanwhile. Raises AuditUnavailable when what lies there then is no whole log."""
        with self._lock:
            self._log.close()
            try:
                put_in_place()
            finally:
                audit_key.drop_plain_key(self._paths)
                self._head, _ = _open_head(self._paths)
                self._log = LineLog(self._paths.audit_log)

    def close(self) -> None:
        self._log.close()
        os.close(self._lease)

    def _tell_of_earlier_log(self) -> None:
        """A log that vanished is not begun anew in silence; it must be begun, or no restore could be asked for."""
        seen = max(known_anchors(self._paths), key=lambda anchor: anchor.seq, default=None)
        if seen is not None:
            self.record("audit_log_vanished", "runner", {"where": seen.where, "saw_record": seen.seq, "at": seen.at})

    def _drop_half(self) -> None:
        """Take back what a failed write left, a whole line without certainty too: the next record has its place."""
        if self._half_written:
            with self._paths.audit_log.open("r+b") as file:
                _cut(file, self._head.size)
            self._half_written = False


def _clean(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` as JSON holds them: no secret, no half of a surrogate pair."""
    cleaned: dict[str, Any] = redact_tree(dict(fields))
    return cleaned


def _take_lease(paths: Paths) -> int:
    """A lock that ends with our process: two writers would tear the chain."""
    try:
        ensure_folder(paths.audit_log.parent)
        handle = os.open(paths.audit_log.parent / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AuditUnavailable(f"the audit log cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise AuditUnavailable("another runner is writing the audit log; stop it first") from error
    return handle


def _open_head(paths: Paths) -> tuple[Head, int]:
    """The head that fits the log's last line, and how many bytes of a cut-off write were removed behind it."""
    head = read_head(paths)
    exists = paths.audit_log.exists()
    if head is None:
        if exists and paths.audit_log.stat().st_size:
            raise AuditUnavailable(
                f"{head_file(paths).name} is missing beside an audit log with records; restore it from a backup, "
                "or move the whole folder storage/audit away to begin a new log"
            )
        return _begin(paths), 0
    if not exists:
        if head.seq:
            raise _changed(head)
        return head, 0
    with paths.audit_log.open("r+b") as log:
        found = _caught_up(log, _located(log, head))
        torn = log.seek(0, os.SEEK_END) - found.size
        if torn:
            _cut(log, found.size)
    if found != head:
        write_head(paths, found)
    return found, torn


def _located(log: BinaryIO, head: Head) -> Head:
    """`head` with its place in the log, where its line must end. Looks at that line alone, unless a head of version 1.0
    does not know the place."""
    if head.size < 0:
        size = sum(len(log.readline()) for _ in range(head.seq))
        head = Head(head.seq, head.line_hash, head.next_key, size)
    begin = max(0, head.size - LONGEST_LINE)
    log.seek(begin)
    before = log.read(head.size - begin)
    line = before[:-1].rpartition(b"\n")[2]
    whole = len(before) == head.size - begin and (before.endswith(b"\n") if head.seq else not before)
    if not whole or (hash_of(line) if head.seq else GENESIS) != head.line_hash:
        raise _changed(head)
    if head.seq and not commits_to(line, head.next_key):
        raise _changed(head)
    return head


def _caught_up(log: BinaryIO, head: Head) -> Head:
    """A crash or a full disk came between a record and the note of it; the key at hand proves the record."""
    log.seek(head.size)
    while (line := log.readline(LONGEST_LINE)).endswith(b"\n"):
        if problem_of(line[:-1], head.seq + 1, head.line_hash, head.next_key) is not None:
            raise _changed(head)
        head = following(head, line[:-1])
    return head


def _changed(head: Head) -> AuditUnavailable:
    return AuditUnavailable(
        f"the audit log does not end with record {head.seq} as head.json says: it was changed from outside. "
        "Run `python -m tools.verify_audit`, restore it from a backup, or move storage/audit away"
    )


def _begin(paths: Paths) -> Head:
    """A new chain. A sealed key without its log is not thrown away for that."""
    if audit_key.sealed_key_file(paths).exists():
        raise AuditUnavailable(
            f"the audit log is gone, but {audit_key.sealed_key_file(paths).name} is still there. Restore the log from "
            "a backup, or move the whole folder storage/audit away to begin a new one"
        )
    head = Head(0, GENESIS, audit_key.make_first_key(paths), 0)
    write_head(paths, head)
    return head


def _cut(log: BinaryIO, size: int) -> None:
    log.truncate(size)
    log.flush()
    os.fsync(log.fileno())
