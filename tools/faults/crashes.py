"""What a disk may hold after the power failed at one moment: any of what waits, in any order, whole or torn."""

import hashlib
import os
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.faults.disk import Disk, EntryChange, Node, Write

Parts = tuple[int, ...]
"""For each waiting write of a file: how many of its bytes arrived; LOST: none; HOLLOW: its length, but zeros."""
LOST, WHOLE, HOLLOW = -1, -2, -3
_MOST_TEARS = 40
_FOLDER: Parts = (-9,)


@dataclass(frozen=True, slots=True)
class Crash:
    """Which waiting entry changes and which parts of waiting writes reached the platter. What is not named is lost."""

    entries: frozenset[int]
    files: tuple[tuple[int, Parts], ...]


def all_but(disk: Disk, entries: Collection[int], files: Collection[int], part: int) -> Crash:
    """Everything arrived but those entry changes, and of those files' writes only `part`."""
    arrived = frozenset(change.number for change in disk.waiting if change.number not in entries)
    return Crash(arrived, _files(disk, lambda node: _always(part)(node) if node.number in files else None))


def crashes(disk: Disk, dice: random.Random, sampled: int, tear: int) -> Iterator[Crash]:
    """Crash states of this moment: the extreme ones, every single loss and survival, every order, and random ones.

    `sampled`: how many random ones; `tear`: each write is also cut after every so many bytes."""
    every = frozenset(change.number for change in disk.waiting)
    whole, lost, hollow = (_files(disk, _always(part)) for part in (WHOLE, LOST, HOLLOW))
    for files in (whole, lost, hollow):
        yield Crash(every, files)
        yield Crash(frozenset(), files)
    for entries in (*_prefixes(disk), *(every - {number} for number in every), *(frozenset({n}) for n in every)):
        yield Crash(entries, whole)
        yield Crash(entries, lost)
    for node in disk.unsynced_files():
        for parts in _parts(node, tear):
            files = _files(disk, _only(node, parts))
            yield Crash(every, files)
            yield Crash(frozenset(), files)
    for _ in range(sampled if len(every) + len(whole) > 1 or whole else 0):
        chosen = frozenset(number for number in every if dice.random() < 0.5)
        yield Crash(chosen, _files(disk, lambda node: _some_parts(node, dice)))


def _always(part: int) -> Callable[[Node], Parts]:
    return lambda node: (part,) * len(node.waiting)


def _only(node: Node, parts: Parts) -> Callable[[Node], Parts | None]:
    return lambda each: parts if each is node else None


def _files(disk: Disk, choose: Callable[[Node], Parts | None]) -> tuple[tuple[int, Parts], ...]:
    """The chosen parts of each file with waiting writes; None: all of them."""
    return tuple((node.number, choose(node) or (WHOLE,) * len(node.waiting)) for node in disk.unsynced_files())


def _prefixes(disk: Disk) -> Iterator[frozenset[int]]:
    """Each folder's changes up to each of them, with all or nothing of the other folders."""
    for folder in sorted({change.folder for change in disk.waiting}):
        own = [change.number for change in disk.waiting if change.folder == folder]
        others = frozenset(change.number for change in disk.waiting if change.folder != folder)
        for length in range(len(own)):
            yield frozenset(own[:length])
            yield frozenset(own[:length]) | others


def _parts(node: Node, tear: int) -> Iterator[Parts]:
    """A file's writes: every prefix, the last of it torn or hollow, and every single one lost."""
    many = len(node.waiting)
    for length in range(many):
        before, after = (WHOLE,) * length, (LOST,) * (many - length - 1)
        yield (*before, LOST, *after)
        for part in (HOLLOW, *_tears(node.waiting[length], tear)):
            yield (*before, part, *after)
        yield (*before, LOST, *(WHOLE,) * (many - length - 1))


