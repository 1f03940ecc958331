"""The line and the JSON file that every campaign and benchmark leaves behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.path_resolver import Paths

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Campaign:
    """What one part of a campaign found. `points`: how often something was tried; `violations`: what must not be."""

    name: str
    points: int
    violations: tuple[str, ...]
    seconds: float
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured value beside its reference of the same run, both in `unit`; `ratio` = value / reference."""

    name: str
    value: float
    reference: float
    unit: str
    versus: str

    @property
    def ratio(self) -> float:
        return self.value / self.reference if self.reference else 0.0


def report_campaign(paths: Paths, found: Campaign) -> None:
    """The first violations in words, then exactly one closing line."""
    ensure_folder(paths.figures, 0o755)
    facts = {
        "name": found.name,
        "points": found.points,
        "violations": list(found.violations),
        "seconds": round(found.seconds, 1),
        "detail": dict(found.detail),
    }
    write_json(paths.figures / f"campaign_{found.name}.json", facts, 0o644)
    for words in found.violations[:SHOWN]:
        print(f"  VIOLATION: {words}", flush=True)
    closing = f"points={found.points} violations={len(found.violations)} seconds={found.seconds:.1f}"
    print(f"campaign {found.name}: {closing}", flush=True)


def report_measures(paths: Paths, part: str, measures: tuple[Measure, ...]) -> None:
    """One line a measure, one file a part."""
    ensure_folder(paths.figures, 0o755)
    rows = [
        {"name": m.name, "value": m.value, "unit": m.unit, "ratio": m.ratio, "vs": m.versus, "reference": m.reference}
        for m in measures
    ]
    write_json(paths.figures / f"bench_{part}.json", {"part": part, "measures": rows}, 0o644)
    for m in measures:
        print(f"bench {m.name}: {m.value:.4g} {m.unit} ratio={m.ratio:.3g} vs={m.versus}", flush=True)
