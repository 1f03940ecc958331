"""A disk that keeps only what was made durable: files, folders and links, and what waits to reach the platter.

Data waits until the file is fsynced, entries (create, rename, unlink, link, symlink, mkdir) until their folder is. What
waits may be there after a power cut, wholly, in part, or not at all, whatever else is."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IMODE

ALWAYS_THERE = ("control/published/", "control/replies/")
"""Written anew each second and never trusted: what becomes of them in a power cut is no matter."""


class ImpossibleCall(Exception):
    """A call that cannot come at this place of a recording: what it works on is not there, or is there already."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at an offset; `data` None: the file is cut or grown to `offset` bytes."""

    offset: int
    data: bytes | None

    def apply(self, to: bytearray) -> None:
        if self.data is None:
            del to[self.offset :]
        if len(to) < self.offset:
            to.extend(b"\0" * (self.offset - len(to)))
        if self.data is not None:
            to[self.offset : self.offset + len(self.data)] = self.data


@dataclass(slots=True, eq=False)
class Node:
    """One inode. `stable`: what is durable of a file; `waiting`: writes since; `epoch` counts its fsyncs."""

    number: int
    kind: str
    mode: int = 0o600
    target: str = ""
    stable: bytes = b""
    waiting: list[Write] = field(default_factory=list)
    epoch: int = 0
    now: dict[str, int] = field(default_factory=dict)
    durable: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        content = bytearray(self.stable)
        for write in self.waiting:
            write.apply(content)
        return len(content)


@dataclass(frozen=True, slots=True)
class EntryChange:
    """One change of entries, whole or not at all: (folder, name) → inode or None. Durable when `folder` is synced."""

    number: int
    folder: int
    entries: tuple[tuple[int, str, int | None], ...]


class Disk:
    """Nodes by number; number 0 is the root. Everything that is there at first is durable.

    `stamp` counts what became durable or changed its mode since."""

    def __init__(self, before: Path) -> None:
        self.stamp = 0
        self.nodes: dict[int, Node] = {0: Node(0, "dir", 0o755)}
        self.waiting: list[EntryChange] = []
        self._next = 1
        self._changes = 0
        self._read(before, self.nodes[0])

    # names
    def find(self, path: str) -> Node | None:
        """The node that `path`, relative to the root, leads to now. Links are not followed, except within the path."""
        node = self.nodes[0]
        for part in [piece for piece in path.split("/") if piece not in {"", "."}]:
            number = node.now.get(part)
            if number is None:
                return None
            node = self.nodes[number]
        return node

    def new(self, kind: str, mode: int = 0o600, target: str = "") -> Node:
        node = Node(self._next, kind, mode, target)
        self.nodes[self._next] = node
        self._next += 1
        return node

    def change(self, *entries: tuple[str, int | None], at_once: bool = False) -> None:
        """Change entries, by path; the last one's folder is the one to sync. `at_once`: durable without."""
        rows = []
        for path, number in entries:
            folder = self.find(os.path.dirname(path))
            if folder is None:
                raise ImpossibleCall(f"{path} has no folder")
            name = os.path.basename(path)
            rows.append((folder.number, name, number))
            _set(folder.now, name, number)
        self._changes += 1
        change = EntryChange(self._changes, rows[-1][0], tuple(rows))
        if at_once:
            self._make_durable(change)
        else:
            self.waiting.append(change)

    def names(self) -> dict[int, str]:
        """Where each node is now; of one with several names, any of them."""
        found: dict[int, str] = {}

        def walk(node: Node, path: str) -> None:
            found[node.number] = path
            for name, child in node.now.items():
                walk(self.nodes[child], f"{path}/{name}" if path else name)

        walk(self.nodes[0], "")
        return found

    # what becomes durable
    def sync(self, node: Node) -> None:
        if node.kind == "dir":
            for change in [each for each in self.waiting if each.folder == node.number]:
                self._make_durable(change)
                self.waiting.remove(change)
        else:
            content = bytearray(node.stable)
            for write in node.waiting:
                write.apply(content)
            node.stable, node.waiting = bytes(content), []
            node.epoch += 1
            self.stamp += 1

    def unsynced_files(self) -> Iterator[Node]:
        return (node for node in self.nodes.values() if node.waiting)

    @property
    def unsettled(self) -> frozenset[int]:
        """Folders whose entries may be these or those."""
        return frozenset(folder for change in self.waiting for folder, _, _ in change.entries)

    def _make_durable(self, change: EntryChange) -> None:
        self.stamp += 1
        for folder, name, number in change.entries:
            _set(self.nodes[folder].durable, name, number)

    def _read(self, place: Path, node: Node) -> None:
        for path in sorted(place.iterdir()):
            if path.is_symlink():
                child = self.new("link", target=os.readlink(path))
            elif path.is_dir():
                child = self.new("dir", S_IMODE(path.stat().st_mode))
                self._read(path, child)
            else:
                child = self.new("file", S_IMODE(path.stat().st_mode))
                child.stable = path.read_bytes()
            node.now[path.name] = node.durable[path.name] = child.number


def _set(entries: dict[str, int], name: str, number: int | None) -> None:
    if number is None:
        entries.pop(name, None)
    else:
        entries[name] = number
