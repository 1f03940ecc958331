"""The unit files judged before they are installed: `python -m tools.units`, part of `make check`.

Each is verified as systemd reads it, and scored by `systemd-analyze security`: what is more exposed than noted here is
refused."""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.child import run_program
from tools.installer.layout import Layout
from tools.installer.rendering import rendered_files

ANALYZE = "systemd-analyze"
LIMITS: Mapping[str, int] = {
    "tbot-alert@.service": 2,
    "tbot-backtest.service": 2,
    "tbot-backup.service": 10,
    "tbot-bot.service": 10,
    "tbot-migrate@.service": 2,
    "tbot-paper.service": 9,
    "tbot-provisioning.service": 2,
    "tbot-universe.service": 10,
    "tbot-web.service": 2,
}
"""Tenths of systemd's exposure level (0 to 100) that a service may have at most; what is not named may have none."""
_LEVEL = re.compile(r"exposure level for \S+: ([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Score:
    """A service's exposure, in tenths."""

    unit: str
    tenths: int


def rendered(folder: Path) -> tuple[Path, ...]:
    """The units as they would be installed, in `folder`, with an interpreter where they look for one."""
    layout = Layout(prefix=folder / "opt")
    python = layout.prefix / "current" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    written = []
    for name, text in rendered_files(layout).items():
        if name.startswith("systemd/system/"):
            path = folder / Path(name).name
            path.write_text(text, "utf-8")
            written.append(path)
    return tuple(written)


def verify(units: tuple[Path, ...]) -> tuple[str, ...]:
    """What systemd finds wrong with them, unknown settings too; one sentence each."""
    done = run_program([ANALYZE, "verify", "--man=no", "--recursive-errors=no", *map(str, units)])
    lines = tuple(line for line in done.output.splitlines() if line.strip())
    return lines or (("systemd-analyze verify failed",) if done.code else ())


def score(unit: Path) -> Score:
    """Raises ValueError when systemd gives none."""
    done = run_program([ANALYZE, "security", "--offline=true", "--no-pager", str(unit)])
    found = _LEVEL.search(done.output)
    if found is None:
        raise ValueError(f"{unit.name} was not scored: {done.last_lines}")
    return Score(unit.name, round(float(found[1]) * 10))


def scores(units: tuple[Path, ...]) -> tuple[Score, ...]:
    """Of the services; nothing else is scored."""
    return tuple(score(unit) for unit in units if unit.suffix == ".service")


def too_exposed(found: tuple[Score, ...], limits: Mapping[str, int]) -> Iterator[str]:
    for one in found:
        limit = limits.get(one.unit, 0)
        if one.tenths > limit:
            yield f"{one.unit} is exposed {one.tenths / 10}, more than the {limit / 10} noted in tools/units.py"


def main() -> int:
    if shutil.which(ANALYZE) is None:
        sys.stderr.write("units: systemd-analyze is missing (apt-get install systemd); the units were not judged\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="tbot-units-") as name:
        units = rendered(Path(name))
        found = scores(units)
        faults = (*verify(units), *too_exposed(found, LIMITS))
    for words in faults:
        print(words)
    print("units: " + ", ".join(f"{one.unit.removesuffix('.service')} {one.tenths / 10}" for one in found))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
