"""One account's budget in a file: processes that hammer it together, deaths in the middle, damage, a new boot."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbot_bot.broker.rate_limit import Budget, Limits, Urgency

_fork = multiprocessing.get_context("fork")


def _speed() -> float:
    return 1.0


def _hammer(file: Path, gate: str, sent: str, die_after: int) -> None:
    budget = Budget(60, _speed, file=file)
    while not Path(gate).exists():
        time.sleep(0.001)
    end, count = time.monotonic() + 1.0, 0
    with open(sent, "ab", buffering=0) as log:
        while time.monotonic() < end:
            time.sleep(0.001)
            if budget.take(Urgency.ROUTINE, 0.0):
                log.write(b".")
                count += 1
                if count == die_after:
                    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_together_never_send_more_than_the_limit_and_a_death_frees_the_lock(tmp_path: Path) -> None:
    file, gate, sent = tmp_path / "budget.json", tmp_path / "gate", tmp_path / "sent"
    workers = [_fork.Process(target=_hammer, args=(file, str(gate), str(sent), die)) for die in (5, 0, 0, 0)]
    for worker in workers:
        worker.start()
    began = time.monotonic()
    gate.touch()
    for worker in workers:
        worker.join(20)
    took = time.monotonic() - began
    assert workers[0].exitcode == -signal.SIGKILL
    assert [worker.exitcode for worker in workers[1:]] == [0, 0, 0]
    # 60 a minute less the reserve of 12, and one more each second that passed.
    assert 48 <= sent.stat().st_size <= 48 + took + 1


def test_what_one_process_learns_holds_for_the_other(tmp_path: Path) -> None:
    one, other = (Limits(tmp_path, _speed).budget("account", "trading", 200) for _ in range(2))
    one.learn(200, 0)
    assert not other.take(Urgency.ROUTINE, 0.0)
    assert Limits(tmp_path, _speed).budget("another", "trading", 200).take(Urgency.ROUTINE, 0.0)
    assert all("account" not in path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"tokens": 1e99, "at": 0, "limit": 200}', b"\xff" * 300])
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
    st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.integers(1, 5)), max_size=60),
)
def test_no_window_holds_more_than_a_full_bucket_and_what_it_earns(
    limit: int, reserve: float, acts: list[tuple[float, bool, int]]
) -> None:
    now = [0.0]
    budget = Budget(limit, _speed, reserve=reserve, monotonic=lambda: now[0], sleep=lambda s: None)
    sent: list[tuple[float, int]] = []
    for wait, urgent, weight in acts:
        now[0] += wait
        weight = min(weight, int(limit * (1 - reserve)) or 1)
        if not urgent and budget.take(Urgency.ROUTINE, 0.0, weight):
            sent.append((now[0], weight))
    for number, (first, _) in enumerate(sent):
        for last in range(number, len(sent)):
            spent = sum(weight for _, weight in sent[number : last + 1])
            assert spent <= limit * (1 - reserve) + (sent[last][0] - first) * limit / 60 + 1


@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(-5, 500)), st.one_of(st.none(), st.integers(-5, 500)))))
def test_headers_only_ever_take_away(told: list[tuple[int | None, int | None]]) -> None:
    now = [0.0]
    budget = Budget(200, _speed, monotonic=lambda: now[0], sleep=lambda s: None)
    for limit, remaining in told:
        budget.learn(limit, remaining)
    least = min([r for _, r in told if r is not None and r >= 0], default=None)
    taken = sum(budget.take(Urgency.ROUTINE, 0.0) for _ in range(600))
    if least is not None:
        assert taken <= least
