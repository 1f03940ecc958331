"""What a record of the audit log looks like, how each is chained to the one before, and where the log ends.

Record n holds the sha256 of line n-1 and an HMAC with key k_n; k_n+1 is derived from k_n, which is forgotten. It also
commits itself to k_n+1, so that a head with a wrong key shows even to who does not have k_0."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.support.atomic_file import write_json
from tbot_bot.support.path_resolver import Paths

GENESIS = "0" * 64
LONGEST_LINE = 4 * 1024 * 1024
"""No record is longer; what is was not written by us."""
_KEY_BYTES = 32
_RATCHET = b"tbot-audit-next-key"
_COMMITMENT = b"tbot-audit-commitment"


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: the number and sha256 of its last line, the log's size in bytes with that line, and the key
    of the next record. `size` is -1 in heads of version 1.0, which did not note it."""

    seq: int
    line_hash: str
    next_key: bytes = field(repr=False)
    size: int


def head_file(paths: Paths) -> Path:
    return paths.audit_log.parent / "head.json"


def read_head(paths: Paths) -> Head | None:
    """None where there is none. Raises AuditUnavailable when it is damaged."""
    path = head_file(paths)
    if not path.exists():
        return None
    damaged = AuditUnavailable(f"{path.name} is damaged; restore storage/audit from a backup")
    try:
        data = path.read_bytes()
        row = json.loads(data)
        head = Head(int(row["seq"]), str(row["line_hash"]), bytes.fromhex(row["next_key"]), int(row.get("bytes", -1)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged from error
    if head_line(head) != data or len(head.next_key) != _KEY_BYTES or head.seq < 0:
        raise damaged
    return head


def write_head(paths: Paths, head: Head) -> None:
    write_json(head_file(paths), _facts(head))


def head_line(head: Head) -> bytes:
    """The content of the head's file."""
    return canonical(_facts(head)) + b"\n"


def _facts(head: Head) -> dict[str, Any]:
    facts = {"seq": head.seq, "line_hash": head.line_hash, "next_key": head.next_key.hex()}
    return facts if head.size < 0 else {**facts, "bytes": head.size}


def signed(body: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """The whole record: `body`, its commitment to the next key, and its signature."""
    whole = {**body, "next": _commitment(next_key(key))}
    return {**whole, "mac": mac(key, whole)}


def commits_to(line: bytes, key: bytes) -> bool:
    """Whether `key` is the one that the record in `line` names as the next. Records of version 1.0 name none."""
    named = json.loads(line).get("next")
    return named is None or named == _commitment(key)


def following(head: Head, line: bytes) -> Head:
    """The head once `line` (without its newline) has been appended."""
    return Head(head.seq + 1, hash_of(line), next_key(head.next_key), head.size + len(line) + 1)


def problem_of(line: bytes, number: int, previous: str, key: bytes | None) -> str | None:
    """What is wrong with `line` as record `number` after the line with hash `previous`; the signature is looked at
    when its key is at hand."""
    try:
        row = json.loads(line)
        true = isinstance(row, dict) and canonical(row) == line
    except (ValueError, RecursionError):
        return "is not JSON"
    if not true:
        return "is not as it was written"
    signature = row.pop("mac", None)
    if row.get("seq") != number or isinstance(row.get("seq"), bool):
        return f"carries the number {str(row.get('seq'))[:20]}: a record was removed, inserted or moved"
    if row.get("prev") != previous:
        return "does not follow from the one before"
    if not isinstance(signature, str):
        return "has no signature"
    if key is not None and not hmac.compare_digest(signature.encode(), mac(key, row).encode()):
        return "has a wrong signature"
    return None


def canonical(row: Mapping[str, Any]) -> bytes:
    """The bytes that LineLog writes for `row`, without the newline."""
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def hash_of(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def mac(key: bytes, body: Mapping[str, Any]) -> str:
    return hmac.new(key, canonical(body), hashlib.sha256).hexdigest()


def _commitment(key: bytes) -> str:
    return hmac.new(key, _COMMITMENT, hashlib.sha256).hexdigest()[:32]


def next_key(key: bytes) -> bytes:
    return hmac.new(key, _RATCHET, hashlib.sha256).digest()
