from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbot_bot.interface.published import Published
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))


def test_a_fact_is_read_with_its_age(tmp_path: Path, clock: ManualClock) -> None:
    publisher, published = Publisher(Paths(tmp_path), "bot", clock), Published(Paths(tmp_path), clock)
    publisher.publish("status", {"state": "idle"}, 10.0)
    publisher.publish("status", {"state": "trading"}, 10.0)
    clock.advance(timedelta(seconds=10))

    snapshot = published.read("status")

    assert snapshot is not None
    assert (snapshot.seq, snapshot.writer, snapshot.body) == (2, "bot", {"state": "trading"})
    assert (snapshot.age, snapshot.stale) == (10.0, False)
    clock.advance(timedelta(seconds=1))
    again = published.read("status")
    assert again is not None
    assert again.stale


def test_a_fact_from_the_future_is_stale(tmp_path: Path, clock: ManualClock) -> None:
    Publisher(Paths(tmp_path), "bot", clock).publish("status", {})
    clock.advance(timedelta(minutes=-1))

    snapshot = Published(Paths(tmp_path), clock).read("status")

    assert snapshot is not None
    assert snapshot.stale


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b'{"seq":1,"written_at":"2026-01-05T14:30:00"}', b"\xff"]
)
def test_what_is_no_snapshot_is_none(tmp_path: Path, clock: ManualClock, content: bytes) -> None:
    path = Paths(tmp_path).snapshot("status")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    assert Published(Paths(tmp_path), clock).read("status") is None


@pytest.mark.parametrize("name", ["none", "../bot_state", "", "a/b", "A"])
def test_other_names_are_none(tmp_path: Path, clock: ManualClock, name: str) -> None:
    assert Published(Paths(tmp_path), clock).read(name) is None
