"""Which key was used, by which process, for what, and whether it worked: counted in memory, told to the audit log.

A use costs its caller a microsecond. Each process enters what it counted as one `key_use` record at intervals and when
it ends; a use that failed is entered at once, and what fails after it ten seconds later at most, so that who sends us
rubbish does not fill the log. What a SIGKILL takes is at most the counts of one interval."""

import contextlib
import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.logs import get_logger

_log = get_logger("keys")
INTERVAL = 50.0
"""Seconds from the first use to the record of it."""
_BETWEEN_FAILURES = 10.0
_Use = tuple[str, str, str, str]
_T = TypeVar("_T")


class KeyUse:
    """The counts of one process. Thread-safe; `note` never raises and never waits for a disk, unless a use failed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[_Use] = Counter()
        self._since: float | None = None
        self._failed_at = float("-inf")
        self._process = ""
        self._audit: AuditLog | None = None

    def attach(self, process: str, audit: AuditLog) -> None:
        """From now on the counts go to `audit`, under the name of `process`."""
        self._process, self._audit = process, audit

    def note(self, category: str, act: str, purpose: str, *, ok: bool = True) -> None:
        """One use of the category's key: `act` is "encrypt" or "decrypt"."""
        with self._lock:
            self._counts[category, act, purpose, "ok" if ok else "failed"] += 1
            if self._since is None:
                self._since = time.monotonic()
            at_once = not ok and self._failure_due()
        if at_once:
            self.flush()

    def flush_due(self) -> None:
        """Enter the counts when their interval is over, or one of them is a failure."""
        with self._lock:
            over = self._since is not None and time.monotonic() - self._since >= INTERVAL
            failed = self._failure_due() and any(outcome == "failed" for *_, outcome in self._counts)
        if over or failed:
            self.flush()

    def flush(self) -> None:
        """Enter the counts now, as {category: {"act outcome: purpose": count}}; those that cannot be entered wait."""
        with self._lock:
            counts, since, audit = self._counts, self._since, self._audit
            if audit is None or not counts:
                return
            self._counts, self._since = Counter(), None
            if any(outcome == "failed" for *_, outcome in counts):
                self._failed_at = time.monotonic()
        seconds = 0.0 if since is None else time.monotonic() - since
        uses: dict[str, dict[str, int]] = {}
        for (category, act, purpose, outcome), count in sorted(counts.items()):
            uses.setdefault(category, {})[f"{act} {outcome}: {purpose}"] = count
        try:
            audit.record("key_use", self._process, {"seconds": round(seconds, 1), "uses": uses})
        except AuditUnavailable as error:
            _log.error("key uses wait for the audit log", extra={"fields": {"why": str(error)}})
            with self._lock:
                self._counts.update(counts)
                self._since = since if self._since is None else min(self._since, since or self._since)

    def _failure_due(self) -> bool:
        return time.monotonic() - self._failed_at >= _BETWEEN_FAILURES


KEY_USE = KeyUse()
"""This process's, as there is one list of secrets to keep out of its logs: keys are used in places that know nothing of
the audit log."""


def note(category: str, act: str, purpose: str, *, ok: bool = True) -> None:
    """Count one use in this process."""
    KEY_USE.note(category, act, purpose, ok=ok)


@contextlib.contextmanager
def used(category: str, act: str, purpose: str) -> Iterator[None]:
    """Count what is done inside as one use; it has failed when an exception comes out."""
    try:
        yield
    except BaseException:
        note(category, act, purpose, ok=False)
        raise
    note(category, act, purpose)


class HasPurpose(Protocol):
    """Something that opens secrets for a stated reason."""

    @property
    def purpose(self) -> str: ...


_Self = TypeVar("_Self", bound=HasPurpose)


def counted(act: str) -> Callable[[Callable[[_Self, str], _T]], Callable[[_Self, str], _T]]:
    """Count each call of a method that takes a category; one that raises anything but FileNotFoundError has failed."""

    def around(method: Callable[[_Self, str], _T]) -> Callable[[_Self, str], _T]:
        @functools.wraps(method)
        def call(self: _Self, category: str) -> _T:
            try:
                result = method(self, category)
            except FileNotFoundError:
                # The generation was replaced meanwhile: the reader starts over.
                raise
            except BaseException:
                note(category, act, self.purpose, ok=False)
                raise
            note(category, act, self.purpose)
            return result

        return call

    return around


class Cipher(Protocol):
    """What Fernet and MultiFernet have in common."""

    def encrypt(self, msg: bytes) -> bytes: ...
    def decrypt(self, msg: bytes | str, ttl: Any = None) -> bytes: ...


class CountedCipher:
    """A cipher whose uses are counted."""

    def __init__(self, cipher: Cipher, category: str, purpose: str) -> None:
        self._cipher = cipher
        self._category = category
        self._purpose = purpose

    def encrypt(self, plain: bytes) -> bytes:
        with used(self._category, "encrypt", self._purpose):
            return self._cipher.encrypt(plain)

    def decrypt(self, token: bytes) -> bytes:
        """Raises what the cipher raises."""
        with used(self._category, "decrypt", self._purpose):
            return self._cipher.decrypt(token)
