from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbot_bot.config import generations
from tbot_bot.config.checkpoint import Checkpoint, write_checkpoint
from tbot_bot.config.config_encryption import write_env_files
from tbot_bot.config.env_bot import default_config
from tbot_bot.config.grace import Grace
from tbot_bot.config.key_manager import create_keys
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import AuditUnavailable
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths

START = datetime(2026, 1, 5, tzinfo=UTC)


class Bench:
    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.clock = ManualClock(START)
        self.events: list[tuple[str, str, object]] = []
        self.audit_fails = False
        self.grace = Grace(self.paths, self.clock, self)

    def record(self, event: str, actor: str, detail: object) -> None:
        if self.audit_fails:
            raise AuditUnavailable("the disk is full")
        self.events.append((event, actor, detail))

    def add(self, hours: str = "24", *, dual: bool = False) -> None:
        number = generations.next_number(self.paths)
        staging = generations.open_staging(self.paths, number)
        create_keys(staging / "keys")
        write_env_files(staging, {**default_config(version_tag()).raw, "KEY_GRACE_HOURS": hours})
        generations.seal_generation(self.paths, number, self.clock, dual=dual)
        generations.activate(self.paths, number)

    def left(self) -> tuple[int, ...]:
        return generations.numbers(self.paths)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_old_generation_lives_for_the_grace_after_it_was_replaced(bench: Bench) -> None:
    bench.add()
    bench.clock.advance(timedelta(days=30))
    bench.add()

    (old,) = bench.grace.old()
    assert (old.number, old.destroyed_at - old.replaced_at) == (1, timedelta(hours=24))
    bench.clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    bench.grace.sweep()
    assert bench.left() == (1, 2)

    bench.clock.advance(timedelta(seconds=1))
    bench.grace.sweep()
    bench.grace.sweep()
    assert bench.left() == (2,)
    assert bench.events == [("generations_destroyed", "runner", {"numbers": [1], "why": "grace", "ip": ""})]


def test_each_has_its_own_time(bench: Bench) -> None:
    for _ in range(3):
        bench.add()
        bench.clock.advance(timedelta(hours=20))
    bench.grace.sweep()

    assert bench.left() == (2, 3)


def test_without_grace_it_goes_at_the_next_look(bench: Bench) -> None:
    bench.add("0")
    bench.add("0")
    bench.grace.sweep()

    assert bench.left() == (2,)


def test_the_middle_of_a_rotation_that_has_ended_goes_at_once(bench: Bench) -> None:
    bench.add()
    bench.add(dual=True)
    bench.add()
    bench.grace.sweep()

    assert bench.left() == (1, 3)


def test_nothing_is_destroyed_while_something_is_under_way(bench: Bench) -> None:
    bench.add("0")
    bench.add("0")
    write_checkpoint(bench.paths, Checkpoint(3, 2, "test", "::1"))
    bench.grace.sweep()

    assert bench.left() == (1, 2)


def test_nothing_is_destroyed_without_a_record_or_a_known_time(bench: Bench) -> None:
    bench.add("0")
    bench.add("0")
    bench.audit_fails = True
    with pytest.raises(AuditUnavailable):
        bench.grace.sweep()
    bench.audit_fails = False
    (bench.paths.current_generation / "keys" / "env_enc.key").write_bytes(b"garbage")
    bench.grace.sweep()

    assert bench.grace.hours is None
    assert bench.left() == (1, 2)


def test_an_admin_destroys_them_all_at_once(bench: Bench) -> None:
    for _ in range(3):
        bench.add()

    assert bench.grace.destroy_all("asked", "ada", "::1") == (1, 2)
    assert bench.left() == (3,)
    assert bench.events[-1][1] == "ada"
    assert bench.grace.destroy_all("asked", "ada", "::1") == ()


def test_what_an_interrupted_destruction_left_goes_with_the_next_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add()
    bench.add()

    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(generations.shutil, "rmtree", fail)
    with pytest.raises(OSError, match="Input"):
        bench.grace.destroy_all("asked", "ada", "::1")
    monkeypatch.undo()
    bench.grace.destroy_all("asked", "ada", "::1")

    assert [path.name for path in bench.paths.generations.iterdir()] == ["00000002"]
