"""A backup opened with the offline identity: keys and secrets in memory only, the other files in a private folder."""

import io
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tbot_bot.backup.archive import Sink, unpack
from tbot_bot.backup.manifest import Entry, Manifest
from tbot_bot.backup.recovery import RecoveryKey
from tbot_bot.config.config_encryption import stored_in
from tbot_bot.config.env_file import parse_env_text
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.config.schema import find
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import BackupRefused, SecretUnavailable
from tbot_bot.support.atomic_file import ensure_folder
from tbot_bot.support.decrypt_secrets import GenerationFolder
from tbot_bot.support.path_resolver import Paths

_SETTINGS = "settings"
_MOST_IN_MEMORY = 64 * 1024 * 1024


class BackedUpGeneration(GenerationFolder):
    """The keys and secrets of a backup, read as those of a generation are, without ever lying on a disk."""

    def __init__(self, files: Mapping[str, bytes], keys_outside: Path | None = None) -> None:
        super().__init__(-1, "read a backup", keys_outside)
        self._files = files

    def _read(self, name: str) -> bytes:
        data = self._files.get(name)
        if data is None and self._keys_outside is not None and name.startswith("keys/"):
            return super()._read(name)
        if not data:
            raise SecretUnavailable(f"the backup holds no {name}")
        return data


@dataclass(frozen=True, slots=True)
class Opened:
    """`folder` holds the extracted files under their names in the backup."""

    manifest: Manifest
    generation: BackedUpGeneration = field(repr=False)
    folder: Path

    def file(self, name: str) -> Path:
        return self.folder / name

    def keys(self, category: str) -> tuple[bytes, ...]:
        """The category's keys in the backup, the newest first; none when they are not in it or are damaged."""
        try:
            return self.generation.keys(category)
        except SecretUnavailable:
            return ()

    def config(self) -> tuple[ParsedConfig, tuple[str, ...]]:
        """The settings as this release understands them, and the names of those that it does not know.

        Raises BackupRefused when they cannot be used, SecretUnavailable when the backup holds none."""
        stored = stored_in(self.generation)
        values = {**stored.others, **parse_env_text(stored.env_bot).values, "VERSION_TAG": version_tag()}
        unknown = tuple(sorted(name for name in values if find(name) is None))
        parsed = parse({name: text for name, text in values.items() if name not in unknown}, version_tag())
        if isinstance(parsed, ParsedConfig):
            return parsed, unknown
        raise BackupRefused("The backup's settings do not fit this release: " + "; ".join(map(str, parsed)))


@dataclass(frozen=True, slots=True)
class Opener:
    """An identity that opens backups, and the key that their manifests are signed with."""

    identity: str = field(repr=False)
    mac_key: bytes = field(repr=False)
    keys_outside: Path | None = None
    """Where this installation's keys are when neither it nor its backups hold them."""


def with_recovery_key(key: RecoveryKey) -> Opener:
    return Opener(key.identity, key.mac_key)


def open_backup(
    source: Path, opener: Opener, folder: Path, wanted: Callable[[Entry], bool], *, durable: bool = False
) -> Opened:
    """Read the whole backup; the members that are `wanted` are extracted, all others only checked.

    `durable`: the content of what is extracted survives a power cut; its names are the caller's to make durable.
    Raises BackupRefused or OSError; what lies in `folder` is then to be thrown away."""
    in_memory: dict[str, io.BytesIO] = {}
    files: list[io.BufferedWriter] = []
    taken = 0

    def take(entry: Entry) -> Sink | None:
        nonlocal taken
        if entry.part == _SETTINGS:
            taken += entry.size
            if taken > _MOST_IN_MEMORY:
                raise BackupRefused("The backup's settings are larger than any that tbot makes.")
            return in_memory.setdefault(entry.name.removeprefix(f"{_SETTINGS}/"), io.BytesIO())
        if not wanted(entry):
            return None
        files.append(_new_file(folder / entry.name))
        return files[-1]

    try:
        with source.open("rb") as file:
            manifest = unpack(file, opener.identity, opener.mac_key, take)
        for one in files:
            one.flush()
            if durable:
                os.fsync(one.fileno())
    finally:
        for one in files:
            one.close()
    settings = {name: buffer.getvalue() for name, buffer in in_memory.items()}
    return Opened(manifest, BackedUpGeneration(settings, opener.keys_outside), folder)


def scratch(paths: Paths, name: str) -> Path:
    """A private, empty folder for a backup's files. The caller removes it."""
    folder = paths.restore_work / name
    if folder.exists():
        shutil.rmtree(folder)
    ensure_folder(folder.parent)
    folder.mkdir(mode=0o700)
    return folder


def _new_file(path: Path) -> io.BufferedWriter:
    """Names come from the authenticated manifest, and were checked to be plain."""
    for folder in reversed([parent for parent in path.parents if not parent.exists()]):
        folder.mkdir(mode=0o700)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")