def _tears(write: Write, tear: int) -> range:
    """Where a write is cut: every `tear` bytes, and in long ones at as many places, evenly."""
    size = 0 if write.data is None else len(write.data)
    return range(1, size, max(tear, size // _MOST_TEARS))


def _some_parts(node: Node, dice: random.Random) -> Parts:
    def one(write: Write) -> int:
        size = 0 if write.data is None else len(write.data)
        return dice.choice((LOST, WHOLE, WHOLE, HOLLOW, dice.randrange(size) if size else WHOLE))

    return tuple(one(write) for write in node.waiting)


class Platter:
    """A disk as one crash leaves it: its digest, and the files themselves."""

    def __init__(self, disk: Disk, crash: Crash, digests: dict[tuple[int, int, Parts], str]) -> None:
        """`digests`: what was computed for other crashes of the same replay."""
        self._disk = disk
        self._digests = digests
        self._parts = dict(crash.files)
        self._changed: dict[int, list[EntryChange]] = {}
        for change in disk.waiting:
            if change.number in crash.entries:
                for folder in {folder for folder, _, _ in change.entries}:
                    self._changed.setdefault(folder, []).append(change)

    def digest(self) -> str:
        """The same for the same names, modes and contents."""
        return self._folder_digest(0)[0]

    def _folder_digest(self, number: int) -> tuple[str, bool]:
        """The digest of a folder and all below it, and whether it is the same in every crash of this moment.

        Those that are the same are computed once until something becomes durable."""
        known = self._digests.get((number, self._disk.stamp, _FOLDER))
        if known is not None:
            return known, True
        lines, same = [], number not in self._disk.unsettled
        for name, child in sorted(self._entries(number).items()):
            node = self._disk.nodes[child]
            what = node.target
            if node.kind == "file":
                what = self._digest(node)
                same = same and not node.waiting
            elif node.kind == "dir":
                what, alike = self._folder_digest(child)
                same = same and alike
            lines.append(f"{name} {node.mode} {what}")
        digest = hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
        if same:
            self._digests[(number, self._disk.stamp, _FOLDER)] = digest
        return digest, same

    def write(self, root: Path) -> None:
        """Lay the state out as real files below `root`, which must not exist."""
        root.mkdir()
        for path, node in self._walk(0, ""):
            place = root / path
            if node.kind == "dir":
                place.mkdir(node.mode)
            elif node.kind == "link":
                place.symlink_to(node.target)
            else:
                handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, node.mode)
                os.write(handle, self._content(node))
                os.close(handle)

    def _walk(self, number: int, prefix: str) -> Iterator[tuple[str, Node]]:
        """Parents before children."""
        for name, child in self._entries(number).items():
            node = self._disk.nodes[child]
            yield prefix + name, node
            if node.kind == "dir":
                yield from self._walk(child, f"{prefix}{name}/")

    def _entries(self, number: int) -> Mapping[str, int]:
        node = self._disk.nodes[number]
        changes = self._changed.get(number)
        if not changes:
            return node.durable
        entries = dict(node.durable)
        for change in changes:
            for folder, name, child in change.entries:
                if folder == number and child is None:
                    entries.pop(name, None)
                elif folder == number and child is not None:
                    entries[name] = child
        return entries

    def _digest(self, node: Node) -> str:
        key = (node.number, node.epoch, self._parts.get(node.number, ()))
        known = self._digests.get(key)
        if known is None:
            known = self._digests[key] = hashlib.blake2b(self._content(node), digest_size=16).hexdigest()
        return known

    def _content(self, node: Node) -> bytes:
        data = bytearray(node.stable)
        for write, part in zip(node.waiting, self._parts.get(node.number, ()), strict=False):
            _apply(write, part, data)
        return bytes(data)


def _apply(write: Write, part: int, data: bytearray) -> None:
    if part == LOST:
        return
    if part == WHOLE or write.data is None:
        write.apply(data)
    elif part == HOLLOW:
        Write(write.offset, bytes(len(write.data))).apply(data)
    else:
        Write(write.offset, write.data[:part]).apply(data)
