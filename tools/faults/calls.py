"""What strace wrote, as calls with paths relative to the root."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_LINE = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<args>.*)\) += (?P<result>-?\d+|0x[0-9a-f]+|\?)(?P<rest>.*)$")
_UNFINISHED = re.compile(r"(?P<pid>\d+) +(?P<head>\w+\(.*?) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<tail>.*)$")
_DESCRIPTOR = re.compile(r"(?:(?P<number>\d+)|AT_FDCWD)<(?P<path>[^>]*)>(?P<deleted>\(deleted\))?")
_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
SYNCS = frozenset({"fsync", "fdatasync"})
WRITES = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2"})
OPENS = frozenset({"open", "openat", "creat"})
_TWO_PATHS = frozenset({"rename", "renameat", "renameat2", "link", "linkat"})


@dataclass(frozen=True, slots=True)
class Call:
    """One system call. `number`: how many of this name its thread had made, itself included. `paths`: absolute.

    `mutates`: it changes files below the root, or makes a change durable, or ends the writing of one."""

    pid: int
    name: str
    number: int
    args: tuple[str, ...]
    paths: tuple[str, ...]
    result: int
    deleted: bool
    mutates: bool
    data: bytes = field(repr=False, default=b"")

    @property
    def failed(self) -> bool:
        return self.result < 0

    def relative(self, root: str) -> str:
        """Where it acts, for words."""
        return " -> ".join(os.path.relpath(path, root) for path in self.paths)


def read_calls(text: str, root: str) -> tuple[Call, ...]:
    """All calls of a recording whose files lie below `root`, and every write to a pipe (how acts were answered)."""
    counts: Counter[tuple[int, str]] = Counter()
    written: set[tuple[int, str]] = set()
    calls = []
    for line in _whole_lines(text.splitlines()):
        match = _LINE.match(line)
        if match is None:
            continue
        pid, name = int(match["pid"]), match["name"]
        counts[pid, name] += 1
        call = _call(match, counts[pid, name], root, written)
        if call is not None:
            calls.append(call)
    return tuple(calls)


def _call(match: re.Match[str], number: int, root: str, written: set[tuple[int, str]]) -> Call | None:
    name, args = match["name"], tuple(match["args"].split(", "))
    result = -1 if match["result"] == "?" else int(match["result"], 0)
    paths, deleted = _paths(name, args)
    below = any(path == root or path.startswith(root + "/") for path in paths)
    if not below and not (name == "writev" and paths and paths[0].startswith("pipe:")):
        return None
    descriptor = _DESCRIPTOR.match(args[0])
    handle = (int(match["pid"]), descriptor["number"] if descriptor and descriptor["number"] else "")
    mutates = below
    if name in OPENS:
        flags = args[2] if name == "openat" else args[1]
        mutates = name == "creat" or _WRITING.search(flags) is not None
        if mutates and result >= 0:
            written.add((handle[0], str(result)))
        elif result >= 0:
            written.discard((handle[0], str(result)))
    elif name == "close":
        mutates = handle in written
        written.discard(handle)
    elif name.startswith("dup"):
        mutates = False
    data = _data(name, args) if name in WRITES else b""
    return Call(int(match["pid"]), name, number, args, paths, result, deleted, mutates, data)


def _paths(name: str, args: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Absolute paths that the call names or whose descriptor it takes; whether that file had lost its name."""
    found: list[str] = []
    folder, deleted = "", False
    for number, arg in enumerate(args):
        descriptor = _DESCRIPTOR.match(arg)
        if descriptor is not None:
            folder, deleted = _text(descriptor["path"]), descriptor["deleted"] is not None
            if number == 0 and name not in {
                "openat",
                "unlinkat",
                "mkdirat",
                "renameat",
                "renameat2",
                "linkat",
                "symlinkat",
                "fchmodat",
                "fchmodat2",
            }:
                found.append(folder)
        elif arg.startswith('"') and name not in WRITES:
            if name.startswith("symlink") and not found and number == 0:
                continue
            found.append(os.path.normpath(os.path.join(folder or "/", _text(arg.strip('"')))))
            if len(found) == (2 if name in _TWO_PATHS else 1):
                break
    return tuple(found), deleted


def symlink_target(call: Call) -> str:
    return _text(call.args[0].strip('"'))


def octal(call: Call) -> int:
    """The mode that the call gives; 0o777 where it gives none."""
    return int(call.args[-1], 8) if re.fullmatch(r"0[0-7]*", call.args[-1]) else 0o777


def _data(name: str, args: tuple[str, ...]) -> bytes:
    if name in {"write", "pwrite64"}:
        return _bytes(args[1].strip('"'))
    return b"".join(_bytes(part) for part in re.findall(r'iov_base="([^"]*)"', ", ".join(args)))


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def _text(escaped: str) -> str:
    return _bytes(escaped).decode() if escaped.startswith("\\x") else escaped


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines of calls that another thread's call cut in two are put together, at the place where they ended."""
    begun: dict[str, str] = {}
    for line in lines:
        unfinished, resumed = _UNFINISHED.match(line), _RESUMED.match(line)
        if unfinished is not None:
            begun[unfinished["pid"]] = f"{unfinished['pid']} {unfinished['head']}"
        elif resumed is not None and resumed["pid"] in begun:
            yield begun.pop(resumed["pid"]) + resumed["tail"]
        else:
            yield line
