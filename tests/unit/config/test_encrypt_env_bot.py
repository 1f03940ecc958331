"""tools/encrypt_env_bot.py beside a real runner: a headless first provisioning."""

from typing import Any

import pytest

from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.session import BotState
from tbot_bot.interface.state import current_state
from tools import build_check, encrypt_env_bot


def test_a_staged_file_is_sealed_and_the_plaintext_removed(rig: Any) -> None:
    staged = rig.paths.root / ".env_bot"
    staged.write_text("MAX_TRADES=2\nWEIGHTS=0.5,0.5\n")

    assert encrypt_env_bot.provision(rig.paths, staged) is None

    assert not staged.exists()
    assert open_secrets(rig.paths).bot.risk.max_trades == 2
    assert build_check.check(rig.paths) == ()


@pytest.mark.parametrize("text", ["MAX_TRADES=999999\n", "NO_SUCH_KEY=1\n", "no assignment\n"])
def test_a_wrong_file_is_refused_and_kept(rig: Any, text: str) -> None:
    staged = rig.paths.root / ".env_bot"
    staged.write_text(text)

    assert encrypt_env_bot.provision(rig.paths, staged)
    assert staged.exists()
    assert current_state(rig.paths) is BotState.INITIALIZE


def test_after_the_first_provisioning_it_refuses(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = ready.paths.root / ".env_bot"
    staged.write_text("MAX_TRADES=2\n")
    monkeypatch.setenv("TBOT_ROOT", str(ready.paths.root))

    assert encrypt_env_bot.main([]) == 1
    assert staged.exists()


def test_a_failing_step_is_told_with_its_remedy(rig: Any) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    rig.ledger_fails = fail
    staged = rig.paths.root / ".env_bot"
    staged.write_text("MAX_TRADES=2\nWEIGHTS=0.5,0.5\n")

    assert "No space left" in str(encrypt_env_bot.provision(rig.paths, staged))
    assert staged.exists()


def test_the_build_check_tool_names_a_damaged_universe(
    ready: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TBOT_ROOT", str(ready.paths.root))
    assert build_check.main() == 0
    ready.paths.universe.parent.mkdir(parents=True)
    ready.paths.universe.write_bytes(b"{}")

    assert build_check.main() == 1
    assert "universe" in capsys.readouterr().out
