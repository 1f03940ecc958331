"""Fernet keys and ciphertexts, one key per category, and what the files of a generation are called.

Fernet is AES-128-CBC with HMAC-SHA256; a changed byte or a wrong key is refused, never half decrypted."""

from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet

from tbot_bot.support.atomic_file import write_bytes
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

KEY_ALIASES: Mapping[str, str] = {"alert.key": "alert_channels.key"}
"""A second name that `.env` (ALERT_KEY_PATH) uses for the same key: a symlink."""

MANIFEST = "MANIFEST.json"


def key_file(category: str) -> str:
    return f"{category}.key"


def new_key() -> bytes:
    """A fresh Fernet key: 32 random bytes as urlsafe base64."""
    return Fernet.generate_key()


def encrypt(key: bytes, plain: bytes) -> bytes:
    return Fernet(key).encrypt(plain)


def write_secret(secrets_folder: Path, category: str, key: bytes, plain: bytes) -> None:
    """Encrypt `plain` into the category's file (0600); the plaintext never touches a disk."""
    note(category, "encrypt", "save")
    write_bytes(secrets_folder / SECRET_FILES[category], encrypt(key, plain))
