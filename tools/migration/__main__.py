"""Bring the state folder to this release, or back: `python -m tools.migration latest`, or a layout's number.

Run by tbot-migrate@.service as the runner's user while no other process of tbot works; done again, it does nothing.
A number also takes back what the newest `latest` did to settings and universe, for an upgrade that is undone."""

import argparse
import sys

from tbot_bot.domain.errors import StateCorrupt
from tbot_bot.ports.clock import Clock
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run
from tools.migration import settings, universe
from tools.migration.record import at_layout, read_record, write_record
from tools.migration.steps import STEPS

LATEST = "latest"
_log = get_logger("upgrade")


def forward(paths: Paths, clock: Clock) -> None:
    """All steps that are missing, then settings and universe. Raises what they raise; what is done stays recorded."""
    if not paths.layout_record.exists():
        write_record(paths, read_record(paths))
    _require_known(read_record(paths).layout)
    for number in range(read_record(paths).layout, len(STEPS)):
        STEPS[number].do(paths)
        at_layout(paths, number + 1)
        _log.info("layout changed", extra={"fields": {"step": STEPS[number].name, "layout": number + 1}})
    if settings.refresh(paths, clock):
        _log.info("settings brought to this release")
    if universe.put_aside(paths):
        _log.info("the universe is to be built anew")


def back(paths: Paths, layout: int) -> None:
    """Undo settings, universe and the steps above `layout`, the newest first."""
    _require_known(read_record(paths).layout)
    universe.bring_back(paths)
    if settings.undo(paths):
        _log.info("settings are those of before")
    for number in range(read_record(paths).layout, layout, -1):
        STEPS[number - 1].undo(paths)
        at_layout(paths, number - 1)
        _log.info("layout changed back", extra={"fields": {"step": STEPS[number - 1].name, "layout": number - 1}})


def _require_known(layout: int) -> None:
    if layout > len(STEPS):
        raise StateCorrupt(
            f"the state folder has layout {layout}, this release knows {len(STEPS)}: install the newer release again"
        )


def serve(_: Process) -> None:
    parser = argparse.ArgumentParser(prog="tools.migration")
    parser.add_argument("layout", help=f"{LATEST}, or the number of an earlier layout")
    asked = str(parser.parse_args().layout)
    paths = Paths(root_from_environment())
    if asked == LATEST:
        forward(paths, SystemClock())
    else:
        back(paths, int(asked))


if __name__ == "__main__":
    sys.exit(run("upgrade", serve))
