"""Passwords: which are good enough, and how one is kept.

Kept is bcrypt(base64(sha256(NFKC(password)))): the pre-hash because bcrypt takes no more than 72 bytes, so that every
character of a long passphrase counts. Length counts, composition does not (NIST 800-63B-4)."""

import base64
import hashlib
import re
import unicodedata

import bcrypt

BCRYPT_COST = 12
SHORTEST_PASSWORD = 15
LONGEST_PASSWORD = 128
_FEWEST_CHARACTERS = 5
_USERNAME = re.compile(r"[A-Za-z0-9._@-]{3,64}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_COST = re.compile(rb"\$2[aby]\$(\d\d)\$")


class Hasher:
    """Hashes and compares at one cost. Both take long on purpose; neither holds the interpreter meanwhile."""

    def __init__(self, cost: int) -> None:
        self._cost = cost
        # Well-formed and matching nothing: an unknown user costs as much time as a known one.
        self._nobody = b"$2b$%02d$" % cost + b"." * 22 + b"." * 31

    def hash(self, password: str) -> bytes:
        return bcrypt.hashpw(_prehash(password), bcrypt.gensalt(self._cost))

    def matches(self, password: str, hashed: bytes | None) -> bool:
        """`hashed` None: no such user; the answer is no and takes as long."""
        return bcrypt.checkpw(_prehash(password), self._nobody if hashed is None else hashed)

    def outdated(self, hashed: bytes) -> bool:
        """Whether it was made at a lower cost than today's."""
        cost = _COST.match(hashed)
        return cost is None or int(cost.group(1)) < self._cost


def name_fault(username: str) -> str:
    """What is wrong with a user name; empty when nothing is."""
    return "" if _USERNAME.fullmatch(username) else "3 to 64 letters, digits or any of . _ @ -"


def email_fault(email: str) -> str:
    return "" if not email or _EMAIL.fullmatch(email) else "an address such as you@example.com, or empty"


def password_fault(password: str, username: str, email: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        return f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; a short sentence is good"
    if len(set(password)) < _FEWEST_CHARACTERS or password.casefold() in {username.casefold(), email.casefold()}:
        return "too easy to guess: not your name, and at least five different characters"
    return ""


def _prehash(password: str) -> bytes:
    text = unicodedata.normalize("NFKC", password)
    return base64.b64encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
