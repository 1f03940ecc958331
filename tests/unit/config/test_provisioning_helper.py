"""Each step failing, one after the other: everything is taken back, and the next attempt succeeds."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.config import generations, steps
from tbot_bot.config.build_check import check
from tbot_bot.config.checkpoint import Checkpoint, Work, checkpoint_file, write_checkpoint
from tbot_bot.config.env_bot import default_config
from tbot_bot.config.progress import Progress
from tbot_bot.config.provisioning_helper import TITLES, Provisioning, Tools
from tbot_bot.config.rotation import Rotation
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import AuditUnavailable, SecretUnavailable
from tbot_bot.domain.session import BotState
from tbot_bot.interface.published import Published
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

CLOCK = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))


class Bench:
    """Provisioning with an audit log and a ledger that can be told to fail."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.state = StateFile(self.paths, CLOCK)
        self.state.initialize("test")
        self.events: list[str] = []
        self.fail_event = ""
        self.ledger_error: Exception | None = None
        progress = Progress(Publisher(self.paths, "runner", CLOCK), TITLES)
        tools = Tools(self.paths, CLOCK, self.state, self, progress, self.create_ledger, 4)
        self.provisioning = Provisioning(tools)
        self.rotation = Rotation(tools, lambda: None)

    def record(self, event: str, actor: str, detail: object) -> None:
        if event == self.fail_event:
            raise AuditUnavailable("the disk is full")
        self.events.append(event)

    def create_ledger(self) -> None:
        write_bytes(self.paths.ledger_db, b"ledger")
        if self.ledger_error is not None:
            raise self.ledger_error

    def run(self) -> bool:
        return self.provisioning.run(default_config(version_tag()), "test", "::1")

    def published(self) -> dict[str, object]:
        snapshot = Published(self.paths, CLOCK).read("provisioning")
        assert snapshot is not None
        return snapshot.body

    def is_clean(self) -> bool:
        return (
            self.state.read() is BotState.INITIALIZE
            and not self.paths.current_generation.is_symlink()
            and not self.paths.env_enc.is_symlink()
            and not self.paths.users_db.exists()
            and not self.paths.ledger_db.exists()
            and not checkpoint_file(self.paths).exists()
            and (not self.paths.generations.exists() or not list(self.paths.generations.iterdir()))
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_it_ends_idle_checked_and_on_record(bench: Bench) -> None:
    assert bench.run()

    assert bench.state.read() is BotState.IDLE
    assert check(bench.paths) == ()
    assert bench.events == ["provisioning_started", "provisioned"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), sqlite3.OperationalError("locked")])
def test_a_ledger_that_cannot_be_made_takes_everything_back(bench: Bench, error: Exception) -> None:
    bench.ledger_error = error

    assert not bench.run()

    assert bench.is_clean()
    assert bench.published()["failed"] == "ledger"
    bench.ledger_error = None
    assert bench.run()


