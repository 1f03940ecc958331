"""A law of persistence, judged on the calls alone, without trying any crash.

What is kept becomes durable in the order in which it was done, one subject at a time. So a power cut leaves the disk as
some kill would have left it: all that was done before some moment, and of the one subject then in hand any part.

1. Content before its name: what a rename or link gives a name to is synced, with all that is below it.
2. One subject at a time: while a name or content waits, nothing else that is kept is changed.
3. Nothing waits when an answer leaves, nor at the end.
4. A commit comes after all that it speaks of: see COMMITS.
5. SQLite's own files by SQLite's own protocol: log before database, database before the log is begun anew, each header
   before what relies on it."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from tools.faults.calls import OPENS, SYNCS, WRITES, Call
from tools.faults.disk import Disk, EntryChange, Node
from tools.faults.replay import LINKS, REMOVALS, RENAMES, Replay

SCRATCH: Mapping[str, str] = {
    r"control/(published|replies)/": "written anew each second, or fetched within one; never trusted",
    r".*-shm$": "SQLite builds it anew from the log",
    r".*/\.(lock|busy)$|control/\.[a-z]+\.lock$": "holds nothing: only its lock counts, which ends with its process",
    r"tbot_bot/storage/backups/\.work(/|$)": "copies on their way into a backup; the next backup drops what is left",
    r"tbot_bot/storage/restore/preview(/|$)": "a look at a backup; what is left of it the next look or start drops",
}
"""Where nothing needs to be durable, and why."""

_LOOSE = re.compile(
    r"(^|/)\.[^/]*(\.tmp|\.staging)(-wal|-journal)?(/|$)|(^|/)\.doomed\.[^/]*(/|$)|^tbot_bot/storage/restore/stage(/|$)"
)
"""Work under way under names that no one trusts: it may wait until it is given a real name."""

TOGETHER = frozenset({"tbot_bot/storage/current", "tbot_bot/storage/keys", "tbot_bot/storage/secrets"})
"""Names given on first use in any order, under one sync: until all three are there, a start makes them again."""

COMMITS: Mapping[str, str] = {"tbot_bot/storage/runner/restore.json": "tbot_bot/storage/restore/stage"}
"""File that commits → folder whose content it says is whole."""

_LEFT = re.compile(r"^tbot_bot/storage/restore$")
"""A work folder whose removal may be lost: the next start removes it again."""

_DATABASE = re.compile(r"(?P<main>.*\.db(\.tmp)?)(?P<side>-wal|-journal)?$")


@dataclass(frozen=True, slots=True)
class Breach:
    """At which call what waited that must not."""

    position: int
    words: str


def is_scratch(path: str) -> bool:
    return any(re.match(pattern, path) for pattern in SCRATCH)


def is_loose(path: str) -> bool:
    return _LOOSE.search(path) is not None


def breaches(before: Path, calls: tuple[Call, ...], root: str) -> Iterator[Breach]:
    """What in a recording is against the law. Raises ImpossibleCall when the calls cannot come in this order."""
    law = Law(before, calls, root)
    for position, call in enumerate(calls):
        if not call.failed:
            yield from (Breach(position, words) for words in law.against(call))
            law.play(call)
    yield from (Breach(len(calls), f"{what} waits at the end") for what in law.waiting())


class Law:
    """Plays calls and says of each, before it is played, what is wrong with it at this moment."""

    def __init__(self, before: Path, calls: tuple[Call, ...], root: str) -> None:
        self._root = root
        self._replay = Replay(before, calls, root)
        self._modes: set[int] = set()
        self._left: dict[int, str] = {}

    @property
    def disk(self) -> Disk:
        return self._replay.disk

    def play(self, call: Call) -> None:
        node = self._replay.node_of(call) if call.name in SYNCS or "chmod" in call.name else None
        if node is not None:
            (self._modes.discard if call.name in SYNCS else self._modes.add)(node.number)
            if call.name in SYNCS:
                self._left.pop(node.number, None)
        if call.name in RENAMES:
            self._moved(*(os.path.relpath(path, self._root) for path in call.paths))
        self._replay.play(call)

    def _moved(self, old: str, new: str) -> None:
        """Not every file system takes a name out of one folder and into another at once: both are to be synced."""
        place = self.disk.find(os.path.dirname(old))
        if place is not None and _kept(old) and os.path.dirname(old) != os.path.dirname(new):
            self._left[place.number] = _naming(new)

    def waiting(self) -> frozenset[str]:
        """Subjects that are kept and not durable."""
        names = self.disk.names()
        found = {subject for change in self.disk.waiting for subject in self._subjects(change, names)}
        for number in {node.number for node in self.disk.unsynced_files()} | self._modes:
            path = names.get(number)
            if path is not None and _kept(path):
                found.add(_subject_of(path))
        return frozenset({*found, *self._left.values()})

    def waits_in(self, call: Call) -> bool:
        """Whether a sync has something to make durable."""
        node = self._replay.node_of(call)
        if node is None:
            return False
        entries = any(change.folder == node.number for change in self.disk.waiting)
        return bool(node.waiting) or entries or node.number in self._modes or node.number in self._left

    def against(self, call: Call) -> list[str]:
        if call.paths[0].startswith("pipe:"):
            return [f"{what} waits when the answer leaves" for what in sorted(self.waiting())]
        paths = [os.path.relpath(path, self._root) for path in call.paths]
        wrong = [*self._names_given(call, paths), *self._database(call, paths)]
        touched = self.touched(call)
        if touched:
            wrong += [f"{what} waits when {touched} is changed" for what in sorted(self.waiting() - {touched})]
            wrong += self._committed(paths)
        return wrong

    def changes(self, call: Call) -> bool:
        """Whether the call changes anything that a power cut may take and that is of any weight."""
        paths = [os.path.relpath(path, self._root) for path in call.paths]
        if call.failed or call.paths[0].startswith("pipe:") or all(is_scratch(path) for path in paths):
            return False
        writes = call.name in WRITES or "truncate" in call.name or "chmod" in call.name
        return writes or self._names(call, paths)

    def _names(self, call: Call, paths: list[str]) -> bool:
        """Whether the call gives or takes a name."""
        creates = call.name in OPENS and "O_CREAT" in "".join(call.args) and self.disk.find(paths[0]) is None
        return creates or call.name in RENAMES | LINKS | REMOVALS or call.name.startswith(("mkdir", "symlink"))

    def touched(self, call: Call) -> str:
        """The kept subject that the call changes; "" when it changes none."""
        paths = [os.path.relpath(path, self._root) for path in call.paths]
        kept = [path for path in paths if _kept(path)]
        if not kept or call.deleted:
            return ""
        if call.name in WRITES or "truncate" in call.name or "chmod" in call.name:
            return _subject_of(kept[0])
        return _naming(kept[-1]) if self._names(call, paths) else ""

    def _names_given(self, call: Call, paths: list[str]) -> Iterator[str]:
        if call.name not in RENAMES | LINKS or not _kept(paths[-1]):
            return
        node = self.disk.find(paths[0])
        if node is not None:
            yield from (f"{what} is not durable when it is named {paths[-1]}" for what in self._not_durable(node, ""))

    def _committed(self, paths: list[str]) -> Iterator[str]:
        folder = COMMITS.get(paths[-1], "")
        node = self.disk.find(folder) if folder else None
        if node is not None:
            yield from (f"{folder}: {what} is not durable at the commit" for what in self._not_durable(node, ""))
            places = [folder, *map(str, PurePath(folder).parents)]
            yield from (f"the name {place} is not durable at the commit" for place in places if self._unnamed(place))

    def _not_durable(self, node: Node, path: str) -> Iterator[str]:
        """What of a file or a folder with all below it waits."""
        if node.waiting:
            yield f"content {path}"
        if node.number in self._modes:
            yield f"mode {path}"
        if any(change.folder == node.number for change in self.disk.waiting):
            yield f"entries {path}"
        for name, child in node.now.items():
            yield from self._not_durable(self.disk.nodes[child], f"{path}/{name}")

    def _subjects(self, change: EntryChange, names: Mapping[int, str]) -> Iterator[str]:
        for folder, name, child in change.entries:
            path = os.path.normpath(f"{names.get(folder, '.doomed.0')}/{name}")
            if _kept(path) and not self._of_no_weight(path, child):
                yield _naming(path)

    def _of_no_weight(self, path: str, child: int | None) -> bool:
        """Names whose loss changes nothing: SQLite's log that is empty or was taken over into its database."""
        database = _DATABASE.match(path)
        if child is None:
            return _LEFT.match(path) is not None or bool(database and database["side"])
        return bool(database and database["side"]) and self.disk.nodes[child].size == 0

    def _database(self, call: Call, paths: list[str]) -> Iterator[str]:
        """SQLite's protocol, where the call is one on a file of SQLite's."""
        family = _DATABASE.match(paths[0])
        writes = call.name in WRITES or "truncate" in call.name
        if family is None or not (writes or call.name in REMOVALS) or call.deleted:
            return
        main, log = family["main"], family["main"] + "-wal"
        if family["side"] is None and writes:
            for side in (log, main + "-journal"):
                if self._waits(side) or self._unnamed(side):
                    yield f"{side} waits when the database is written"
        if family["side"] and self._waits(main) and (call.name in REMOVALS or _begins(call)):
            yield f"{main} waits when its log is begun anew"
        if family["side"] == "-wal" and writes and not _begins(call) and self._waits(log, at=0):
            yield f"the head of {log} waits when more is written"
        if family["side"] == "-journal" and writes and _begins(call) and self._waits(main + "-journal"):
            yield f"{main}-journal waits when its head is written anew"

    def _waits(self, path: str, at: int | None = None) -> bool:
        node = self.disk.find(path)
        return node is not None and any(at is None or write.offset == at for write in node.waiting)

    def _unnamed(self, path: str) -> bool:
        """Whether the file's name is not durable yet."""
        node = self.disk.find(path)
        return node is not None and any(
            child == node.number for change in self.disk.waiting for _, _, child in change.entries
        )


def database_of(path: str) -> str:
    """The database that a file of SQLite's belongs to; "" for any other file."""
    family = _DATABASE.match(path)
    return "" if family is None else family["main"]


def _kept(path: str) -> bool:
    return not is_scratch(path) and not is_loose(path)


def _subject_of(path: str) -> str:
    family = _DATABASE.match(path)
    return path if family is None else family["main"]


def _naming(path: str) -> str:
    """The subject of a change of names: the name; of SQLite's own files the database."""
    return "the links of the generation" if path in TOGETHER else _subject_of(path)


def _begins(call: Call) -> bool:
    return "truncate" in call.name or (call.name.startswith("pwrite") and call.args[3].strip() == "0")
