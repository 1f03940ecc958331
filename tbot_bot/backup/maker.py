"""Making one backup: taken, encrypted, verified by opening it again, and only then given its name."""

import contextlib
import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tbot_bot.backup.archive import Member, pack, unpack
from tbot_bot.backup.contents import Contents, taken
from tbot_bot.backup.manifest import Manifest
from tbot_bot.backup.recovery import BackupKeys
from tbot_bot.backup.shelf import name_of, remember_made
from tbot_bot.config.security_bot import open_config
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import BackupRefused, ConfigInvalid
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, sync_folder
from tbot_bot.support.audit_anchors import keep_anchor, now_anchor
from tbot_bot.support.path_resolver import Paths

_SPARE_BYTES = 32 * 1024 * 1024
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Made:
    name: str
    size: int
    manifest: Manifest


def make_backup(paths: Paths, clock: Clock, keys: BackupKeys) -> Made:
    """A new, verified backup in `storage/backups/`; it is remembered when this returns.

    Raises BackupRefused, NotProvisioned, SecretUnavailable, OSError or sqlite3.Error; then nothing of it is left."""
    ensure_folder(paths.backups)
    for _ in range(_TRIES - 1):
        try:
            return _make(paths, clock, keys)
        except BackupRefused:
            # A report was written anew while it was copied; the next try takes it as it is then.
            continue
    return _make(paths, clock, keys)


def verify(path: Path, identity: str, mac_key: bytes) -> Manifest:
    """Read a backup through, every byte of it. Raises BackupRefused or OSError."""
    with path.open("rb") as source:
        return unpack(source, identity, mac_key, lambda _: None)


def _make(paths: Paths, clock: Clock, keys: BackupKeys) -> Made:
    with taken(paths) as contents:
        _check_space(paths, contents.members)
        now = _free_second(paths, clock.now())
        manifest = _manifest(paths, contents, keys, now)
        temp = paths.backups / f".{name_of(now)}.{secrets.token_hex(6)}.tmp"
        try:
            _write(temp, manifest, contents.members, keys)
            if verify(temp, keys.drill, keys.mac_key) != manifest:
                raise BackupRefused("The backup does not read back as it was written.")
            target = paths.backups / name_of(now)
            temp.rename(target)
            sync_folder(paths.backups)
        finally:
            temp.unlink(missing_ok=True)
    try:
        remember_made(paths, target.name, now)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    # The manifest holds it too; here it is at hand without the recovery key. A backup is no worse without.
    with contextlib.suppress(OSError):
        keep_anchor(
            paths.backups, now_anchor("a backup", (manifest.anchors.audit_seq, manifest.anchors.audit_hash), now)
        )
    return Made(target.name, target.stat().st_size, manifest)


def _write(temp: Path, manifest: Manifest, members: tuple[Member, ...], keys: BackupKeys) -> None:
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as out:
        pack(manifest, members, keys.mac_key, keys.recipients, out)
        out.flush()
        os.fsync(out.fileno())


def _manifest(paths: Paths, contents: Contents, keys: BackupKeys, now: datetime) -> Manifest:
    try:
        bot = open_config(paths).identity.bot_id
    except ConfigInvalid:
        # Settings of another release are still worth keeping; the restore says what is wrong with them.
        bot = ""
    return Manifest(
        bot=bot,
        tbot=version_tag(),
        made_at=now,
        generation=contents.generation,
        recipient=keys.recovery.recipient,
        anchors=contents.anchors,
        files=tuple(member.entry for member in contents.members),
    )


def _check_space(paths: Paths, members: tuple[Member, ...]) -> None:
    needed = sum(member.entry.size for member in members) + _SPARE_BYTES
    free = shutil.disk_usage(paths.backups).free
    if free < needed:
        raise BackupRefused(f"The backup needs {needed // 1_000_000} MB and {free // 1_000_000} MB are free.")


def _free_second(paths: Paths, now: datetime) -> datetime:
    """The first second from `now` on whose name is free: a name is never used twice."""
    at = now.replace(microsecond=0)
    while (paths.backups / name_of(at)).exists():
        at += timedelta(seconds=1)
    return at
