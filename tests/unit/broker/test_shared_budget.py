"""One account's budget in a file: processes that hammer it together, deaths in the middle, damage, a new boot."""

import errno
import fcntl
import multiprocessing
import os
import signal
import struct
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tbot_bot.broker.rate_limit import Budget, Limits, Urgency

_fork = multiprocessing.get_context("fork")


def _speed() -> float:
    return 1.0


def _hammer(file: Path, gate: str, sent: str, die_after: int) -> None:
    """For two windows and a half; the instants of what was sent, 8 bytes each."""
    budget = Budget(60, _speed, seconds=0.8, file=file)
    while not Path(gate).exists():
        time.sleep(0.001)
    end, count = time.monotonic() + 2.0, 0
    with open(sent, "ab", buffering=0) as log:
        while time.monotonic() < end:
            time.sleep(0.0005)
            if budget.take(Urgency.ROUTINE, 0.0):
                log.write(struct.pack("d", time.clock_gettime(time.CLOCK_BOOTTIME)))
                count += 1
                if count == die_after:
                    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_together_never_send_more_than_the_limit_and_a_death_frees_the_lock(tmp_path: Path) -> None:
    file, gate, sent = tmp_path / "budget.json", tmp_path / "gate", tmp_path / "sent"
    workers = [_fork.Process(target=_hammer, args=(file, str(gate), str(sent), die)) for die in (5, 0, 0, 0)]
    for worker in workers:
        worker.start()
    gate.touch()
    for worker in workers:
        worker.join(30)
    assert workers[0].exitcode == -signal.SIGKILL
    assert [worker.exitcode for worker in workers[1:]] == [0, 0, 0]
    at = sorted(moment for (moment,) in struct.iter_unpack("d", sent.read_bytes()))
    assert len(at) > 48, "the budget opens again"
    # Stamped a little after they were counted: half the window is surely inside, whatever the machine's load.
    fullest = max(sum(first <= moment < first + 0.4 for moment in at) for first in at)
    assert fullest <= 48, "60 less the reserve of 12"


def test_a_process_that_was_stopped_with_the_lock_keeps_no_exit(tmp_path: Path) -> None:
    file = tmp_path / "budget.json"
    budget = Budget(10, _speed, file=file)
    budget.learn(None, 0)
    with file.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        assert budget.take(Urgency.URGENT, 5.0)
        assert time.monotonic() - began < 2.0
        assert not budget.take(Urgency.ROUTINE, 0.0), "what was known last still counts"


def test_a_file_that_cannot_be_used_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "budget.json").mkdir()
    budget = Budget(10, _speed, file=tmp_path / "budget.json")
    assert sum(budget.take(Urgency.ROUTINE, 0.0) for _ in range(20)) == 8
    assert budget.take(Urgency.URGENT, 0.0)


def test_a_full_disk_keeps_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    budget = Budget(10, _speed, file=tmp_path / "budget.json")
    assert budget.take(Urgency.ROUTINE, 0.0)


def test_what_one_process_learns_holds_for_the_other(tmp_path: Path) -> None:
    one, other = (Limits(tmp_path, _speed).budget("account", "trading", 200) for _ in range(2))
    one.learn(200, 0)
    assert not other.take(Urgency.ROUTINE, 0.0)
    assert Limits(tmp_path, _speed).budget("another", "trading", 200).take(Urgency.ROUTINE, 0.0)
    assert all("account" not in path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"null",
        b'{"limit": 10, "spent": [[0, -5]]}',
        b'{"limit": NaN, "spent": []}',
        b'{"limit": 1e99, "spent": []}',
        b'{"limit": 10, "spent": [[NaN, 1]]}',
        b'{"limit": 10, "spent": 7}',
        b"[" * 5000,
        b"\xff" * 300,
    ],
)
def test_a_damaged_file_begins_cautiously(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "budget.json"
    file.write_bytes(damage)
    budget = Budget(10, _speed, file=file)
    taken = sum(budget.take(Urgency.ROUTINE, 0.0) for _ in range(20))
    assert taken == (8 if not damage else 0)


def test_after_a_reboot_the_file_earns_nothing_for_a_clock_that_went_back(tmp_path: Path) -> None:
    file, now = tmp_path / "budget.json", [1_000_000.0]
    budget = Budget(10, _speed, file=file, monotonic=lambda: now[0])
    budget.learn(None, 0)
    now[0] = 5.0
    assert not budget.take(Urgency.ROUTINE, 0.0)
    now[0] = 5.0 + 60
    assert budget.take(Urgency.ROUTINE, 0.0)


@given(
    st.integers(5, 400),
    st.floats(0, 0.5),
    st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.integers(1, 5), st.integers(1, 40)), max_size=60),
)
def test_no_window_holds_more_than_the_limit_and_the_reserve_is_always_there(
    limit: int, reserve: float, acts: list[tuple[float, bool, int, int]]
) -> None:
    now = [0.0]
    budget = Budget(limit, _speed, reserve=reserve, monotonic=lambda: now[0], sleep=lambda s: None)
    routine: list[tuple[float, int]] = []
    every: list[tuple[float, int]] = []
    for wait, urgent, weight, times in acts:
        now[0] += wait
        for _ in range(times):
            weight = min(weight, int(limit * (1 - reserve)) or 1)
            if urgent:
                if _in_window(every, now[0] - 60, now[0]) + 1 <= limit and budget.take(Urgency.URGENT, 0.0):
                    every.append((now[0], 1))
            elif budget.take(Urgency.ROUTINE, 0.0, weight):
                routine.append((now[0], weight))
                every.append((now[0], weight))
    for first, _ in every:
        assert _in_window(every, first, first + 59.99) <= limit
        assert _in_window(routine, first, first + 59.99) <= limit * (1 - reserve) + 1e-6


def _in_window(sent: list[tuple[float, int]], first: float, last: float) -> int:
    return sum(weight for at, weight in sent if first <= at <= last)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-5, 500)),
            st.one_of(st.none(), st.integers(-5, 500)),
            st.one_of(st.none(), st.floats(0.5, 90)),
        )
    )
)
@example(told=[(1, None, None)])
def test_headers_only_ever_take_away(told: list[tuple[int | None, int | None, float | None]]) -> None:
    now = [0.0]
    budget = Budget(200, _speed, monotonic=lambda: now[0], sleep=lambda s: None)
    limit = 200
    for most, remaining, resets in told:
        limit = most if most is not None and most > 0 else limit
        budget.learn(most, remaining, resets)
    taken = sum(budget.take(Urgency.ROUTINE, 0.0) for _ in range(600))
    # A limit of one has no room for a reserve: one request takes all of it.
    assert taken <= max(limit * 0.8, 1)
    if told and told[-1][1] is not None and told[-1][1] >= 0:
        assert taken <= told[-1][1]
