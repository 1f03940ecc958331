"""The second factor's arithmetic: six digits from a secret and the clock, and codes for when the phone is lost."""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime

import pyotp
from pyotp.exceptions import OTPVerificationError

ISSUER = "tbot"
CODE_COUNT = 10
_WINDOW = 1
_DIGITS = re.compile(r"\d{6}")
_RECOVERY = re.compile(r"[A-Z2-7]{16}")
_RECOVERY_BYTES = 10
_GROUP = 4


def new_secret() -> str:
    """160 random bits as base32, as RFC 4226 asks for."""
    return pyotp.random_base32()


def enrolment_uri(secret: str, username: str) -> str:
    """What an authenticator app reads from the QR picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The 30-second step of which `code` is the code; None when it is that of none within one step of now."""
    digits = re.sub(r"\s", "", code)
    if not digits.isascii() or not _DIGITS.fullmatch(digits):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(digits, for_time=now, valid_window=_WINDOW)
    except OTPVerificationError:
        return None


def new_recovery_codes() -> tuple[str, ...]:
    """80 random bits each, so that a plain hash of one is safe to keep: XXXX-XXXX-XXXX-XXXX."""
    return tuple(_grouped(base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()) for _ in range(CODE_COUNT))


def recovery_digest(code: str) -> bytes | None:
    """What is kept of a recovery code; None when the text cannot be one. Case, spaces and dashes do not count."""
    plain = re.sub(r"[\s-]", "", code).upper()
    return hashlib.sha256(plain.encode()).digest() if plain.isascii() and _RECOVERY.fullmatch(plain) else None


def same(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)


def _grouped(text: str) -> str:
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
