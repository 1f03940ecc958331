import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.domain.errors import IllegalTransition, StateCorrupt
from tbot_bot.domain.session import ARMED_STATES, DASHBOARD_STATES, HALTED_STATES, NEXT, SETUP_STATES, BotState
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile

NOW = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(Paths(tmp_path), ManualClock(NOW))


def test_a_missing_state_is_corrupt_and_never_guessed(state: StateFile) -> None:
    with pytest.raises(StateCorrupt):
        state.read()


@pytest.mark.parametrize(
    "content", [b"", b"idle", b"idle\n\n", b"idle\nidle\n", b"IDLE\n", b" idle\n", b"idle\0\n", b"\xff\xfe", b"i" * 70]
)
def test_anything_but_one_state_word_is_corrupt(state: StateFile, tmp_path: Path, content: bytes) -> None:
    state.initialize("test")
    Paths(tmp_path).bot_state.write_bytes(content)
    with pytest.raises(StateCorrupt):
        state.read()


def test_initialize_leaves_an_existing_state_alone(state: StateFile) -> None:
    state.initialize("test")
    state.move(BotState.INITIALIZE, BotState.PROVISIONING, "runner", "asked")
    state.initialize("test")
    assert state.read() is BotState.PROVISIONING


def test_a_move_that_is_not_in_the_table_is_refused_and_changes_nothing(state: StateFile) -> None:
    state.initialize("test")
    with pytest.raises(IllegalTransition, match="no move leads"):
        state.move(BotState.INITIALIZE, BotState.TRADING, "bot", "eager")
    assert state.read() is BotState.INITIALIZE


def test_a_move_from_a_state_that_is_no_more_is_refused(state: StateFile) -> None:
    state.initialize("test")
    with pytest.raises(IllegalTransition, match="not idle"):
        state.move(BotState.IDLE, BotState.ANALYZING, "bot", "late")


def test_every_move_is_logged_with_who_and_why(state: StateFile, tmp_path: Path) -> None:
    state.initialize("runner")
    state.move(BotState.INITIALIZE, BotState.PROVISIONING, "runner", "asked")
    rows = read_lines(Paths(tmp_path).state_log)
    assert [(row["seq"], row["from"], row["to"]) for row in rows] == [
        (1, None, "initialize"),
        (2, "initialize", "provisioning"),
    ]
    assert rows[1]["by"] == "runner"
    assert rows[1]["at"] == NOW.isoformat()


def test_a_corrupt_state_can_only_become_an_error(state: StateFile, tmp_path: Path) -> None:
    state.initialize("test")
    Paths(tmp_path).bot_state.write_bytes(b"nonsense")
    with pytest.raises(StateCorrupt):
        state.move(None, BotState.IDLE, "bot", "hope")
    state.move(None, BotState.ERROR, "bot", "it was corrupt")
    assert state.read() is BotState.ERROR


def test_of_many_racing_moves_exactly_one_wins(state: StateFile) -> None:
    state.initialize("test")
    won = []

    def race(name: str) -> None:
        try:
            state.move(BotState.INITIALIZE, BotState.PROVISIONING, name, "race")
            won.append(name)
        except IllegalTransition:
            pass

    racers = [threading.Thread(target=race, args=(str(n),)) for n in range(12)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(won) == 1


def test_every_state_has_its_page_and_its_moves() -> None:
    assert frozenset(BotState) == SETUP_STATES | DASHBOARD_STATES | HALTED_STATES
    assert set(NEXT) == set(BotState)
    assert all(state not in NEXT[state] for state in BotState)


def test_kill_is_possible_from_every_state_that_may_hold_positions() -> None:
    may_hold = ARMED_STATES | {BotState.IDLE, BotState.GRACEFUL_CLOSING, BotState.SHUTDOWN, BotState.ERROR}
    assert all(BotState.EMERGENCY_CLOSING in NEXT[state] for state in may_hold)


@pytest.mark.parametrize(
    "damage",
    [b'{"seq":7,"to":"id', b"[" * 100_000, b"\0" * 300_000 + b"\n", b'{"seq":"9"}\n', b'{"seq":true}\n', b'{"to":1}\n'],
    ids=["torn", "nested", "huge", "text", "bool", "without"],
)
def test_a_damaged_last_line_keeps_no_move_from_being_made_and_numbered(
    state: StateFile, tmp_path: Path, damage: bytes
) -> None:
    state.initialize("test")
    with Paths(tmp_path).state_log.open("ab") as file:
        file.write(damage)
    state.move(BotState.INITIALIZE, BotState.PROVISIONING, "runner", "asked")
    assert read_lines(Paths(tmp_path).state_log)[-1]["seq"] == 2
    assert state.last_reason() == "asked"


def test_a_move_reads_the_end_of_the_log_only(state: StateFile, tmp_path: Path) -> None:
    state.initialize("test")
    row = b'{"at":"2026-01-05T14:30:00+00:00","by":"bot","from":"idle","seq":100000,"to":"analyzing","why":"window"}\n'
    log = Paths(tmp_path).state_log
    log.write_bytes(row * 100_000)
    before = _bytes_read()
    state.move(None, BotState.PROVISIONING, "runner", "asked")
    assert state.last_reason() == "asked"
    assert _bytes_read() - before < 100_000 < log.stat().st_size
    assert read_lines(log)[-1]["seq"] == 100_001


def _bytes_read() -> int:
    line = next(line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar"))
    return int(line.split()[1])
