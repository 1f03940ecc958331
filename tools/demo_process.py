"""A whole demo as a child process on a root of its own, whose processes can be killed one by one."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tbot_bot.support.path_resolver import Paths
from tools.child import Process, child_running, end, start_python

MODULES = {
    "paper": "tbot_bot.paper",
    "provisioning": "tbot_bot.runtime.provisioning",
    "web": "tbot_web.serve",
    "bot": "tbot_bot.runtime.trader",
    "universe": "tbot_bot.runtime.universe",
    "backtest": "tbot_bot.backtest",
    "backup": "tbot_bot.runtime.backup",
}
"""Supervised unit → the module it runs, as tools.foreground starts them."""


@dataclass(frozen=True, slots=True)
class Killed:
    """One kill -9: when (s after the demo's start), what was about to happen, and how long until its successor ran."""

    unit: str
    at: float
    why: str
    restarted_after: float | None


class DemoProcess:
    """`tools.foreground --demo` below `folder`/root; its terminal goes to `folder`/terminal.txt."""

    def __init__(self, folder: Path, speed: int = 450, seed: int = 7, more: tuple[str, ...] = ()) -> None:
        """`more`: further options of the demo, such as --data and --date."""
        folder.mkdir(parents=True, exist_ok=True)
        self.paths = Paths((folder / "root").resolve())
        self.terminal = folder / "terminal.txt"
        self._speed, self._seed, self._more = speed, seed, more
        self._process: Process | None = None
        self._began = 0.0

    def start(self) -> None:
        options = ["--demo", "--root", str(self.paths.root), "--speed", str(self._speed), "--seed", str(self._seed)]
        self._process = start_python(["-m", "tools.foreground", *options, *self._more], self.terminal)
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll() if self._process is not None else None

    @property
    def pid(self) -> int:
        """supervisord's."""
        assert self._process is not None
        return self._process.pid

    def pid_of(self, unit: str) -> int | None:
        return child_running(self.pid, MODULES[unit])

    def wait_for_unit(self, unit: str, other_than: int | None = None, seconds: float = 20.0) -> int | None:
        """The unit's pid once it runs (again); None when the demo ended or it took too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.code is None:
            pid = self.pid_of(unit)
            if pid is not None and pid != other_than:
                return pid
            time.sleep(0.005)
        return None

    def kill(self, unit: str, why: str) -> Killed | None:
        """kill -9 of one unit; None when it does not run at this moment, or the demo is over."""
        pid = self.pid_of(unit)
        if pid is None or self.code is not None:
            return None
        at = self.elapsed
        os.kill(pid, signal.SIGKILL)
        again = self.wait_for_unit(unit, other_than=pid)
        return Killed(unit, round(at, 2), why, round(self.elapsed - at, 2) if again is not None else None)

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None when it still runs after so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.code is not None:
                return self.code
            time.sleep(0.1)
        return None

    def end(self) -> None:
        if self._process is not None:
            end(self._process)
