"""Plaintext secrets in production: nothing starts, the words say what to do, and no file is touched."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.config.startup import require_no_plaintext
from tbot_bot.domain.errors import PlaintextFound
from tbot_bot.support.path_resolver import CODE_ROOT, ROOT_VARIABLE, Paths
from tests.unit.config.conftest import Rig

PROCESSES = ("provisioning", "trader", "universe", "backup")


@pytest.fixture
def root(ready: Rig) -> Paths:
    """Provisioned, and its runner stopped."""
    ready.stop()
    return ready.paths


def plant(path: Path, mode: int = 0o600) -> None:
    path.write_bytes(b"BROKER_SECRET_KEY=x\n")
    path.chmod(mode)


def tree(root: Path) -> dict[str, bytes]:
    """Every file but the audit events of the look into the configuration."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".event")
    return {str(path): path.read_bytes() for path in files}


DAMAGE: list[tuple[Callable[[Paths], Any], str]] = [
    (lambda p: plant(p.root / ".env_bot"), "configuration page"),
    (lambda p: plant(p.root / ".env"), "delete the file"),
    (lambda p: plant(p.root / "broker.key"), "broker.key"),
    (lambda p: (p.root / ".env_bot").symlink_to("/nowhere"), "configuration page"),
    (lambda p: p.generations.chmod(0o755), "chmod o="),
    (lambda p: p.users_db.chmod(0o604), "SYSTEM_USERS.db"),
    (lambda p: p.runner_private.chmod(0o701), "runner"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGE)
def test_in_production_nothing_starts_and_the_words_say_what_to_do(
    root: Paths, damage: Callable[[Paths], Any], words: str
) -> None:
    require_no_plaintext(root)
    damage(root)
    before = tree(root.root)

    with pytest.raises(PlaintextFound, match=words):
        require_no_plaintext(root)
    assert tree(root.root) == before


def test_a_configuration_that_cannot_be_opened_counts_as_production(root: Paths) -> None:
    plant(root.root / ".env_bot")
    (root.keys / "env_enc.key").unlink()

    with pytest.raises(PlaintextFound):
        require_no_plaintext(root)


def test_a_staged_file_is_allowed_until_it_has_been_used(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    plant(paths.root / ".env_bot")

    require_no_plaintext(paths)


def test_in_development_it_is_only_said(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.provision({"ENVIRONMENT": "development"})
    rig.stop()
    plant(rig.paths.root / ".env_bot")

    with caplog.at_level(logging.WARNING):
        require_no_plaintext(rig.paths)
    assert "plaintext secrets" in caplog.messages


@pytest.mark.slow
@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_ends_with_the_code_for_a_wrong_setting(root: Paths, process: str) -> None:
    plant(root.root / ".env_bot")
    before = tree(root.root)

    environment = {ROOT_VARIABLE: str(root.root), "PYTHONPATH": str(CODE_ROOT), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", f"tbot_bot.runtime.{process}"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False, cwd=CODE_ROOT)

    assert done.returncode == PlaintextFound.exit_code
    assert b"configuration page" in done.stdout
    assert tree(root.root) == before
