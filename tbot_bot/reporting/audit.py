"""The audit log: JSON lines, each chained to the one before and signed with a key that is then thrown away.

Record n holds the sha256 of line n-1 and an HMAC with key k_n; k_n+1 is derived from k_n, which is forgotten. Who
steals the present key can therefore not rewrite the past. k_0 verifies everything; it lies in `storage/audit/` for now,
to be sealed to the offline recovery key when backups arrive. Cutting the tail shows against `head.json` and, for a
thief who can write that too, against the heads printed to the journal and the dashboard."""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import LineLog, create_bytes, ensure_folder, write_json
from tbot_bot.support.logs import redact
from tbot_bot.support.path_resolver import Paths

_GENESIS = "0" * 64
_RATCHET = b"tbot-audit-next-key"


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: the number and sha256 of its last line, and the key of the next record."""

    seq: int
    line_hash: str
    next_key: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: records 1..`last` are true, then `problem` (None = the end). `torn`: bytes of a cut-off write."""

    last: int
    line_hash: str
    problem: str | None
    torn: int = 0


class AuditWriter:
    """The one writer of `storage/audit/audit.jsonl`. Thread-safe; each record is durable before it returns."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        """Opens or begins the log. Raises AuditUnavailable when it does not end where `head.json` says, or when another
        process is writing it."""
        self._clock = clock
        self._lock = threading.Lock()
        self._paths = paths
        self._lease = _take_lease(paths)
        try:
            torn = _cut_torn_line(paths.audit_log)
            self._head = _open_head(paths)
            self._log = LineLog(paths.audit_log)
        except (OSError, AuditUnavailable) as error:
            os.close(self._lease)
            if isinstance(error, AuditUnavailable):
                raise
            raise AuditUnavailable(f"the audit log cannot be opened: {error.strerror}") from error
        if torn:
            self.record("audit_torn_line", "runner", {"bytes": torn, "why": "a crash while writing; it was cut off"})

    def record(self, event: str, actor: str, detail: Mapping[str, Any]) -> None:
        """Append one record. Raises AuditUnavailable when that is not certain; the act must then not be done."""
        with self._lock:
            body = {
                "seq": self._head.seq + 1,
                "at": self._clock.now().isoformat(),
                "event": event,
                "actor": actor,
                "detail": json.loads(redact(json.dumps(dict(detail), default=str))),
                "prev": self._head.line_hash,
            }
            row = {**body, "mac": _mac(self._head.next_key, body)}
            try:
                self._log.append(row)
                self._head = Head(body["seq"], _line_hash(row), _next(self._head.next_key))
                _write_head(head_file(self._paths), self._head)
            except OSError as error:
                with contextlib.suppress(OSError):
                    _cut_torn_line(self._paths.audit_log)
                raise AuditUnavailable(f"the event {event} could not be recorded: {error.strerror}") from error

    def head(self) -> tuple[int, str]:
        """Number and hash of the last record, to be anchored where the log's thief cannot reach."""
        with self._lock:
            return self._head.seq, self._head.line_hash

    def close(self) -> None:
        self._log.close()
        os.close(self._lease)


def first_key_file(paths: Paths) -> Path:
    return paths.audit_log.parent / "first.key"


def head_file(paths: Paths) -> Path:
    return paths.audit_log.parent / "head.json"


def verify(paths: Paths) -> Verified:
    """Check every record from the first, and that the log does not end before `head.json` says."""
    try:
        key = bytes.fromhex(first_key_file(paths).read_text("ascii"))
        data = paths.audit_log.read_bytes() if paths.audit_log.exists() else b""
        head = _read_head(head_file(paths))
    except (OSError, ValueError) as error:
        return Verified(0, _GENESIS, f"the log or its keys cannot be read: {error}")
    whole, _, torn = data.rpartition(b"\n")
    found = _verify_lines(whole.split(b"\n") if whole else [], key)
    if found.problem is None and head is not None and found.last < head.seq:
        missing = f"records {found.last + 1} to {head.seq} were cut off"
        return Verified(found.last, found.line_hash, missing, len(torn))
    return Verified(found.last, found.line_hash, found.problem, len(torn))


