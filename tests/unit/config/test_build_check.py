"""Whatever is wrong with what lies on disk is said in a sentence that names it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.config.build_check import check
from tbot_bot.config.env_bot import default_config
from tbot_bot.config.progress import Progress
from tbot_bot.config.provisioning_helper import TITLES, Provisioning, Tools
from tbot_bot.config.version import version_tag
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

CLOCK = ManualClock(datetime(2026, 1, 5, 14, 30, tzinfo=UTC))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    state = StateFile(made, CLOCK)
    state.initialize("test")
    audit = AuditWriter(made, CLOCK)
    progress = Progress(Publisher(made, "runner", CLOCK), TITLES)
    tools = Tools(made, CLOCK, state, audit, progress, lambda: write_bytes(made.ledger_db, b"x"), 4)
    assert Provisioning(tools).run(default_config(version_tag()), "test", "::1")
    audit.close()
    return made


def test_a_provisioned_root_has_no_problems(paths: Paths) -> None:
    assert check(paths) == ()


def test_an_empty_root_says_what_to_do(tmp_path: Path) -> None:
    (problem,) = check(Paths(tmp_path))
    assert "web page" in problem


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda p: (p.keys / "broker.key").unlink(), "broker.key"),
        (lambda p: (p.keys / "broker.key").write_bytes(b"x" * 44), "broker.key"),
        (lambda p: (p.keys / "smtp.key").chmod(0o640), "smtp.key"),
        (lambda p: p.keys.chmod(0o755), "keys"),
        (lambda p: (p.secrets / ".env_bot.enc").unlink(), ".env_bot.enc"),
        (lambda p: (p.secrets / ".env_bot.enc").write_bytes(b"x"), ".env_bot.enc"),
        (lambda p: (p.secrets / "bot_identity.json.enc").chmod(0o604), "bot_identity.json.enc"),
        (lambda p: (p.current_generation / "MANIFEST.json").unlink(), "MANIFEST"),
        (lambda p: p.users_db.unlink(), "SYSTEM_USERS.db"),
        (lambda p: p.ledger_db.unlink(), "LEDGER.db"),
        (lambda p: p.ledger_db.chmod(0o606), "LEDGER.db"),
        (lambda p: p.keys.unlink(), "keys"),
        (lambda p: shutil.rmtree(p.current_generation / "secrets"), "secrets"),
        (lambda p: shutil.rmtree(p.generations), "generation 00000001"),
    ],
)
def test_each_damage_is_named(paths: Paths, damage: Callable[[Paths], None], named: str) -> None:
    damage(paths)

    assert any(named in problem for problem in check(paths))


def test_the_universe_is_asked_about_only_where_there_is_one(paths: Paths) -> None:
    assert check(paths, lambda: ("the universe is stale",)) == ()
    paths.universe.parent.mkdir(parents=True)
    paths.universe.write_bytes(b"{}")

    assert check(paths, lambda: ("the universe is stale",)) == ("the universe is stale",)
