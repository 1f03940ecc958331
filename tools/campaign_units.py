"""Days on private machines with a real systemd: every process killed and frozen, the machine rebooted and cut off, tbot
upgraded, taken back and its upgrades killed, all under a running session; afterwards all must be as it should be."""

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.figures import Campaign
from tools.lab.installed import PYTHON, python_missing
from tools.lab.lab import missing
from tools.lab.trading import RUNNER, SERVING, TARGET, TradingLab, Trees
from tools.patience import DemoFailed, press, until

DAYS = {"small": 1, "full": 4}
ROUNDS = {"small": 1, "full": 4}
"""How often a day goes through its repeatable cases, each time in another order."""
SPEED = 20
PAUSE_SECONDS = 6.0
"""Between two cases at most, so that they meet the session at many moments."""
FIRST, NEXT = "1.0.0", "1.0.1"
BROKEN = {
    "1.0.11": "tbot_bot/runtime/trader.py",
    "1.0.12": "tbot_bot/runtime/provisioning.py",
    "1.0.13": "tbot_web/serve.py",
    "1.0.14": "tbot_bot/paper/__main__.py",
    "1.0.15": "tools/migration/__main__.py",
}
"""Releases that cannot become ready → the module that ends at once."""
_FAULTS = (DemoFailed, OSError)


@dataclass(frozen=True, slots=True)
class Case:
    """`kind`: what is counted together."""

    kind: str
    what: str
    act: Callable[[], None]


def units_campaign(size: str, seed: int) -> Campaign:
    """A point is one case, or one day's final verdict."""
    began = time.monotonic()
    if missing() or python_missing():
        words = f"nothing was tried: {missing() or python_missing()}"
        return Campaign("units", 0, (words,), time.monotonic() - began)
    folder = Path(tempfile.mkdtemp(prefix="tbot-units-"))
    trees = _trees(folder / "trees")
    counts: Counter[str] = Counter()
    violations: list[str] = []
    for number in range(seed, seed + DAYS[size]):
        day = Day(folder / str(number), trees, random.Random(number))  # noqa: S311 - repeatable cases, not a secret
        try:
            day.live(ROUNDS[size], size == "full")
        finally:
            day.machine.down()
        counts += day.counts
        violations += [f"seed {number}: {words}" for words in day.violations]
    if not violations:
        shutil.rmtree(folder)
    print("  units: " + " ".join(f"{kind}={times}" for kind, times in sorted(counts.items())), flush=True)
    detail = {**counts, "kept": str(folder) if violations else ""}
    return Campaign("units", counts.total(), tuple(violations), time.monotonic() - began, detail)


def _trees(folder: Path) -> Trees:
    trees = Trees(folder, lambda _: None)
    trees.source(FIRST)
    trees.source(NEXT)
    for version, module in BROKEN.items():
        trees.source(version, partial(_break, module))
    return trees


def _break(module: str, source: Path) -> None:
    (source / module).write_text('raise SystemExit("broken")\n')


