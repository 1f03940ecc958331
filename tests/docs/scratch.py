"""A copy of the program with a runner, an admin, a recovery key and a backup: where the docs' commands are tried."""

import os
import shutil
import subprocess
from pathlib import Path

from tbot_bot.domain.session import BotState
from tbot_bot.interface.state import current_state
from tbot_bot.support.audit_anchors import known_anchors
from tbot_bot.support.path_resolver import Paths
from tests.conftest import REPOSITORY
from tools.runner_process import RunnerProcess, wait_for

PASSWORD = "a battery of horses"
ADMIN = {"username": "admin", "password": PASSWORD, "email": "admin@example.org"}
PROVEN = {"step_up": {"password": PASSWORD}}
CODE = ("tbot_bot", "tbot_web", "tools", "docs", "requirements")
FILES = ("Makefile", "VERSION.md", "README.md", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("storage", "databases", "__pycache__")


class Scratch:
    """The docs' examples speak of `admin`, `key.txt`, `kept/` and `unpacked/`: here they are."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        for name in CODE:
            shutil.copytree(REPOSITORY / name, self.root / name, ignore=LEFT_OUT)
        for name in FILES:
            shutil.copy(REPOSITORY / name, self.root / name)
        self.paths = Paths(self.root.resolve())
        self._runner = RunnerProcess(folder)
        self.words: dict[str, str] = {}

    def set_up(self) -> None:
        runner = self._runner
        runner.start()
        wait_for("the first setup", lambda: runner.ask("provision", {"values": {}}).ok)
        wait_for("the idle state", lambda: current_state(self.paths) is BotState.IDLE)
        runner.token = wait_for("the registration", lambda: runner.ask("register", ADMIN).body.get("token", ""))
        self._keep_recovery_key()
        made = self.run("python -m tbot_bot.runtime.backup")
        assert made.returncode == 0, made.stdout + made.stderr
        last = known_anchors(self.paths)[-1]
        self.words = {"SEQ": str(last.seq), "HASH": last.line_hash}
        wait_for("a copy of the log at rest", self._copy_log)
        (self.root / "kept").mkdir()
        shutil.copy(self.root / "unpacked" / "first.key.age", self.root / "kept")

    def _keep_recovery_key(self) -> None:
        begun = self._runner.ask("recovery_begin", PROVEN)
        assert begun.ok, begun
        identity = str(begun.body["identity"])
        confirmed = self._runner.ask("recovery_confirm", {"last_group": identity[-4:]})
        assert confirmed.ok, confirmed
        key = self.root / "key.txt"
        key.write_text(identity)
        key.chmod(0o600)

    def _copy_log(self) -> bool:
        """Whether nothing was written meanwhile."""
        log = self.paths.audit_log.parent
        before = (log / "head.json").read_bytes()
        shutil.copytree(log, self.root / "unpacked", ignore=shutil.ignore_patterns("inbox"), dirs_exist_ok=True)
        return before == (log / "head.json").read_bytes()

    def run(self, commands: str) -> "subprocess.CompletedProcess[str]":
        """As a reader in that folder would, who is asked for a password once."""
        environment = {**os.environ, **self.words, "PATH": f"{REPOSITORY}/.venv/bin:{os.environ['PATH']}"}
        for name in ("TBOT_ROOT", "PYTHONPATH"):
            environment.pop(name, None)
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.root,
            env=environment,
            input=f"{PASSWORD}\n",
            capture_output=True,
            text=True,
            timeout=60,
        )

    def end(self) -> None:
        self._runner.end()
