"""k_0, the audit log's first key, from which all others follow: whoever has it can check every record, or forge them.

It lies in `storage/audit/first.key` until there is a recovery key, then sealed to that in `first.key.age`."""

import re
import secrets
from pathlib import Path

import pyrage

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.support.atomic_file import create_bytes, sync_folder, write_bytes
from tbot_bot.support.key_use import used
from tbot_bot.support.path_resolver import Paths

_KEY = re.compile(r"[0-9a-f]{64}")


def first_key_file(paths: Paths) -> Path:
    return paths.audit_log.parent / "first.key"


def sealed_key_file(paths: Paths) -> Path:
    return paths.audit_log.parent / "first.key.age"


def make_first_key(paths: Paths) -> bytes:
    """A new chain's first key. It may be there already: a crash came before the first head was written."""
    path = first_key_file(paths)
    if not path.exists():
        create_bytes(path, secrets.token_hex(32).encode())
    return _parsed(path.read_bytes(), path.name)


def first_key(paths: Paths, identity: str | None = None, sealed: Path | None = None) -> bytes | None:
    """k_0 from its file, else from the sealed one with the age `identity`; None when that takes an identity.

    `sealed`: a copy of first.key.age from elsewhere, such as a backup; it then counts more than anything here.
    Raises AuditUnavailable when there is neither file, or the identity does not open it."""
    plain = first_key_file(paths)
    if sealed is None and plain.exists():
        return _parsed(_content(plain), plain.name)
    path = sealed or sealed_key_file(paths)
    if not path.exists():
        raise AuditUnavailable(f"the log's first key is gone: neither {plain.name} nor {path.name} is there")
    return None if identity is None else _parsed(_opened(_content(path), identity, path.name), path.name)


def seal_first_key(paths: Paths, recipient: str) -> bool:
    """Seal k_0 to the age `recipient`, then remove it in plain. False when there is no plain one left to seal: it was
    sealed before, and stays sealed to the recovery key of that time.

    Raises AuditUnavailable when the recipient is none, or the disk does not take it; the plain file then stays."""
    plain = first_key_file(paths)
    if not plain.exists():
        return False
    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise AuditUnavailable("the recovery key's public part is not an age recipient") from error
    try:
        with used("recovery", "encrypt", "the audit log's first key"):
            write_bytes(sealed_key_file(paths), pyrage.encrypt(_content(plain), [to]))
        drop_plain_key(paths)
    except OSError as error:
        raise AuditUnavailable(f"the audit log's first key could not be sealed: {error.strerror}") from error
    return True


def drop_plain_key(paths: Paths) -> None:
    """Finish a sealing: the sealed file is whole as soon as it has its name."""
    if sealed_key_file(paths).exists():
        first_key_file(paths).unlink(missing_ok=True)
        sync_folder(paths.audit_log.parent)


def _opened(data: bytes, identity: str, name: str) -> bytes:
    try:
        with used("recovery", "decrypt", "the audit log's first key"):
            return bytes(pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(identity)]))
    except pyrage.IdentityError as error:
        raise AuditUnavailable("this is no recovery key: it begins with AGE-SECRET-KEY-1") from error
    except pyrage.DecryptError as error:
        words = f"the recovery key does not open {name}: it is damaged, or was sealed to an earlier recovery key"
        raise AuditUnavailable(words) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuditUnavailable(f"{path.name} cannot be read: {error.strerror}") from error


def _parsed(data: bytes, name: str) -> bytes:
    text = data.decode("ascii", "replace").strip()
    if not _KEY.fullmatch(text):
        raise AuditUnavailable(f"{name} holds no key; restore storage/audit from a backup")
    return bytes.fromhex(text)
