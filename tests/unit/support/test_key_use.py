import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken

from tbot_bot.domain.errors import AuditUnavailable, SecretUnavailable
from tbot_bot.support import key_use
from tbot_bot.support.key_use import CountedCipher, KeyUse, counted


class Log:
    """An audit log that may be full."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, Mapping[str, Any]]] = []
        self.full = False

    def record(self, event: str, actor: str, detail: Mapping[str, Any]) -> None:
        if self.full:
            raise AuditUnavailable("no space left")
        self.rows.append((event, actor, detail))

    def uses(self) -> list[tuple[str, str, int]]:
        return [
            (category, how, count)
            for _, _, detail in self.rows
            for category, counts in detail["uses"].items()
            for how, count in counts.items()
        ]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def uses(log: Log, monkeypatch: pytest.MonkeyPatch) -> KeyUse:
    made = KeyUse()
    made.attach("bot", log)
    monkeypatch.setattr(key_use, "KEY_USE", made)
    return made


def test_uses_are_told_once_in_one_record(uses: KeyUse, log: Log) -> None:
    for _ in range(3):
        uses.note("broker", "decrypt", "connect")
    uses.note("login", "encrypt", "user database")
    assert log.rows == []

    uses.flush()
    uses.flush()

    assert [(event, actor) for event, actor, _ in log.rows] == [("key_use", "bot")]
    assert log.uses() == [
        ("broker", "decrypt ok: connect", 3),
        ("login", "encrypt ok: user database", 1),
    ]


def test_a_failure_is_told_at_once_and_a_flood_of_them_together(
    uses: KeyUse, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses.note("broker", "decrypt", "connect", ok=False)
    assert log.uses() == [("broker", "decrypt failed: connect", 1)]

    for _ in range(100):
        uses.note("broker", "decrypt", "connect", ok=False)
    uses.flush_due()
    assert len(log.rows) == 1
    monkeypatch.setattr(key_use, "_BETWEEN_FAILURES", 0.0)
    uses.flush_due()
    assert log.uses()[-1] == ("broker", "decrypt failed: connect", 100)


def test_the_interval_counts_from_the_first_use(uses: KeyUse, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    uses.note("broker", "decrypt", "connect")
    uses.flush_due()
    assert log.rows == []

    monkeypatch.setattr(key_use, "INTERVAL", 0.0)
    uses.flush_due()
    assert len(log.rows) == 1


def test_what_cannot_be_recorded_waits_and_adds_up(uses: KeyUse, log: Log) -> None:
    log.full = True
    uses.note("env", "decrypt", "read", ok=False)
    uses.note("env", "decrypt", "read")
    uses.flush()
    log.full = False
    uses.note("env", "decrypt", "read")
    uses.flush()

    assert log.uses() == [("env", "decrypt failed: read", 1), ("env", "decrypt ok: read", 2)]


def test_no_use_is_lost_between_threads(uses: KeyUse, log: Log) -> None:
    def use() -> None:
        for _ in range(2000):
            uses.note("session", "decrypt", "login token")

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        uses.flush()
    for thread in threads:
        thread.join()
    uses.flush()

    assert sum(int(count) for *_, count in log.uses()) == 8000


def test_without_an_audit_log_counting_goes_on() -> None:
    alone = KeyUse()
    alone.note("broker", "decrypt", "connect", ok=False)
    alone.flush_due()


def test_a_cipher_counts_what_it_opens_and_what_it_refuses(uses: KeyUse, log: Log) -> None:
    cipher = CountedCipher(Fernet(Fernet.generate_key()), "session", "login token")
    token = cipher.encrypt(b"x")
    assert cipher.decrypt(token) == b"x"
    with pytest.raises(InvalidToken):
        cipher.decrypt(b"A" + token)

    assert log.uses() == [
        ("session", "decrypt failed: login token", 1),
        ("session", "decrypt ok: login token", 1),
        ("session", "encrypt ok: login token", 1),
    ]


class Folder:
    purpose = "test"

    @counted("decrypt")
    def open(self, category: str) -> str:
        if category == "gone":
            raise FileNotFoundError(category)
        if category == "bad":
            raise SecretUnavailable(category)
        return category


def test_a_generation_that_was_replaced_is_no_failure(uses: KeyUse, log: Log) -> None:
    folder = Folder()
    with pytest.raises(FileNotFoundError):
        folder.open("gone")
    uses.flush()
    assert log.rows == []

    assert folder.open("good") == "good"
    with pytest.raises(SecretUnavailable):
        folder.open("bad")
    assert log.uses() == [("bad", "decrypt failed: test", 1), ("good", "decrypt ok: test", 1)]


def test_a_use_costs_microseconds(uses: KeyUse) -> None:
    """About 1 µs; the bound is loose, for busy machines."""
    began = time.perf_counter()
    for _ in range(20_000):
        uses.note("session", "decrypt", "login token")

    assert (time.perf_counter() - began) / 20_000 < 50e-6
