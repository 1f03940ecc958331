"""Copies on an SFTP server, through paramiko. Only the one host key that the admin entered is spoken to."""

import base64
import hashlib
import hmac
import io
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import paramiko

from tbot_bot.domain.errors import BackupRefused

_SECONDS = 15.0
_TRANSFER_SECONDS = 60.0
_HALF = ".half"


class SftpTarget:
    """A folder on a server, made when it is not there."""

    def __init__(
        self, *, host: str, port: int, user: str, folder: str, host_key: str, password: str, private_key: str
    ) -> None:
        self._folder = folder.rstrip("/")
        self._ssh = paramiko.SSHClient()
        self._ssh.set_missing_host_key_policy(_OnlyThis(host_key))
        key = _parsed(private_key) if private_key else None
        with self.translated():
            self._ssh.connect(
                host,
                port=port,
                username=user,
                password=password or None,
                pkey=key,
                timeout=_SECONDS,
                banner_timeout=_SECONDS,
                auth_timeout=_SECONDS,
                allow_agent=False,
                look_for_keys=False,
            )
            self._sftp: Any = self._ssh.open_sftp()
            channel: Any = self._sftp.get_channel()
            channel.settimeout(_TRANSFER_SECONDS)
            self._make_folder()

    def sizes(self) -> Mapping[str, int]:
        with self.translated():
            rows = self._sftp.listdir_attr(self._folder)
        return {str(row.filename): int(row.st_size) for row in rows if stat.S_ISREG(row.st_mode or 0)}

    def put(self, name: str, source: Path) -> None:
        half = self._path(name + _HALF)
        with self.translated(), source.open("rb") as file:
            self._sftp.putfo(file, half, confirm=True)
            self._sftp.posix_rename(half, self._path(name))

    def read(self, name: str) -> BinaryIO:
        with self.translated():
            file = self._sftp.open(self._path(name), "rb")
            file.prefetch()
        return cast("BinaryIO", _Translating(file, self))

    def remove(self, name: str) -> None:
        with self.translated():
            try:
                self._sftp.remove(self._path(name))
            except FileNotFoundError:
                return

    def close(self) -> None:
        self._ssh.close()

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"

    def _make_folder(self) -> None:
        made = ""
        for part in self._folder.strip("/").split("/"):
            made += f"/{part}"
            try:
                self._sftp.stat(made)
            except FileNotFoundError:
                self._sftp.mkdir(made, 0o700)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Trouble as ours; the connection is given up, since nothing is known about its state."""
        try:
            yield
        except BackupRefused:
            self._ssh.close()
            raise
        except paramiko.AuthenticationException as error:
            self._ssh.close()
            raise BackupRefused("The SFTP server refuses the user, the password or the key.") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            self._ssh.close()
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise BackupRefused(f"The SFTP server failed: {why}.") from error


class _OnlyThis(paramiko.MissingHostKeyPolicy):
    """Accepts the host key with one fingerprint; every other is refused with its own, to be compared and entered."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        digest = hashlib.sha256(key.asbytes()).digest()
        seen = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
        if hmac.compare_digest(seen, self._wanted):
            return
        what = "is not the one entered" if self._wanted else "was never confirmed"
        raise BackupRefused(
            f"The server's host key {seen} {what}; nothing was sent. Compare it with the server's own, and enter it as "
            "BACKUP_TARGET_HOST_KEY if they agree."
        )


class _Translating(io.RawIOBase):
    """A remote file whose trouble arrives as ours."""

    def __init__(self, file: Any, target: SftpTarget) -> None:
        super().__init__()
        self._file = file
        self._target = target

    def read(self, size: int = -1, /) -> bytes:
        with self._target.translated():
            return bytes(self._file.read(size))

    def close(self) -> None:
        self._file.close()
        super().close()


def _parsed(private_key: str) -> paramiko.PKey:
    try:
        text = base64.b64decode(private_key, validate=True).decode("ascii")
        return paramiko.Ed25519Key.from_private_key(io.StringIO(text))
    except (ValueError, paramiko.SSHException) as error:
        raise BackupRefused("BACKUP_TARGET_PRIVATE_KEY is no Ed25519 key without passphrase in base64.") from error
