"""Checking the audit log from its first record to its last, as a stream.

`full`, with k_0: every signature, so that not even the thief of the present key can have changed the past. `chain`,
while k_0 is sealed away: every hash up to what `head.json` says, and the signatures of records after it. Both compare
with anchors, which alone show a log that was put back to an earlier state, or rewritten where only `chain` looks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.reporting.audit_chain import (
    GENESIS,
    LONGEST_LINE,
    Head,
    commits_to,
    hash_of,
    next_key,
    problem_of,
    read_head,
)
from tbot_bot.reporting.audit_key import first_key
from tbot_bot.support.audit_anchors import Anchor
from tbot_bot.support.path_resolver import Paths


class Level(StrEnum):
    FULL = "full"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class Checked:
    """An anchor, and whether the log reaches it, all true up to there, with the same hash."""

    anchor: Anchor
    ok: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: records 1..`last` are true, then `problem` (None = the end). `torn`: bytes of a cut-off write."""

    last: int
    line_hash: str
    problem: str | None
    torn: int = 0
    level: Level = Level.CHAIN
    anchors: tuple[Checked, ...] = ()


def verify(
    paths: Paths, *, identity: str | None = None, anchors: Iterable[Anchor] = (), sealed: Path | None = None
) -> Verified:
    """Check the whole log. `identity`: the recovery key, for a first key that is sealed; `sealed`: a copy of the sealed
    first key from elsewhere. Raises AuditUnavailable when the identity does not open it."""
    problem = None
    try:
        key = first_key(paths, identity, sealed)
    except AuditUnavailable as error:
        if identity is not None:
            raise
        key, problem = None, str(error)
    try:
        head = read_head(paths)
        walk = _Walk(head, key, anchors)
        # The head was read first: records that come in meanwhile lie after it and carry their own signatures.
        if paths.audit_log.exists():
            with paths.audit_log.open("rb") as log:
                walk.through(log)
    except (OSError, AuditUnavailable) as error:
        return Verified(0, GENESIS, f"the log or its head cannot be read: {error}")
    return walk.verdict(problem)


@dataclass(slots=True)
class _Walk:
    """One pass over the log."""

    head: Head | None
    key: bytes | None
    given: Iterable[Anchor]
    last: int = 0
    previous: str = GENESIS
    size: int = 0
    line: bytes = b""
    torn: int = 0
    problem: str | None = None
    level: Level = Level.CHAIN
    reached: dict[int, str] = field(default_factory=dict)
    wanted: Mapping[int, object] = field(default_factory=dict)

    def through(self, log: BinaryIO) -> None:
        while self.problem is None:
            line = log.readline(LONGEST_LINE)
            if not line.endswith(b"\n"):
                self.torn = len(line)
                if len(line) == LONGEST_LINE:
                    self.problem = f"record {self.last + 1} is longer than any record"
                return
            self._take(line[:-1])

    def __post_init__(self) -> None:
        self.given = tuple(self.given)
        self.wanted = {anchor.seq: None for anchor in self.given}
        self.level = Level.CHAIN if self.key is None else Level.FULL
        self._compare_head()

    def _take(self, line: bytes) -> None:
        found = problem_of(line, self.last + 1, self.previous, self.key)
        if found is not None:
            self.problem = f"record {self.last + 1} {found}"
            return
        self.last += 1
        self.line = line
        self.size += len(line) + 1
        self.previous = hash_of(line)
        self.key = None if self.key is None else next_key(self.key)
        if self.last in self.wanted:
            self.reached[self.last] = self.previous
        self._compare_head()

    def _compare_head(self) -> None:
        """At the record that the head speaks of, all it says must be true; from there on its key signs."""
        if self.head is None or self.head.seq != self.last:
            return
        same_end = self.head.line_hash == self.previous and self.head.size in {-1, self.size}
        key = self.head.next_key
        true_key = self.key in {None, key} and (not self.line or commits_to(self.line, key))
        if not same_end or not true_key:
            self.problem = f"head.json does not fit record {self.last}: one of them was changed"
        self.key = key

    def verdict(self, other: str | None) -> Verified:
        """`other`: a problem that lies outside the log."""
        checked = tuple(Checked(one, self.reached.get(one.seq) == one.line_hash) for one in self.given)
        problem = self.problem or self._missing_end() or _broken(checked, self.last) or other
        return Verified(self.last, self.previous, problem, self.torn, self.level, checked)

    def _missing_end(self) -> str | None:
        if self.head is None:
            return "head.json is missing, so the log's end cannot be told" if self.last or self.torn else None
        if self.last < self.head.seq:
            return f"records {self.last + 1} to {self.head.seq} were cut off"
        return None


def _broken(checked: Iterable[Checked], last: int) -> str | None:
    """The first anchor that the log contradicts, in words."""
    bad = min((one.anchor for one in checked if not one.ok), key=lambda anchor: anchor.seq, default=None)
    if bad is None:
        return None
    if bad.seq > last:
        return f"the log ends at record {last}, but {bad.where} saw record {bad.seq}: the end was cut off"
    return f"record {bad.seq} is not the one that {bad.where} saw: the log was rewritten"
