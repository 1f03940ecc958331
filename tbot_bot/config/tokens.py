"""Opaque tokens under the session key: each says inside what it is for, so that none passes for another kind."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from cryptography.fernet import InvalidToken

from tbot_bot.support.encrypt_secrets import fingerprint, wrapping
from tbot_bot.support.key_use import CountedCipher


class Purpose(StrEnum):
    LOGIN = "login"
    CODE = "waits for a code"


class TokenMint:
    """`keys` newest first: tokens are made with the newest and read with any."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._cipher = CountedCipher(wrapping(keys), "session", "login token")
        self.name = fingerprint(keys[0])
        """A fingerprint of the newest key."""

    def make(self, purpose: Purpose, content: Mapping[str, str]) -> str:
        return self._cipher.encrypt(json.dumps({**content, "purpose": purpose}).encode()).decode()

    def read(self, purpose: Purpose, token: str) -> dict[str, Any] | None:
        """What is inside; None unless it is ours, whole, and made for this."""
        try:
            content = json.loads(self._cipher.decrypt(token.encode("utf-8", "surrogatepass")))
        except (InvalidToken, ValueError):
            return None
        return content if isinstance(content, dict) and content.get("purpose") == purpose else None