@pytest.mark.parametrize(
    ("place", "step"), [("generations", "keys"), ("users_db", "users"), ("keys", "activate"), ("secrets", "activate")]
)
def test_a_place_that_is_taken_fails_its_step_and_harms_nothing(bench: Bench, place: str, step: str) -> None:
    path: Path = getattr(bench.paths, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    if place == "generations":
        path.write_bytes(b"in the way")
    else:
        path.mkdir()

    assert not bench.run()

    assert bench.published()["failed"] == step
    assert bench.state.read() is BotState.INITIALIZE
    assert not bench.paths.current_generation.is_symlink()
    path.unlink() if place == "generations" else path.rmdir()
    assert bench.run()


def test_nothing_is_done_that_cannot_be_audited(bench: Bench) -> None:
    bench.fail_event = "provisioning_started"

    assert not bench.run()

    assert bench.is_clean()
    assert bench.published()["failed"] == "check"


def test_when_the_end_cannot_be_audited_it_is_taken_back(bench: Bench) -> None:
    bench.fail_event = "provisioned"

    assert not bench.run()

    assert bench.is_clean()
    assert "provisioning_failed" in bench.events


def test_when_even_taking_back_fails_a_restart_does_it(bench: Bench) -> None:
    bench.ledger_error = OSError(28, "No space left on device")
    bench.fail_event = "provisioning_failed"
    assert not bench.run()
    assert checkpoint_file(bench.paths).exists()

    bench.fail_event = ""
    bench.provisioning.recover()

    assert bench.is_clean()


def test_a_failed_change_leaves_the_earlier_configuration_in_use(bench: Bench) -> None:
    assert bench.run()
    before = open_secrets(bench.paths)
    bench.ledger_error = OSError(28, "No space left on device")

    assert not bench.run()

    assert open_secrets(bench.paths) == before
    assert bench.state.read() is BotState.IDLE
    assert generations.current_number(bench.paths) == 1
    assert bench.paths.ledger_db.exists()
    assert check(bench.paths) == ()


def test_recovering_twice_is_recovering_once(bench: Bench) -> None:
    assert bench.run()
    for _ in range(2):
        bench.provisioning.recover()

    assert bench.state.read() is BotState.IDLE
    assert bench.published()["state"] == "done"


def test_a_state_without_a_provisioning_behind_it_goes_back_to_the_start(bench: Bench) -> None:
    bench.state.move(BotState.INITIALIZE, BotState.PROVISIONING, "test", "lost")

    bench.provisioning.recover()
    assert bench.state.read() is BotState.INITIALIZE

    bench.paths.bot_state.write_bytes(b"gar")
    bench.provisioning.recover()
    assert bench.state.read() is BotState.INITIALIZE


def test_an_unreadable_checkpoint_stops_the_runner_with_words(bench: Bench) -> None:
    write_checkpoint(bench.paths, Checkpoint(1, None, "test", "::1", had_users=False, had_ledger=False))
    checkpoint_file(bench.paths).write_bytes(b"{}")

    with pytest.raises(SecretUnavailable, match="damaged"):
        bench.provisioning.recover()


def test_a_failure_after_the_idle_state_was_reached_begins_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word is written, but not surely durable: no move leads back from idle."""
    real = StateFile.move
    answers = iter([OSError(5, "Input/output error")])

    def move(self: StateFile, frm: BotState | None, to: BotState, by: str, why: str) -> None:
        real(self, frm, to, by, why)
        error = next(answers, None) if to is BotState.IDLE else None
        if error is not None:
            raise error

    monkeypatch.setattr(StateFile, "move", move)

    assert not bench.run()

    assert bench.is_clean()
    assert bench.run()


def test_what_is_done_stays_done_when_its_checkpoint_cannot_be_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = steps.remove_checkpoint
    answers = iter([OSError(5, "Input/output error")])

    def remove(paths: Paths) -> None:
        error = next(answers, None)
        if error is not None:
            raise error
        real(paths)

    monkeypatch.setattr(steps, "remove_checkpoint", remove)

    assert bench.run()
    assert checkpoint_file(bench.paths).exists()

    bench.provisioning.recover()

    assert not checkpoint_file(bench.paths).exists()
    assert bench.state.read() is BotState.IDLE


@pytest.mark.parametrize("work", [Work.PROVISION, Work.ROTATE])
def test_a_checkpoint_that_outlived_its_work_takes_back_no_later_one(bench: Bench, work: Work) -> None:
    """It could not be removed, and then the settings were restored or changed."""
    for _ in range(3):
        assert bench.run()
    old = Checkpoint(1, None, "test", "::1", had_users=False, had_ledger=False, work=work)
    write_checkpoint(bench.paths, old)

    bench.rotation.recover()
    bench.provisioning.recover()

    assert generations.current_number(bench.paths) == 3
    assert not checkpoint_file(bench.paths).exists()
    assert bench.paths.users_db.exists()


def test_an_idle_state_with_nothing_provisioned_goes_back_to_the_start(bench: Bench) -> None:
    bench.paths.bot_state.write_text("idle\n")

    bench.provisioning.recover()

    assert bench.state.read() is BotState.INITIALIZE
