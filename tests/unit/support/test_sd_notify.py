import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tbot_bot.support.sd_notify import SdNotify


class Manager:
    """The receiving end, as systemd has it."""

    def __init__(self, address: Path) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address))

    def told(self) -> list[str]:
        found = []
        while select.select([self._socket], [], [], 0)[0]:
            found.append(self._socket.recv(1000).decode())
        return found

    def notify(self, watchdog: float = 0.0, pid: int | None = None) -> SdNotify:
        told = {"NOTIFY_SOCKET": str(self.address)}
        if watchdog:
            told |= {"WATCHDOG_USEC": str(int(watchdog * 1_000_000)), "WATCHDOG_PID": str(pid or os.getpid())}
        return SdNotify(environment=told)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_readiness_and_heartbeat_reach_the_socket(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(manager.address))
    notify = SdNotify()
    notify.ready()
    notify.beat()
    notify.beat()
    notify.stopping()
    assert manager.told() == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_short_watchdog_is_fed_at_less_than_half_of_it(manager: Manager) -> None:
    notify = manager.notify(watchdog=0.4)
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        notify.beat()
        time.sleep(0.01)
    assert 5 <= manager.told().count("WATCHDOG=1") <= 9


def test_what_else_is_due_is_done_with_each_beat(manager: Manager) -> None:
    done: list[int] = []
    notify = SdNotify(lambda: done.append(1), {"NOTIFY_SOCKET": str(manager.address)})
    notify.beat()
    notify.beat()
    assert done == [1]


def test_a_long_step_has_its_own_patience_and_the_old_one_comes_back(manager: Manager) -> None:
    notify = manager.notify(watchdog=30)
    with notify.patient(900):
        assert manager.told() == ["WATCHDOG_USEC=900000000", "EXTEND_TIMEOUT_USEC=900000000"]
    assert manager.told() == ["WATCHDOG_USEC=30000000", "WATCHDOG=1"]


def test_the_longest_of_nested_steps_counts(manager: Manager) -> None:
    notify = manager.notify(watchdog=30)
    with notify.patient(60):
        with notify.patient(900):
            pass
        with notify.patient(40):
            pass
        told = [text for text in manager.told() if text.startswith("WATCHDOG_USEC")]
        assert told == ["WATCHDOG_USEC=60000000", "WATCHDOG_USEC=900000000", "WATCHDOG_USEC=60000000"]


def test_a_step_shorter_than_the_watchdog_changes_nothing(manager: Manager) -> None:
    with manager.notify(watchdog=30).patient(10):
        pass
    assert manager.told() == ["WATCHDOG=1"]


def test_the_patience_ends_with_the_step_when_that_fails(manager: Manager) -> None:
    notify = manager.notify(watchdog=30)
    with pytest.raises(ZeroDivisionError), notify.patient(900):
        _ = 1 // 0
    assert "WATCHDOG_USEC=30000000" in manager.told()


def test_without_a_watchdog_only_start_and_stop_are_prolonged(manager: Manager) -> None:
    with manager.notify().patient(900):
        pass
    assert manager.told() == ["EXTEND_TIMEOUT_USEC=900000000", "WATCHDOG=1"]


def test_a_long_step_keeps_a_stop_no_longer_than_the_unit_allows(manager: Manager) -> None:
    notify = manager.notify(watchdog=30)
    notify.ready()
    with notify.patient(900):
        pass
    assert not [text for text in manager.told() if text.startswith("EXTEND")]


def test_the_watchdog_of_another_process_is_not_ours(manager: Manager) -> None:
    with manager.notify(watchdog=30, pid=1).patient(900):
        pass
    assert not [text for text in manager.told() if text.startswith("WATCHDOG_USEC")]


def test_the_newest_words_are_said_once_a_second(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tbot_bot.support.sd_notify.BETWEEN", 0.2)
    notify = manager.notify()
    for words in ("one", "one", "two", "three\nand  four"):
        notify.status(words)
    assert manager.told() == ["STATUS=one"]
    time.sleep(0.25)
    notify.beat()
    assert [text for text in manager.told() if text.startswith("STATUS")] == ["STATUS=three and four"]
    time.sleep(0.25)
    notify.beat()
    assert not [text for text in manager.told() if text.startswith("STATUS")]


def test_a_manager_that_is_gone_or_takes_nothing_stops_no_one(manager: Manager) -> None:
    notify = manager.notify()
    manager.address.unlink()
    notify.ready()
    notify.status("still at work")


def test_without_systemd_nothing_happens() -> None:
    notify = SdNotify(environment={})
    notify.ready()
    with notify.patient(900):
        notify.beat()