class Day:
    """One machine from its installation to the closed books."""

    def __init__(self, folder: Path, trees: Trees, dice: random.Random) -> None:
        self._dice = dice
        self.machine = TradingLab(folder, trees, SPEED, (FIRST, NEXT, *BROKEN))
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []

    def live(self, rounds: int, whole: bool) -> None:
        """`whole`: also every broken release, instead of one."""
        if not self._try(Case("first run", "a first run to the first trade", self._first_run)):
            return
        cases = [case for _ in range(rounds) for case in self._shuffled(self._repeatable())]
        broken = list(BROKEN) if whole else [self._dice.choice(list(BROKEN))]
        cases += [Case("taken back", f"the upgrade to a broken {BROKEN[v]}", partial(self._fails, v)) for v in broken]
        for case in cases:
            time.sleep(self._dice.uniform(0, PAUSE_SECONDS))
            self._try(case)
        self._try(Case("flattened", "kill while the runner is stopped", self._flatten))
        self._try(Case("verdict", "the closed books", self._judge))

    def _repeatable(self) -> list[Case]:
        lab = self.machine.lab
        return [
            *(Case("kill", f"kill -9 of {unit}", partial(self._successor, unit, "SIGKILL")) for unit in SERVING),
            *(Case("watchdog", f"SIGSTOP of {unit}", partial(self._successor, unit, "SIGSTOP")) for unit in SERVING),
            *(Case("restart", f"a restart of {unit}", partial(self._restart, unit)) for unit in SERVING),
            Case("kill", "kill -9 of everything at once", self._kill_all),
            Case("stop", "a stop and a start", self._stop_and_start),
            Case("reboot", "a reboot", lab.reboot),
            Case("reboot", "a power cut", partial(lab.reboot, power_cut=True)),
            Case("upgrade", "an upgrade", self._upgrade),
            Case("upgrade", "an upgrade that is killed", self._killed_upgrade),
        ]

    def _shuffled(self, cases: list[Case]) -> list[Case]:
        self._dice.shuffle(cases)
        return cases

    def _try(self, case: Case) -> bool:
        """Whether all was well: everything is up again and, while the session lasts, the bot goes on with it."""
        self.counts[case.kind] += 1
        try:
            case.act()
            if case.kind not in ("flattened", "verdict"):
                self.machine.wait_until_up()
                self.machine.goes_on()
        except _FAULTS as fault:
            self.violations.append(f"{case.what}: {fault}")
            return False
        return True

    def _first_run(self) -> None:
        _require("installing", self.machine.install().code == 0)
        _require("starting", self.machine.lab.systemctl("start", TARGET).code == 0)
        self.machine.set_up()
        self.machine.build_universe()
        self.machine.start()
        self.machine.wait_for_position(240)

    def _successor(self, unit: str, signal: str) -> None:
        """The unit's own watchdog and half a minute are what it may take."""
        lab = self.machine.lab
        lab.systemctl("reset-failed", unit)
        before = lab.pid(unit)
        lab.kill(unit, signal)
        until(f"a successor of {unit}", 100, lambda: lab.pid(unit) not in (0, before))

    def _kill_all(self) -> None:
        self.machine.lab.systemctl("reset-failed", *SERVING)
        for unit in SERVING:
            self.machine.lab.kill(unit)

    def _restart(self, unit: str) -> None:
        self.machine.lab.systemctl("reset-failed", unit)
        _require(f"restarting {unit}", self.machine.lab.systemctl("restart", unit).code == 0)

    def _stop_and_start(self) -> None:
        lab = self.machine.lab
        lab.systemctl("stop", TARGET)
        self.machine.wait_until_down()
        _require("the state shutdown", self.machine.state_word() == "shutdown")
        lab.systemctl("reset-failed", *SERVING)
        _require("starting", lab.systemctl("start", TARGET).code == 0)

    @property
    def _other(self) -> str:
        return NEXT if self.machine.release.startswith(f"{FIRST}+") else FIRST

    def _upgrade(self) -> None:
        version = self._other
        done = self.machine.installer("upgrade", version, "--without-backup")
        _require(f"upgrading to {version} ({done.last_lines})", self.machine.release.startswith(f"{version}+"))

    def _killed_upgrade(self) -> None:
        """The next run of the installer takes it back and does it anew."""
        version, seconds = self._other, f"{self._dice.uniform(0.5, 12):.1f}"
        words = ("timeout", "-s", "KILL", seconds, PYTHON, "-m", "tools.installer", "upgrade", "--without-backup")
        self.machine.lab.run(*words, folder=f"/srv/{version}", seconds=120)
        done = self.machine.installer("install", version, "--without-backup")
        found = self.machine.release.startswith(f"{version}+")
        _require(f"the upgrade killed after {seconds} s ({done.last_lines})", done.code == 0 and found)

    def _fails(self, version: str) -> None:
        before = self.machine.release
        done = self.machine.installer("upgrade", version, "--without-backup", "--ready-seconds=25")
        _require(f"refusing {version} ({done.last_lines})", done.code != 0 and self.machine.release == before)

    def _flatten(self) -> None:
        machine = self.machine
        machine.lab.systemctl("stop", RUNNER)
        press(machine.browser, "/kill", "/kill", {}, lambda: machine.state_word() == "shutdown_triggered")
        until("the halt", 60, lambda: machine.state_word() == "shutdown_triggered")
        until("closed books", 60, lambda: any(machine.paths.output.glob("sessions/*/summary.json")))
        machine.lab.systemctl("start", RUNNER)

    def _judge(self) -> None:
        self.machine.lab.systemctl("stop", TARGET)
        self.machine.wait_until_down()
        self.violations += self.machine.faults()
        _require("a fill", self.machine.fills() > 0)


def _require(what: str, true: bool) -> None:
    if not true:
        raise DemoFailed(f"{what} failed")