def _verify_lines(lines: list[bytes], key: bytes) -> Verified:
    previous = _GENESIS
    for number, line in enumerate(lines, start=1):
        problem = _problem(line, number, previous, key)
        if problem is not None:
            return Verified(number - 1, previous, f"record {number} {problem}")
        previous = hashlib.sha256(line).hexdigest()
        key = _next(key)
    return Verified(len(lines), previous, None)


def _problem(line: bytes, number: int, previous: str, key: bytes) -> str | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(row, dict) or _canonical(row) != line:
        return "is not as it was written"
    mac = row.pop("mac", None)
    if row.get("seq") != number:
        return f"carries the number {row.get('seq')}: a record was removed, inserted or moved"
    if row.get("prev") != previous:
        return "does not follow from the one before"
    if not isinstance(mac, str) or not hmac.compare_digest(mac.encode(), _mac(key, row).encode()):
        return "has a wrong signature"
    return None


def _canonical(row: Mapping[str, Any]) -> bytes:
    """The bytes that LineLog writes for `row`, without the newline."""
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _line_hash(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(row)).hexdigest()


def _mac(key: bytes, body: Mapping[str, Any]) -> str:
    return hmac.new(key, _canonical(body), hashlib.sha256).hexdigest()


def _next(key: bytes) -> bytes:
    return hmac.new(key, _RATCHET, hashlib.sha256).digest()


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


def _cut_torn_line(log: Path) -> int:
    """Bytes of a last line without an end: its writer died before it could say that it was recorded."""
    if not log.exists():
        return 0
    with log.open("r+b") as file:
        data = file.read()
        torn = len(data) - (data.rfind(b"\n") + 1)
        if torn:
            file.truncate(len(data) - torn)
            os.fsync(file.fileno())
    return torn


def _open_head(paths: Paths) -> Head:
    """The head that fits the log's last line; begins a new chain where there is no log at all."""
    lines = paths.audit_log.read_bytes().splitlines() if paths.audit_log.exists() else []
    head = _read_head(head_file(paths))
    if head is None:
        if lines:
            raise AuditUnavailable(
                f"{head_file(paths).name} is missing beside an audit log with records; restore it from a backup, "
                "or move the whole folder storage/audit away to begin a new log"
            )
        return _begin(paths)
    for line in lines[head.seq :]:
        # A crash or a full disk came between the record and the note of it; the key at hand proves the record.
        if _problem(line, head.seq + 1, head.line_hash, head.next_key) is not None:
            break
        head = Head(head.seq + 1, hashlib.sha256(line).hexdigest(), _next(head.next_key))
        _write_head(head_file(paths), head)
    ends = hashlib.sha256(lines[-1]).hexdigest() if lines else _GENESIS
    if len(lines) != head.seq or ends != head.line_hash:
        raise AuditUnavailable(
            f"the audit log holds {len(lines)} records and should end with number {head.seq}: it was changed from "
            "outside. Run `python -m tools.verify_audit`, restore it from a backup, or move storage/audit away"
        )
    return head


def _begin(paths: Paths) -> Head:
    """A new chain. The first key may be there already: a crash came before the first head was written."""
    first = first_key_file(paths)
    if not first.exists():
        create_bytes(first, secrets.token_hex(32).encode())
    head = Head(0, _GENESIS, bytes.fromhex(first.read_text("ascii")))
    _write_head(head_file(paths), head)
    return head


def _read_head(path: Path) -> Head | None:
    if not path.exists():
        return None
    try:
        row = json.loads(path.read_bytes())
        return Head(int(row["seq"]), str(row["line_hash"]), bytes.fromhex(row["next_key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise AuditUnavailable(f"{path.name} is damaged; restore storage/audit from a backup") from error


def _write_head(path: Path, head: Head) -> None:
    write_json(path, {"seq": head.seq, "line_hash": head.line_hash, "next_key": head.next_key.hex()})
