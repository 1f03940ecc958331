"""Looking things up in the audit log, newest first, without reading it whole: block by block, from its end."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from tbot_bot.reporting.audit_chain import LONGEST_LINE
from tbot_bot.support.path_resolver import Paths

PAGE = 100
_BLOCK = 256 * 1024
_LOOKED_AT = 200_000
"""Records that one search looks at; the next page goes on where it stopped."""
_PAGE_BYTES = 512 * 1024
_SHOWN = ("seq", "at", "event", "actor", "detail")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; "" and None = anything. `text` anywhere in a record and `event` anywhere in its name, both
    without regard to case; `actor` as a whole; `before`: only records with a lower number."""

    text: str = ""
    event: str = ""
    actor: str = ""
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first, each {seq, at, event, actor, detail}. `more`: whether older ones may match, which
    `before=next` finds."""

    rows: tuple[dict[str, Any], ...]
    more: bool
    next: int | None


def search(paths: Paths, wanted: Wanted) -> Page:
    """At most 100 records that match. Lines that are no records are passed over; verification names them."""
    rows: list[dict[str, Any]] = []
    room, seq = _PAGE_BYTES, None
    for looked, line in enumerate(_backwards(paths, wanted.before), start=1):
        row = _row(line)
        if row is not None:
            seq = row["seq"]
            if _matches(row, wanted):
                rows.append({name: row.get(name) for name in _SHOWN})
                room -= len(line)
        if len(rows) == PAGE or room <= 0 or looked == _LOOKED_AT:
            more = seq is not None and seq > 1
            return Page(tuple(rows), more, seq if more else None)
    return Page(tuple(rows), more=False, next=None)


def newest(paths: Paths, event: str) -> Mapping[str, Any] | None:
    """The newest record of exactly `event` that the runner made itself."""
    mark = json.dumps(event).encode()
    for line in _backwards(paths, None):
        row = _row(line) if mark in line else None
        if row is not None and row.get("event") == event and "drop" not in row["detail"]:
            return row
    return None


def _matches(row: Mapping[str, Any], wanted: Wanted) -> bool:
    if wanted.event and wanted.event.casefold() not in str(row.get("event")).casefold():
        return False
    if wanted.actor and wanted.actor.casefold() != str(row.get("actor")).casefold():
        return False
    if not wanted.text:
        return True
    shown = json.dumps({name: row.get(name) for name in _SHOWN}, ensure_ascii=False)
    return wanted.text.casefold() in shown.casefold()


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if isinstance(row, dict) and isinstance(row.get("seq"), int) and isinstance(row.get("detail"), dict):
        return row
    return None


def _backwards(paths: Paths, before: int | None) -> Iterator[bytes]:
    """The lines, last first, from the one before record `before`."""
    if not paths.audit_log.exists():
        return
    with paths.audit_log.open("rb") as log:
        end = log.seek(0, os.SEEK_END) if before is None else _place_of(log, before)
        yield from _lines_before(log, end)


def _lines_before(log: BinaryIO, end: int) -> Iterator[bytes]:
    """The complete lines of `log` that end at or before byte `end`, last first."""
    rest = b""
    while end > 0:
        begin = max(0, end - _BLOCK)
        log.seek(begin)
        lines = (log.read(end - begin) + rest).split(b"\n")
        rest, end = lines[0], begin
        if len(rest) > LONGEST_LINE:
            return
        yield from (line for line in reversed(lines[1:]) if line)
    if rest:
        yield rest


def _place_of(log: BinaryIO, seq: int) -> int:
    """Where record `seq` begins, found by halving: the numbers rise through the file."""
    low, high = 0, log.seek(0, os.SEEK_END)
    while low < high:
        middle = (low + high) // 2
        start, line = _line_after(log, middle)
        row = _row(line)
        if row is None or start >= high or row["seq"] >= seq:
            high = middle
        else:
            low = start + len(line)
    return low


def _line_after(log: BinaryIO, place: int) -> tuple[int, bytes]:
    """The first line that begins at `place` or later, and where it begins."""
    log.seek(max(0, place - 1))
    if place:
        log.readline(LONGEST_LINE)
    return log.tell(), log.readline(LONGEST_LINE)
