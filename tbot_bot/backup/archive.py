"""A backup file: a tar encrypted with age, the signed manifest first, then exactly what it names, in its order.

Reading accepts nothing but the very bytes that writing makes: each tar header must equal the one that the manifest's
next entry gives, so links, devices, other names, other sizes and doubles cannot be expressed. `age -d FILE | tar -t`
works too. Nothing is kept on a disk in between, and memory does not grow with the files."""

import hashlib
import tarfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import pyrage

from tbot_bot.backup.manifest import MANIFEST, Entry, Manifest, decode, encode
from tbot_bot.domain.errors import BackupRefused
from tbot_bot.support.key_use import used

_BLOCK = 512
_CHUNK = 1 << 16
_END = b"\0" * (2 * _BLOCK)
_LARGEST_MANIFEST = 8 * 1024 * 1024
_Steps = Generator[int, bytes, None]
_NOT_WHOLE = "The backup is cut off or damaged; nothing was taken from it."


class Sink(Protocol):
    """Where a member's content goes."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Member:
    """A file to pack: `content` for what is small or secret, else the first `size` bytes of the file at `path`."""

    entry: Entry
    content: bytes | None = None
    path: Path | None = None


def member_of_bytes(name: str, content: bytes) -> Member:
    return Member(Entry(name, len(content), hashlib.sha256(content).hexdigest()), content=content)


def member_of_file(name: str, path: Path, size: int | None = None) -> Member:
    """The file as it is now, up to `size` bytes: what is appended later does not belong to this backup."""
    digest, length = hashlib.sha256(), 0
    for chunk in _chunks(path, size):
        digest.update(chunk)
        length += len(chunk)
    return Member(Entry(name, length, digest.hexdigest()), path=path)


def pack(manifest: Manifest, members: Sequence[Member], mac_key: bytes, to: Sequence[str], out: BinaryIO) -> None:
    """Write the encrypted archive to `out`. Raises OSError, and BackupRefused when a file changed meanwhile."""
    recipients = [pyrage.x25519.Recipient.from_str(text) for text in to]
    source = _Source(_tar(encode(manifest, mac_key), members))
    try:
        with used("recovery", "encrypt", "backup"):
            pyrage.encrypt_io(source, out, recipients)
    except pyrage.EncryptError as error:
        raise source.failure or OSError(str(error)) from error


def unpack(source: BinaryIO, identity: str, mac_key: bytes, take: Callable[[Entry], Sink | None]) -> Manifest:
    """Read an archive through; `take` says where each member's content goes (None: it is only checked).

    What went to the sinks is true only when this returns. Raises BackupRefused."""
    reader = _Reader(mac_key, take)
    try:
        with used("recovery", "decrypt", "backup"):
            pyrage.decrypt_io(source, reader, [pyrage.x25519.Identity.from_str(identity)])
    except pyrage.DecryptError as error:
        raise BackupRefused("This key does not open the backup, or the file is no backup.") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise BackupRefused(_NOT_WHOLE) from error
    return reader.finished()


def _tar(manifest: bytes, members: Sequence[Member]) -> Iterator[bytes]:
    yield _header(MANIFEST, len(manifest))
    yield manifest + _padding(len(manifest))
    for member in members:
        yield _header(member.entry.name, member.entry.size)
        yield from _content(member)
        yield _padding(member.entry.size)
    yield _END


def _content(member: Member) -> Iterator[bytes]:
    if member.content is not None:
        yield member.content
        return
    if member.path is None:
        raise ValueError(f"{member.entry.name} has no content")
    digest, length = hashlib.sha256(), 0
    for chunk in _chunks(member.path, member.entry.size):
        digest.update(chunk)
        length += len(chunk)
        yield chunk
    if (length, digest.hexdigest()) != (member.entry.size, member.entry.sha256):
        raise BackupRefused(f"{member.entry.name} changed while it was copied")


def _chunks(path: Path, size: int | None) -> Iterator[bytes]:
    left = size
    with path.open("rb") as file:
        while left is None or left > 0:
            chunk = file.read(_CHUNK if left is None else min(_CHUNK, left))
            if not chunk:
                return
            if left is not None:
                left -= len(chunk)
            yield chunk


def _header(name: str, size: int) -> bytes:
    """The one header that a name and a size can have."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return b"\0" * (-size % _BLOCK)


class _Source:
    """Chunks as a file to read; keeps what went wrong, since the reader passes on only its words."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.failure: BackupRefused | OSError | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._rest:
                self._rest = next(self._chunks)
        except StopIteration:
            return b""
        except (BackupRefused, OSError) as error:
            self.failure = error
            raise
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken


class _Reader:
    """Takes the decrypted tar piece by piece; refuses it at the first byte that does not belong."""

    def __init__(self, mac_key: bytes, take: Callable[[Entry], Sink | None]) -> None:
        self._mac_key = mac_key
        self._take = take
        self._waiting = bytearray()
        self._manifest: Manifest | None = None
        self._steps = self._expect()
        self._wanted = next(self._steps)
        self._done = False

    def write(self, data: bytes) -> int:
        self._waiting += data
        while not self._done and len(self._waiting) >= self._wanted:
            piece = bytes(self._waiting[: self._wanted])
            del self._waiting[: self._wanted]
            self._advance(piece)
        if self._done and self._waiting:
            raise BackupRefused(_NOT_WHOLE)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back that could be given on."""

    def finished(self) -> Manifest:
        if not self._done or self._manifest is None:
            raise BackupRefused(_NOT_WHOLE)
        return self._manifest

    def _advance(self, piece: bytes) -> None:
        try:
            self._wanted = self._steps.send(piece)
        except StopIteration:
            self._done = True

    def _expect(self) -> _Steps:
        """Yields how many bytes are needed next and receives them."""
        size = _manifest_size((yield _BLOCK))
        data = yield size
        self._manifest = decode(data, self._mac_key)
        yield from _pad(size)
        for entry in self._manifest.files:
            if (yield _BLOCK) != _header(entry.name, entry.size):
                raise BackupRefused(_NOT_WHOLE)
            yield from self._member(entry)
            yield from _pad(entry.size)
        if (yield len(_END)) != _END:
            raise BackupRefused(_NOT_WHOLE)

    def _member(self, entry: Entry) -> _Steps:
        sink, digest, left = self._take(entry), hashlib.sha256(), entry.size
        while left:
            piece = yield min(left, _CHUNK)
            left -= len(piece)
            digest.update(piece)
            if sink is not None:
                sink.write(piece)
        if digest.hexdigest() != entry.sha256:
            raise BackupRefused(f"{entry.name} is not what the manifest says; nothing was taken from the backup.")


def _manifest_size(header: bytes) -> int:
    try:
        size = int(header[124:135], 8)
    except ValueError as error:
        raise BackupRefused("This is no backup of tbot.") from error
    if not 0 < size <= _LARGEST_MANIFEST or header != _header(MANIFEST, size):
        raise BackupRefused("This is no backup of tbot.")
    return size


def _pad(size: int) -> _Steps:
    padding = _padding(size)
    if padding and (yield len(padding)) != padding:
        raise BackupRefused(_NOT_WHOLE)
