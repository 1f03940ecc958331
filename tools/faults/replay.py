"""Playing a recording onto a Disk, call by call."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.faults.calls import OPENS, SYNCS, WRITES, Call, octal, symlink_target
from tools.faults.disk import ALWAYS_THERE, Disk, ImpossibleCall, Node, Write

RENAMES = frozenset({"rename", "renameat", "renameat2"})
LINKS = frozenset({"link", "linkat"})
REMOVALS = frozenset({"unlink", "unlinkat", "rmdir"})


@dataclass(slots=True)
class _Open:
    node: Node
    append: bool
    at: int = 0


class Replay:
    """`steps` yields each call after it was played; `said` are the answers given so far."""

    def __init__(self, before: Path, calls: tuple[Call, ...], root: str) -> None:
        self.disk = Disk(before)
        self.said: list[dict[str, Any]] = []
        self._calls = calls
        self._root = root
        self._open: dict[str, _Open] = {}

    def steps(self) -> Iterator[tuple[int, Call]]:
        for position, call in enumerate(self._calls):
            if not call.failed:
                self.play(call)
                yield position, call

    def play(self, call: Call) -> None:
        if call.paths[0].startswith("pipe:"):
            self.said += [json.loads(line) for line in call.data.splitlines()]
            return
        if call.name in SYNCS:
            node = self.node_of(call)
            if node is not None:
                self.disk.sync(node)
        elif call.name in OPENS:
            self._play_open(call)
        elif call.name in WRITES or call.name == "ftruncate":
            self._play_write(call)
        elif call.name == "close":
            self._open.pop(_handle(call), None)
        else:
            self._play_names(call)

    def _play_names(self, call: Call) -> None:
        disk, paths = self.disk, [os.path.relpath(path, self._root) for path in call.paths]
        at_once = paths[-1].startswith(ALWAYS_THERE)
        if call.name in RENAMES:
            moved = self._there(paths[0])
            disk.change((paths[0], None), (paths[1], moved.number), at_once=at_once)
        elif call.name in LINKS:
            linked = self._there(paths[0])
            self._not_there(paths[1])
            disk.change((paths[1], linked.number), at_once=at_once)
        elif call.name in REMOVALS:
            self._there(paths[0])
            disk.change((paths[0], None), at_once=at_once)
        elif call.name.startswith("mkdir"):
            self._not_there(paths[0])
            disk.change((paths[0], disk.new("dir", octal(call) & ~0o022).number), at_once=at_once)
        elif call.name.startswith("symlink"):
            self._not_there(paths[0])
            disk.change((paths[0], disk.new("link", target=symlink_target(call)).number), at_once=at_once)
        elif "chmod" in call.name:
            node = self.node_of(call)
            if node is not None:
                node.mode = octal(call)
                disk.stamp += 1
        else:
            raise ValueError(f"{call.name} is not played: {call.args}")

    def _play_open(self, call: Call) -> None:
        path = os.path.relpath(call.paths[0], self._root)
        flags = call.args[2] if call.name == "openat" else call.args[1]
        node = self.disk.find(path)
        if node is None and "O_CREAT" not in flags and call.mutates:
            raise ImpossibleCall(f"{path} is not there")
        if node is not None and "O_EXCL" in flags:
            raise ImpossibleCall(f"{path} is there already")
        if node is None and "O_CREAT" in flags:
            self._there(os.path.dirname(path))
            node = self.disk.new("file", octal(call) & ~0o022)
            self.disk.change((path, node.number), at_once=path.startswith(ALWAYS_THERE) or path.endswith("-shm"))
        elif node is not None and "O_TRUNC" in flags:
            node.waiting.append(Write(0, None))
        if node is not None and node.kind == "file":
            self._open[str(call.result)] = _Open(node, "O_APPEND" in flags)

    def _there(self, path: str) -> Node:
        node = self.disk.find(path)
        if node is None:
            raise ImpossibleCall(f"{path} is not there")
        return node

    def _not_there(self, path: str) -> None:
        self._there(os.path.dirname(path))
        if self.disk.find(path) is not None:
            raise ImpossibleCall(f"{path} is there already")

    def _play_write(self, call: Call) -> None:
        opened = self._opened(call)
        # Opened before the recording began: only logs are, and they are appended to.
        node, append = (opened.node, opened.append) if opened is not None else (self.node_of(call), True)
        if node is None:
            if call.deleted:
                return
            raise ImpossibleCall(f"{call.paths[0]} is not there")
        if call.name == "ftruncate":
            node.waiting.append(Write(int(call.args[1]), None))
        else:
            positioned = call.name.startswith("pwrite")
            place = int(call.args[3]) if positioned else node.size if append else opened.at if opened else 0
            data = call.data[: call.result]
            node.waiting.append(Write(place, data))
            if opened is not None and not positioned:
                opened.at = place + len(data)
        if call.paths[0].endswith("-shm") or os.path.relpath(call.paths[0], self._root).startswith(ALWAYS_THERE):
            self.disk.sync(node)

    def node_of(self, call: Call) -> Node | None:
        opened = self._opened(call)
        if opened is not None:
            return opened.node
        return None if call.deleted else self._by_path(call)

    def _opened(self, call: Call) -> _Open | None:
        """What the call's descriptor was opened on. Where calls were put in another order it may be another's."""
        opened = self._open.get(_handle(call))
        named = None if call.deleted else self._by_path(call)
        return None if opened is not None and named not in {None, opened.node} else opened

    def _by_path(self, call: Call) -> Node | None:
        return self.disk.find(os.path.relpath(call.paths[0], self._root))


def _handle(call: Call) -> str:
    return call.args[0].partition("<")[0]
