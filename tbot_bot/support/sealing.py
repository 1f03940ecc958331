"""HPKE (X25519, HKDF-SHA256, ChaCha20-Poly1305) for what passes through files between the web and the runner.

Only the holder of the private key reads what is sealed to its public key; `info` binds the ciphertext to its purpose,
so that a sealed login cannot be passed off as anything else. Costs 48 bytes and under 0.1 ms."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tbot_bot.domain.errors import RequestRefused, SecretUnavailable
from tbot_bot.support.atomic_file import create_bytes, ensure_folder, write_bytes
from tbot_bot.support.credentials import RUNNER_KEY, credential
from tbot_bot.support.key_use import used
from tbot_bot.support.other_users import others_are_hidden

KEY_BYTES = 32


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def new_private_key() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def public_bytes(key: X25519PrivateKey) -> bytes:
    """The 32 raw bytes that others seal to."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def seal(plain: bytes, to: bytes, info: bytes) -> bytes:
    """`plain` for the holder of the private key of `to` (32 raw bytes). Raises RequestRefused when `to` is no key."""
    try:
        return _suite().encrypt(plain, X25519PublicKey.from_public_bytes(to), info)
    except ValueError as error:
        raise RequestRefused("the public key to seal to is not a usable X25519 key") from error


def unseal(sealed: bytes, key: X25519PrivateKey, info: bytes) -> bytes:
    """The inverse of `seal`; raises RequestRefused when it was not sealed to us for this `info`, or was changed."""
    try:
        with used("runner", "decrypt", "sealed requests"):
            return _suite().decrypt(sealed, key, info)
    except (InvalidTag, ValueError) as error:
        raise RequestRefused("it cannot be opened: damaged, forged, or sealed to another key or purpose") from error


def load_or_create_private_key(path: Path) -> X25519PrivateKey:
    """The key pair's private half at `path` (0600), else the credential that systemd unwrapped for us, else a new one.

    Raises SecretUnavailable when what is there holds no key: it is never replaced silently."""
    ensure_folder(path.parent)
    handed = None if path.exists() else credential(RUNNER_KEY)
    if handed is None and not path.exists():
        fresh = new_private_key().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        create_bytes(path, fresh)
    data = path.read_bytes() if handed is None else handed
    if len(data) != KEY_BYTES:
        what = path.name if handed is None else f"the credential {RUNNER_KEY}"
        raise SecretUnavailable(f"{what} is damaged; move it away and restart the runner to make a new one")
    return X25519PrivateKey.from_private_bytes(data)


def write_public_key(path: Path, key: X25519PrivateKey) -> None:
    """Publish the public half as hex, readable by all."""
    ensure_folder(path.parent, 0o755)
    write_bytes(path, public_bytes(key).hex().encode() + b"\n", 0o644)


def read_public_key(path: Path) -> bytes | None:
    """The published public key; None when it is missing, holds no key, or may be someone else's."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            ours = _is_the_runners(os.fstat(handle), path.parent.parent.stat())
            data = bytes.fromhex(file.read(4 * KEY_BYTES).decode("ascii").strip())
    except (OSError, ValueError):
        return None
    return data if ours and len(data) == KEY_BYTES else None


def _is_the_runners(facts: os.stat_result, control: os.stat_result) -> bool:
    """In an installation the runtime may write into `control/` too, and must not pass its own key off as the runner's.

    It cannot make a file of the web's group; whoever sees users as they are looks at the owner."""
    if not control.st_mode & stat.S_ISGID:
        return True
    return facts.st_gid == os.getegid() or (not others_are_hidden() and facts.st_uid in {control.st_uid, 0})
