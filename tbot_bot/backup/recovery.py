"""The recovery key: an age identity made here, shown once, and kept offline by the admin.

What stays here: its recipient, a key derived from it that signs manifests (so that a backup made here is known to be
ours when only the identity is left), and a second identity with which the weekly drill opens the real files."""

import contextlib
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

import pyrage
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tbot_bot.domain.errors import BackupRefused, SecretUnavailable
from tbot_bot.support.atomic_file import ensure_folder, sync_folder, write_bytes, write_json
from tbot_bot.support.credentials import DRILL_KEY, credential
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.recovery_record import RECORD, RecoveryRecord, read_recovery

_PREFIX = "AGE-SECRET-KEY-1"
_GROUP = 6
_INFO = b"tbot-backup-manifest"
_MAC_SUFFIX, _DRILL_SUFFIX = ".mac.key", ".drill.key"


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """The identity itself: never written to a disk, a log or a command line."""

    identity: str = field(repr=False)

    @property
    def recipient(self) -> str:
        return str(pyrage.x25519.Identity.from_str(self.identity).to_public())

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.recipient)

    @property
    def last_group(self) -> str:
        """What the admin types to show that it was written down; the text is shown in groups of six."""
        body = self.identity.removeprefix(_PREFIX)
        return body[(len(body) - 1) // _GROUP * _GROUP :]

    @property
    def mac_key(self) -> bytes:
        """Signs the manifests of backups made for this identity."""
        return HKDF(SHA256(), 32, salt=None, info=_INFO).derive(self.identity.encode())

    def opens_what_it_seals(self) -> bool:
        """Whether something encrypted to the recipient comes back through the identity."""
        sample = secrets.token_bytes(64)
        sealed = pyrage.encrypt(sample, [pyrage.x25519.Recipient.from_str(self.recipient)])
        try:
            return bytes(pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(self.identity)])) == sample
        except pyrage.DecryptError:
            return False


@dataclass(frozen=True, slots=True)
class BackupKeys:
    """What making and drilling backups takes: recipients, the manifest key, and the drill's own identity."""

    recovery: RecoveryRecord
    mac_key: bytes = field(repr=False)
    drill: str = field(repr=False)

    @property
    def recipients(self) -> tuple[str, ...]:
        return self.recovery.recipient, str(pyrage.x25519.Identity.from_str(self.drill).to_public())


def new_recovery_key() -> RecoveryKey:
    return RecoveryKey(str(pyrage.x25519.Identity.generate()))


def parse_recovery_key(text: str) -> RecoveryKey:
    """The identity as people type or paste it, in groups or not. Raises BackupRefused when it is none."""
    joined = "".join(text.split()).upper()
    try:
        return RecoveryKey(str(pyrage.x25519.Identity.from_str(joined)))
    except pyrage.IdentityError as error:
        raise BackupRefused(
            f"This is no recovery key: it begins with {_PREFIX} and has 58 characters after that. Look for a typo."
        ) from error


def fingerprint_of(recipient: str) -> str:
    return hashlib.sha256(recipient.encode()).hexdigest()[:16]


def confirm(paths: Paths, key: RecoveryKey, by: str, at: datetime) -> RecoveryRecord:
    """From now on backups are made for `key`. The record is written last: until then the earlier key is in force."""
    record = RecoveryRecord(key.recipient, key.fingerprint, at.isoformat(timespec="seconds"), by)
    ensure_folder(paths.recovery)
    write_bytes(paths.recovery / f"{record.fingerprint}{_MAC_SUFFIX}", key.mac_key.hex().encode())
    drill = str(pyrage.x25519.Identity.generate())
    write_bytes(paths.recovery / f"{record.fingerprint}{_DRILL_SUFFIX}", drill.encode())
    write_json(paths.recovery / RECORD, asdict(record))
    with contextlib.suppress(OSError):
        # The key is in force by now; the next start removes what is left of the earlier one.
        sweep(paths)
    return record


def backup_keys(paths: Paths) -> BackupKeys | None:
    """None while there is no recovery key. Raises SecretUnavailable when its files are damaged."""
    record = read_recovery(paths)
    if record is None:
        return None
    try:
        mac_key = bytes.fromhex(_read(paths, record, _MAC_SUFFIX))
        drill = str(pyrage.x25519.Identity.from_str(_drill_key(paths, record)))
    except (OSError, ValueError, pyrage.IdentityError) as error:
        raise SecretUnavailable("storage/recovery is damaged: make a new recovery key") from error
    return BackupKeys(record, mac_key, drill)


def sweep(paths: Paths) -> None:
    """Remove the files of earlier recovery keys, and of one whose confirmation a crash cut off."""
    record = read_recovery(paths)
    if not paths.recovery.is_dir():
        return
    kept = {RECORD} if record is None else {RECORD, *(record.fingerprint + end for end in (_MAC_SUFFIX, _DRILL_SUFFIX))}
    left = [path for path in paths.recovery.iterdir() if path.name not in kept]
    for path in left:
        path.unlink()
    if left:
        sync_folder(paths.recovery)


def facts(key: RecoveryKey) -> Mapping[str, str]:
    return {"identity": key.identity, "recipient": key.recipient, "fingerprint": key.fingerprint}


def _drill_key(paths: Paths, record: RecoveryRecord) -> str:
    """Its file, else the credential that systemd unwrapped for us."""
    try:
        return _read(paths, record, _DRILL_SUFFIX)
    except FileNotFoundError:
        handed = credential(DRILL_KEY)
        if handed is None:
            raise
        return handed.decode("ascii").strip()


def _read(paths: Paths, record: RecoveryRecord, suffix: str) -> str:
    return (paths.recovery / f"{record.fingerprint}{suffix}").read_text("ascii").strip()
