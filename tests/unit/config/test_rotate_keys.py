"""New keys from a shell, over the same sealed request as the page's, against a real runner."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.config.security_bot import open_secrets
from tbot_bot.interface.requests import Reply
from tests.unit.config.conftest import PASSWORD
from tools.rotate_keys import main, rotate

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent


@pytest.fixture
def shell(ready: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A runner with an admin, where the tool looks for it."""
    monkeypatch.setenv("TBOT_ROOT", str(ready.paths.root))
    return ready


class ByHand:
    """Takes requests to a runner whose clock is ahead of the files'."""

    def __init__(self, rig: Any) -> None:
        self._rig = rig

    def ask(self, kind: str, body: Mapping[str, Any], *, token: str | None, ip: str, timeout: float = 0) -> Reply:
        reply = self._rig.ask(kind, dict(body), token)
        assert isinstance(reply, Reply)
        return reply


def _generation(rig: Any) -> str:
    return str(rig.paths.current_generation.readlink().name)


def _typing(*lines: str) -> Callable[[str], str]:
    waiting = list(lines)
    return lambda _: waiting.pop(0)


def test_all_keys_are_replaced_and_the_login_ends(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.register()
    before = open_secrets(shell.paths)

    assert main(["--user", "ada"], _typing(PASSWORD)) == 0

    assert _generation(shell) == "00000003"
    assert open_secrets(shell.paths) == before
    assert "in use" in capsys.readouterr().out
    assert list(shell.paths.sessions.iterdir()) == []
    assert len(shell.events("keys_rotated")[0]["categories"]) == 12


def test_one_category_is_replaced_and_other_logins_stay(shell: Any) -> None:
    token = shell.register()
    broker, smtp = ((shell.paths.keys / name).read_bytes() for name in ("broker.key", "smtp.key"))

    assert main(["--category", "broker"], _typing(PASSWORD), _typing("ada")) == 0

    assert (shell.paths.keys / "broker.key").read_bytes() != broker
    assert (shell.paths.keys / "smtp.key").read_bytes() == smtp
    assert shell.ask("keys", token=token).ok
    assert len(list(shell.paths.sessions.iterdir())) == 1
    assert shell.events("keys_rotated")[0]["ip"] == "shell"


def test_with_a_second_factor_two_codes_are_typed(shell: Any) -> None:
    secret, _, _ = shell.enrol(shell.register())
    codes: list[str] = []

    def type_code(_: str) -> str:
        codes.append(shell.code(secret))
        return codes[-1]

    assert rotate(ByHand(shell), "ada", PASSWORD, ["all"], type_code) is None
    assert len(set(codes)) == 2
    assert _generation(shell) == "00000003"


def test_a_wrong_password_and_a_trader_change_nothing(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    admin = shell.register()
    shell.add_user(admin, "bob", "trader")

    assert main(["--user", "ada"], _typing("not the right one")) == 1
    assert "wrong" in capsys.readouterr().out
    assert main(["--user", "bob"], _typing(PASSWORD)) == 1
    assert "role admin" in capsys.readouterr().out
    assert _generation(shell) == "00000001"


def test_a_silent_runner_is_named(shell: Any, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    shell.register()
    shell.stop()
    monkeypatch.setattr("tools.rotate_keys._PATIENCE", 0.2)

    assert main(["--user", "ada"], _typing(PASSWORD)) == 1
    assert "not answering" in capsys.readouterr().out
    shell.start()
    assert _generation(shell) == "00000001"


def test_an_entry_that_is_broken_off_asks_for_nothing(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    assert main([], interrupt, _typing("ada")) == 1
    assert "broken off" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--category", "nonsense"])


@pytest.mark.slow
def test_at_a_real_terminal_the_password_is_not_echoed(shell: Any) -> None:
    shell.register()
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", sys.executable, "-m", "tools.rotate_keys", "--user", "ada"]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=REPOSITORY)
    os.close(theirs)
    seen = b""
    while b"Password:" not in seen:
        seen += os.read(ours, 1000)
    os.write(ours, PASSWORD.encode() + b"\n")
    assert child.wait(60) == 0
    while b"in use" not in seen:
        seen += os.read(ours, 1000)
    os.close(ours)

    assert PASSWORD.encode() not in seen
    assert _generation(shell) == "00000003"
