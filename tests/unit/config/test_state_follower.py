import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbot_bot.config.state_follower import StateFollower
from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.domain.session import BotState
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile
from tests.unit.config.conftest import Rig


class Bench:
    """A state file, a real audit log, and a follower that may be started anew."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.clock = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))
        self.state = StateFile(self.paths, self.clock)
        self.state.initialize("runner")
        self.audit = AuditWriter(self.paths, self.clock)
        self.follower = StateFollower(self.paths, self.audit)

    def move(self, to: BotState, by: str = "bot") -> None:
        self.clock.advance(timedelta(seconds=1))
        self.state.move(None, to, by, f"on to {to}")

    def restart(self) -> None:
        self.audit.close()
        self.audit = AuditWriter(self.paths, self.clock)
        self.follower = StateFollower(self.paths, self.audit)

    def rows(self, event: str = "state") -> list[dict[str, object]]:
        return [row for row in read_lines(self.paths.audit_log) if row["event"] == event]

    def entered(self) -> list[tuple[int, str]]:
        return [(row["detail"]["seq"], row["detail"]["to"]) for row in self.rows()]  # type: ignore[index]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_each_transition_is_entered_once_with_who_and_why(bench: Bench) -> None:
    bench.move(BotState.PROVISIONING, "runner")
    bench.follower.take()
    bench.follower.take()

    assert bench.entered() == [(1, "initialize"), (2, "provisioning")]
    last = bench.rows()[-1]
    assert (last["actor"], last["detail"]["why"]) == ("runner", "on to provisioning")  # type: ignore[index]
    assert last["detail"]["from"] == "initialize"  # type: ignore[index]


def test_a_restart_goes_on_behind_the_last_one_entered(bench: Bench) -> None:
    bench.follower.take()
    bench.move(BotState.PROVISIONING)
    bench.restart()
    bench.move(BotState.INITIALIZE)
    bench.follower.take()
    bench.restart()
    bench.follower.take()

    assert bench.entered() == [(1, "initialize"), (2, "provisioning"), (3, "initialize")]


def test_a_full_disk_in_the_middle_loses_and_doubles_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for state in (BotState.PROVISIONING, BotState.INITIALIZE, BotState.PROVISIONING):
        bench.move(state)
    real, room = bench.audit.record, [2]

    def full(event: str, actor: str, detail: dict[str, object]) -> None:
        if not room[0]:
            raise AuditUnavailable("no space left")
        room[0] -= 1
        real(event, actor, detail)

    monkeypatch.setattr(bench.audit, "record", full)
    bench.follower.take()
    assert len(bench.entered()) == 2
    room[0] = 9
    bench.follower.take()

    assert [seq for seq, _ in bench.entered()] == [1, 2, 3, 4]


def test_an_event_that_another_process_dropped_does_not_mislead_it(bench: Bench) -> None:
    bench.follower.take()
    bench.audit.record("state", "bot", {"seq": 99, "at": "2099", "to": "", "drop": "20260105T143000-aa.event"})
    bench.restart()
    bench.move(BotState.PROVISIONING)
    bench.follower.take()

    assert [seq for seq, _ in bench.entered()] == [1, 99, 2]


def test_a_state_log_that_was_replaced_is_said_and_entered_anew(bench: Bench) -> None:
    bench.move(BotState.PROVISIONING)
    bench.follower.take()
    bench.paths.state_log.unlink()
    bench.move(BotState.INITIALIZE)
    bench.follower.take()

    assert bench.rows("state_log_replaced")[0]["detail"] == {"expected": 2, "found": 1}
    assert bench.entered()[-1] == (1, "initialize")


def test_moves_that_the_first_release_noted_without_a_number_are_not_entered_again(bench: Bench) -> None:
    bench.audit.record("state", "runner", {"from": None, "to": "initialize", "why": "first start"})
    bench.restart()
    bench.move(BotState.PROVISIONING)
    bench.follower.take()

    assert [row["detail"].get("seq") for row in bench.rows()] == [None, 2]  # type: ignore[attr-defined]


def test_rows_that_are_none_and_a_flood_are_survived(bench: Bench) -> None:
    with bench.paths.state_log.open("ab") as file:
        file.write(b'{"seq":true,"at":"x"}\n[]\nnonsense\n')
        for number in range(600):
            row = {"seq": number + 2, "at": f"2027-{number}", "to": ["?"] * 300, "by": None, "why": 7}
            file.write(json.dumps(row).encode() + b"\n")
    bench.follower.take()

    assert len(bench.rows()) == 500
    assert bench.rows("state_rows_left_out")[0]["detail"] == {"count": 101}


def test_what_cannot_be_read_or_is_nested_without_end_does_not_end_the_runner(bench: Bench) -> None:
    with bench.paths.state_log.open("ab") as file:
        file.write(b"[" * 100_000 + b"\n")
    bench.follower.take()
    assert [seq for seq, _ in bench.entered()] == [1]

    bench.paths.state_log.unlink()
    bench.paths.state_log.mkdir()
    bench.follower.take()


def test_without_a_state_log_there_is_nothing_to_enter(bench: Bench) -> None:
    bench.paths.state_log.unlink()
    bench.follower.take()
    assert bench.rows() == []


def test_the_runner_enters_its_own_moves_and_those_made_while_it_was_away(ready: Rig) -> None:
    def entered() -> list[str]:
        return [row["detail"]["to"] for row in read_lines(ready.paths.audit_log) if row["event"] == "state"]

    ready.until(lambda: entered() == ["initialize", "provisioning", "bootstrapping", "idle"])
    ready.stop()
    StateFile(ready.paths, ready.clock).move(None, BotState.ANALYZING, "operator", "start requested")
    ready.start()

    ready.until(lambda: entered()[4:] == ["analyzing"])
