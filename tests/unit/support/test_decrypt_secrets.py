import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.config import generations
from tbot_bot.config.key_manager import create_keys
from tbot_bot.domain.errors import NotProvisioned, SecretUnavailable
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.decrypt_secrets import with_generation
from tbot_bot.support.encrypt_secrets import key_file, write_secret
from tbot_bot.support.path_resolver import Paths

CLOCK = ManualClock(datetime(2026, 1, 5, tzinfo=UTC))


def _generation(paths: Paths) -> int:
    """A sealed, active generation whose broker and smtp secrets hold its own number."""
    number = generations.next_number(paths)
    staging = generations.open_staging(paths, number)
    create_keys(staging / "keys")
    for category in ("broker", "smtp"):
        key = (staging / "keys" / key_file(category)).read_bytes()
        write_secret(staging / "secrets", category, key, json.dumps({"n": number}).encode())
    generations.seal_generation(paths, number, CLOCK)
    generations.activate(paths, number)
    for old in generations.numbers(paths):
        if old < number - 1:
            generations.remove(paths, old)
    return number


def test_what_was_encrypted_is_read_back(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    number = _generation(paths)

    assert with_generation(paths, lambda now: now.decrypt_json("broker")) == {"n": number}
    assert with_generation(paths, lambda now: now.manifest()["number"]) == number


def test_without_a_generation_it_says_that_nothing_is_provisioned(tmp_path: Path) -> None:
    with pytest.raises(NotProvisioned):
        with_generation(Paths(tmp_path), lambda now: now.keys("broker"))


def test_every_changed_byte_of_a_secret_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    _generation(paths)
    path = paths.secrets / "broker_credentials.json.enc"
    data = path.read_bytes()

    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(SecretUnavailable):
            with_generation(paths, lambda now: now.decrypt("broker"))


@pytest.mark.parametrize("name", ["keys/broker.key", "secrets/broker_credentials.json.enc"])
@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "link"])
def test_a_damaged_file_is_named_and_nothing_is_made_up(tmp_path: Path, name: str, damage: str) -> None:
    paths = Paths(tmp_path)
    _generation(paths)
    path = paths.current_generation / name
    path.rename(tmp_path / "aside")
    if damage == "link":
        path.symlink_to(tmp_path / "aside")
    elif damage != "missing":
        path.write_bytes(b"" if damage == "empty" else b"garbage")

    with pytest.raises(SecretUnavailable) as caught:
        with_generation(paths, lambda now: now.decrypt("broker"))
    assert path.name in str(caught.value)


def test_readers_never_mix_generations_while_they_are_replaced(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    _generation(paths)
    stop = threading.Event()
    seen: list[tuple[object, object]] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(with_generation(paths, lambda g: (g.decrypt_json("broker"), g.decrypt_json("smtp"))))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(15):
        _generation(paths)
    stop.set()
    reader.join()

    assert len(seen) > 15
    assert all(broker == smtp for broker, smtp in seen)


@pytest.mark.parametrize("more", [b"\n", b" ", b"=", b"==", b"\0", b"\r\n", b"A"])
def test_a_secret_with_something_appended_is_damaged_though_fernet_would_open_it(tmp_path: Path, more: bytes) -> None:
    paths = Paths(tmp_path)
    _generation(paths)
    path = paths.secrets / "broker_credentials.json.enc"
    path.write_bytes(path.read_bytes() + more)

    with pytest.raises(SecretUnavailable):
        with_generation(paths, lambda now: now.decrypt("broker"))


@pytest.mark.parametrize(
    ("category", "way"), [("login", "move the link"), ("session", "move the link"), ("smtp", "page Keys")]
)
def test_a_lost_key_is_named_with_a_way_back_that_is_open(tmp_path: Path, category: str, way: str) -> None:
    paths = Paths(tmp_path)
    _generation(paths)
    (paths.keys / key_file(category)).write_bytes(b"garbage")

    with pytest.raises(SecretUnavailable, match=way) as caught:
        with_generation(paths, lambda now: now.keys(category))
    assert f"{category}.key" in str(caught.value)
