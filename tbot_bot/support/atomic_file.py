"""Every write of tbot: whole files by temp + fsync + rename + fsync of the folder, and appended lines by fsync."""

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def ensure_folder(folder: Path, mode: int = 0o700) -> None:
    """Create `folder` and its parents; an existing one keeps its mode."""
    if folder.is_dir():
        return
    ensure_folder(folder.parent, 0o755)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=mode)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries (creations, renames, removals) durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes, mode: int = 0o600, *, durable: bool = True) -> None:
    """Replace `path` by `data`, whole or not at all; born with `mode` under a name no one else chose.

    `durable=False` skips both fsyncs: for snapshots that the next second replaces."""
    temp = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            _write_all(handle, data)
            os.fchmod(handle, mode)
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


def write_new(path: Path, data: bytes, mode: int = 0o600) -> None:
    """A file born in a folder that no one reads yet; whoever gives that folder its name makes its entries durable.

    Raises FileExistsError when `path` is there."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        _write_all(handle, data)
        os.fchmod(handle, mode)
        os.fsync(handle)
    finally:
        os.close(handle)


def create_bytes(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Like write_bytes, but refuses to replace: raises FileExistsError when `path` is there."""
    temp = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    write_bytes(temp, data, mode)
    try:
        os.link(temp, path)
    finally:
        temp.unlink()
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
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._handle = os.open(path, flags, mode)
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
