"""Anchors: what others saw of the audit log's end, kept where a thief of the log cannot write, or does not look.

Cutting the log's tail together with `head.json` leaves no trace in the log itself; it shows against any anchor taken
after the cut. Whoever sees the log's end (number and hash of its last record) may keep it: the runner in `control/`,
the bot under its own user in `output/`, the backups beside the files they were put into, and everyone's journal."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tbot_bot.support.atomic_file import LineLog, read_lines
from tbot_bot.support.path_resolver import Paths

_HASH = re.compile(r"[0-9a-f]{64}")
_FILE = "audit_anchors.jsonl"


@dataclass(frozen=True, slots=True)
class Anchor:
    """`where` saw record `seq` with the sha256 `line_hash` as the log's last one, at `at` (UTC, "" = not known)."""

    where: str
    seq: int
    line_hash: str
    at: str = ""


def anchor_file(folder: Path) -> Path:
    """The anchors kept in `folder`: `control/`, `output/` or `storage/backups/`."""
    return folder / _FILE


def keep_anchor(folder: Path, anchor: Anchor) -> None:
    """Append to the anchors of `folder`. Raises OSError."""
    log = LineLog(anchor_file(folder), 0o644)
    try:
        log.append({"where": anchor.where, "seq": anchor.seq, "hash": anchor.line_hash, "at": anchor.at})
    finally:
        log.close()


def known_anchors(paths: Paths) -> tuple[Anchor, ...]:
    """Every anchor that this installation kept; lines that are none are left out."""
    folders = (paths.control, paths.output, paths.backups)
    return tuple(found for folder in folders for found in _read(anchor_file(folder)))


def parse_anchor(text: str, where: str) -> Anchor | None:
    """`SEQ:HASH` as a person types it from the journal."""
    seq, _, line_hash = text.partition(":")
    if not (seq.isascii() and seq.isdigit()) or not _HASH.fullmatch(line_hash):
        return None
    return Anchor(where, int(seq), line_hash)


def now_anchor(where: str, head: tuple[int, str], at: datetime) -> Anchor:
    """An anchor of the log's `head` (number, hash) as seen at `at`."""
    return Anchor(where, head[0], head[1], at.isoformat(timespec="seconds"))


def _read(path: Path) -> tuple[Anchor, ...]:
    try:
        rows = read_lines(path)
    except OSError:
        return ()
    found = []
    for row in rows:
        seq, line_hash = row.get("seq"), row.get("hash")
        if isinstance(seq, int) and seq > 0 and isinstance(line_hash, str) and _HASH.fullmatch(line_hash):
            found.append(Anchor(str(row.get("where", ""))[:40], seq, line_hash, str(row.get("at", ""))[:40]))
    return tuple(found)
