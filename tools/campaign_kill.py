"""Whole demos whose processes die by kill -9 at random moments; afterwards all must be as it should be."""

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools.day_verdict import day_faults
from tools.demo_process import DemoProcess, Killed
from tools.figures import Campaign
from tools.killers import Killer, kill_script

DEMOS = {"small": 2, "full": 30}
SIDE_BY_SIDE = 2
SPEED = 450
DAY_SECONDS = 55.0
LONGEST = 400.0


def kill_campaign(size: str, seed: int) -> Campaign:
    """A point is one kill."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tbot-kill-"))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        days = tuple(pool.map(lambda number: one_day(folder / str(number), number), range(seed, seed + DEMOS[size])))
    violations = tuple(words for found, _ in days for words in found)
    killed = [row for _, rows in days for row in rows]
    if not violations:
        shutil.rmtree(folder)
    detail = {"kills": killed, "kept": str(folder) if violations else ""}
    return Campaign("kill", len(killed), violations, time.monotonic() - began, detail)


def one_day(folder: Path, seed: int) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """One demo under the script of `seed`: what was violated, and who was killed when."""
    demo = DemoProcess(folder, SPEED)
    demo.start()
    killer = Killer(demo, *kill_script(seed, DAY_SECONDS))
    killer.start()
    code = demo.wait(LONGEST)
    demo.end()
    killer.join(30)
    faults = list(lost_units(killer.killed))
    if code != 0:
        faults.append(f"the demo ended with {code}; see {demo.terminal}")
    faults += day_faults(demo.paths)
    return tuple(f"seed {seed}: {words}" for words in faults), [{"seed": seed, **asdict(k)} for k in killer.killed]


def lost_units(killed: list[Killed]) -> tuple[str, ...]:
    """Processes that did not come back. The last kill may coincide with the demo's own end."""
    return tuple(f"{k.unit}, killed {k.why}, was not restarted" for k in killed[:-1] if k.restarted_after is None)
