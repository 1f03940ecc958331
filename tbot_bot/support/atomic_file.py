"""Every write of tbot: whole files by temp + fsync + rename + fsync of the folder, and appended lines by fsync.

Whom a file is shared with is said by its folder. Where an installation gave a folder to a group of ours it has the
setgid bit; what is born there may be read by that group, and written where the folder may be. Elsewhere, and where the
caller says `private`, a file has the mode that is asked for and no more."""

import contextlib
import json
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_umask_lock = threading.Lock()


def ensure_folder(folder: Path, mode: int = 0o700) -> None:
    """Create `folder` and its parents; an existing one keeps its mode."""
    if folder.is_dir():
        return
    ensure_folder(folder.parent, 0o755)
    with contextlib.suppress(FileExistsError):
        make_folder(folder, mode)
        sync_folder(folder.parent)


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """A new folder in an existing one, not synced; in a shared one it is shared in the same way.

    Raises FileExistsError."""
    shared = folder.parent.stat().st_mode
    if not shared & stat.S_ISGID:
        folder.mkdir(mode=mode)
        return
    # The kernel hands the setgid bit down. It could not be set by chmod where systemd forbids that bit, and chmod would
    # take it away; so the mode is right from the start, and for that moment the umask lets the group's bits through.
    with _umask_lock:
        before = os.umask(0o007)
        try:
            folder.mkdir(mode=mode | (shared & 0o070))
        finally:
            os.umask(before)


def shared_mode(folder: Path, mode: int) -> int:
    """The mode of a file born in `folder`: `mode`, and in a shared folder its group's part of it."""
    facts = folder.stat()
    if not facts.st_mode & stat.S_ISGID:
        return mode
    group = (mode & 0o600) >> 3
    return mode | (group if facts.st_mode & stat.S_IWGRP else group & 0o040)


def open_shared(path: Path, flags: int, mode: int = 0o600) -> int:
    """os.open for a file that several of our users open; who creates it gives it the mode its folder says."""
    handle = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    facts = os.fstat(handle)
    wanted = shared_mode(path.parent, mode)
    if facts.st_uid == os.geteuid() and stat.S_IMODE(facts.st_mode) & 0o070 != wanted & 0o070:
        os.fchmod(handle, wanted)
    return handle


def share(path: Path, folder: Path) -> None:
    """Give a file of ours that is to be moved into `folder` the mode and the group that it would be born with there."""
    facts, place = path.stat(), folder.stat()
    mode = shared_mode(folder, stat.S_IMODE(facts.st_mode))
    if place.st_mode & stat.S_ISGID and facts.st_gid != place.st_gid:
        _bear_again(path, folder, mode)
    elif mode != stat.S_IMODE(facts.st_mode):
        set_mode(path, mode)


def _bear_again(path: Path, folder: Path, mode: int) -> None:
    """A copy born in `folder`, so of its group, takes the file's place: chown is nothing that a process of ours may."""
    temp = folder / f".{path.name}.moving.tmp"
    temp.unlink(missing_ok=True)
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as copy:
            with path.open("rb") as source:
                shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        temp.rename(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def set_mode(path: Path, mode: int) -> None:
    """Give a file that is to get its name another mode, durably."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(handle, mode)
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries (creations, renames, removals) durable."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        # The web may put flags into a folder that it cannot list, and so cannot open: then all of the machine's writes.
        os.sync()
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes, mode: int = 0o600, *, durable: bool = True) -> None:
    """Replace `path` by `data`, whole or not at all; under a name no one else chose until then.

    `durable=False` skips both fsyncs: for snapshots that the next second replaces."""
    temp = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            _write_all(handle, data)
            os.fchmod(handle, shared_mode(path.parent, mode))
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        temp.rename(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_new(path: Path, data: bytes, mode: int = 0o600, *, private: bool = False) -> None:
    """A file born in a folder that no one reads yet; whoever gives that folder its name makes its entries durable.

    `private`: for its owner alone, in a shared folder too. Raises FileExistsError when `path` is there."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        _write_all(handle, data)
        os.fchmod(handle, mode if private else shared_mode(path.parent, mode))
        os.fsync(handle)
    finally:
        os.close(handle)


def create_bytes(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Like write_bytes, but refuses to replace: raises FileExistsError when `path` is there."""
    temp = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        write_new(temp, data, mode)
        os.link(temp, path)
    finally:
        temp.unlink(missing_ok=True)
    sync_folder(path.parent)


def json_line(value: Mapping[str, Any]) -> bytes:
    """`value` as compact JSON with sorted keys and a newline."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def write_json(path: Path, value: Mapping[str, Any], mode: int = 0o600, *, durable: bool = True) -> None:
    """Replace `path` by `value` as one line of JSON."""
    write_bytes(path, json_line(value), mode, durable=durable)


class LineLog:
    """Append-only JSON lines; each append is durable before it returns. A torn last line is closed off on opening."""

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        ensure_folder(path.parent)
        existed = path.exists()
        self._handle = open_shared(path, os.O_RDWR | os.O_APPEND, mode)
        if not existed:
            sync_folder(path.parent)
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            _write_all(self._handle, b"\n")

    def append(self, value: Mapping[str, Any], *, durable: bool = True) -> None:
        _write_all(self._handle, json_line(value))
        if durable:
            os.fdatasync(self._handle)

    def close(self) -> None:
        # Linux releases the handle whatever it answers, and what had to be durable is so since its append.
        with contextlib.suppress(OSError):
            os.close(self._handle)


def read_lines(path: Path) -> tuple[dict[str, Any], ...]:
    """The complete JSON objects of a line log, in order; a torn line (a crash while writing) is left out."""
    if not path.exists():
        return ()
    rows = []
    for line in path.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(line)
            if isinstance(value, dict):
                rows.append(value)
    return tuple(rows)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
