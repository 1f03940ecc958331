"""Copies of the backups at another place: an S3-compatible bucket or an SFTP server.

What goes there is encrypted already. A copy counts once it was read back and is the same, byte for byte. Trouble there
never touches the backups here."""

import hashlib
import random
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from tbot_bot.backup.offsite_s3 import S3Target
from tbot_bot.backup.offsite_sftp import SftpTarget
from tbot_bot.domain.errors import BackupRefused
from tbot_bot.domain.installation import BackupTarget

TRIES = 3
_FIRST_PAUSE = 2.0
_CHUNK = 1 << 20


class Target(Protocol):
    """One folder elsewhere. Every method raises BackupRefused in words that say what to do."""

    def sizes(self) -> Mapping[str, int]:
        """Name → bytes of the files in it."""
        ...

    def put(self, name: str, source: Path) -> None:
        """Store a file under `name`; it is there whole or not at all."""
        ...

    def read(self, name: str) -> BinaryIO: ...
    def remove(self, name: str) -> None:
        """Gone is gone: a file that is not there is no error."""
        ...

    def close(self) -> None: ...


def open_target(settings: BackupTarget) -> Target:
    """Connects. Raises BackupRefused."""
    parts = urlsplit(settings.backup_target_url)
    if parts.scheme == "s3":
        return S3Target(
            bucket=parts.netloc,
            folder=parts.path.strip("/"),
            endpoint=settings.backup_target_endpoint,
            access_key=settings.backup_target_access_key,
            secret_key=settings.backup_target_secret_key,
        )
    return SftpTarget(
        host=parts.hostname or "",
        port=parts.port or 22,
        user=parts.username or "",
        folder=parts.path,
        host_key=settings.backup_target_host_key,
        password=settings.backup_target_password,
        private_key=settings.backup_target_private_key,
    )


def copy_there(target: Target, source: Path) -> None:
    """Upload and read back. Raises BackupRefused or OSError; what is there then does not count as a copy."""
    target.put(source.name, source)
    size = target.sizes().get(source.name)
    if size != source.stat().st_size:
        raise BackupRefused(f"The copy there has {size} bytes instead of {source.stat().st_size}.")
    with source.open("rb") as here, closing(target.read(source.name)) as there:
        if _digest(here) != _digest(there):
            raise BackupRefused("The copy there is not what was sent.")


def with_patience(act: Callable[[], None], sleep: Callable[[float], object]) -> None:
    """Try a few times, longer apart each time and never in step with others. Raises the last refusal."""
    pause = _FIRST_PAUSE
    for _ in range(TRIES - 1):
        try:
            return act()
        except (BackupRefused, OSError):
            sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 a pause, no secret
            pause *= 4
    return act()


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
