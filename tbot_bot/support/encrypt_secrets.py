"""Fernet keys and ciphertexts, one key per category, and what the files of a generation are called.

Fernet is AES-128-CBC with HMAC-SHA256; a changed byte or a wrong key is refused, never half decrypted."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet

from tbot_bot.support.atomic_file import write_new
from tbot_bot.support.key_use import note

SECRET_FILES: Mapping[str, str] = {
    "env": "env.json.enc",
    "env_enc": ".env.enc",
    "env_bot": ".env_bot.enc",
    "broker": "broker_credentials.json.enc",
    "smtp": "smtp_credentials.json.enc",
    "screener_api": "screener_api.json.enc",
    "acct_api": "acct_api_credentials.json.enc",
    "network_config": "network_config.json.enc",
    "alert_channels": "alert_channels.json.enc",
    "bot_identity": "bot_identity.json.enc",
}
"""Category → its file in a generation's `secrets/`."""

CATEGORIES: tuple[str, ...] = ("login", "session", *SECRET_FILES)
"""One key each; `login` wraps the user database, `session` the login tokens."""

RUNNER_ONLY = frozenset({"login", "session"})
"""Keys that no other user of ours may read, where the others' are shared with the runtime."""

KEY_ALIASES: Mapping[str, str] = {"alert.key": "alert_channels.key"}
"""A second name that `.env` (ALERT_KEY_PATH) uses for the same key: a symlink."""

MANIFEST = "MANIFEST.json"


def key_file(category: str) -> str:
    return f"{category}.key"


def new_key() -> bytes:
    """A fresh Fernet key: 32 random bytes as urlsafe base64."""
    return Fernet.generate_key()


def key_lines(keys: Sequence[bytes]) -> bytes:
    """What a key file holds: one key a line, the newest first; more than one only in the middle of a rotation."""
    return b"\n".join(keys)


def keys_in(data: bytes) -> tuple[bytes, ...]:
    """The keys in a key file, the newest first."""
    return tuple(line.strip() for line in data.splitlines() if line.strip())


def wrapping(keys: Sequence[bytes]) -> MultiFernet:
    """Encrypts with the newest of `keys`, decrypts with any. Raises ValueError when one of them is no key."""
    return MultiFernet([Fernet(key) for key in keys])


def fingerprint(key: bytes) -> str:
    """Which key it is, for people and manifests. A key is 32 random bytes, so this gives nothing away."""
    return hashlib.sha256(b"tbot-key-fingerprint" + key).hexdigest()[:16]


def write_secret(secrets_folder: Path, category: str, key: bytes, plain: bytes, purpose: str = "save") -> None:
    """Encrypt `plain` into the category's new file (0600) of a staged generation; the plaintext never touches a
    disk."""
    note(category, "encrypt", purpose)
    write_new(secrets_folder / SECRET_FILES[category], Fernet(key).encrypt(plain))
