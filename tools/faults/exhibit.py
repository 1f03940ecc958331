"""A scenario made ready for faults: its root, what is true before and after each of its acts, and a recording of it."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tbot_bot.support.path_resolver import Paths
from tools.faults.calls import Call, read_calls
from tools.faults.facts import Facts, events_since, last_seq, look, relative
from tools.faults.forked import Say, in_child
from tools.faults.house import House
from tools.faults.scenarios import SCENARIOS, Scenario
from tools.faults.strace import inject, record


@dataclass(frozen=True, slots=True)
class Exhibit:
    """`steps[n]`: the facts after n acts; `events[n]`: what the audit log must hold by then, since the root's own end.

    `root`: the path that the recorded calls speak of."""

    scenario: Scenario
    folder: Path
    notes: Mapping[str, str] = field(repr=False)
    base: Facts
    seq: int
    steps: tuple[Facts, ...]
    events: tuple[Counter[str], ...]
    canaries: tuple[bytes, ...] = field(repr=False)

    @property
    def template(self) -> Path:
        return self.folder / "template"

    @property
    def before(self) -> Path:
        """The root as the recorded calls found it: started, where the scenario is."""
        return self.folder / "before"

    @property
    def recorded_root(self) -> Path:
        return self.folder / "recorded"

    def fresh_copy(self, to: Path) -> Path:
        """The root as it is before the acts."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.template, to, symlinks=True)
        return to

    def house(self, root: Path, say: Say) -> House:
        """On `root`, ready for the acts."""
        house = House(root, say)
        house.notes = dict(self.notes)
        if self.scenario.started:
            house.start()
        return house

    def acting(self, root: Path) -> Callable[[Say], Callable[[], None]]:
        """For a child: start on `root`, and then the acts."""

        def begin(say: Say) -> Callable[[], None]:
            house = self.house(root, say)
            return lambda: self.scenario.act(house)

        return begin

    def calls(self) -> tuple[Call, ...]:
        return read_calls((self.folder / "trace.txt").read_text(), str(self.recorded_root))


class _Enough(Exception):
    """As many acts as were wanted are done."""


def make_exhibit(scenario: Scenario, folder: Path) -> Exhibit:
    """Build the root, learn what is true after each act, and record the acts. Raises ChildFailed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    if scenario.killed_in:
        return _make_killed(scenario, folder, *scenario.killed_in)
    notes = _build(scenario, folder)
    seq = last_seq(Paths(folder / "template"))
    bare = Exhibit(scenario, folder, notes, {}, seq, (), (), ())
    base = _facts_after(bare, 0)["facts"]
    said = _record(bare)
    steps, events = [relative(base, base)], [Counter[str]()]
    for number in range(1, len(said) + 1):
        found = _facts_after(bare, number)
        steps.append(relative(found["facts"], base))
        events.append(Counter(found["events"]))
    told = {str(row.get(name, "")) for row in said for name in ("token", "secret")}
    secrets = {*told, *(notes.get(name, "") for name in ("token", "identity"))} - {""}
    kept = {
        "notes": notes,
        "base": base,
        "seq": seq,
        "steps": steps,
        "events": events,
        "secrets": sorted(secrets),
    }
    (folder / "exhibit.json").write_text(json.dumps(kept))
    return load_exhibit(scenario.name, folder)


def _build(scenario: Scenario, folder: Path) -> dict[str, str]:
    """The root that the acts begin with; what its admin knows."""

    if scenario.bare:
        (folder / "template").mkdir()
        return {}

    def build() -> dict[str, str]:
        house = House(folder / "template")
        house.start()
        scenario.prepare(house)
        return house.notes

    notes: dict[str, str] = in_child(build)
    return notes


def _make_killed(scenario: Scenario, folder: Path, name: str, place: float) -> Exhibit:
    """The root of another scenario, killed on its way: what is true before and after that one is true here too."""
    earlier = load_exhibit(name, folder.parent / name)
    points = [call for call in earlier.calls() if call.mutates and not call.failed]
    call = points[int(len(points) * place)]
    acting = earlier.acting(earlier.fresh_copy(folder / "template"))
    _, hit = inject(acting, call.name, "signal=KILL", str(call.number), folder / "notes")
    if not hit:
        raise ValueError(f"{name} was not killed at {call}")
    shutil.copy(earlier.folder / "exhibit.json", folder / "exhibit.json")
    _record(load_exhibit(scenario.name, folder))
    return load_exhibit(scenario.name, folder)


def load_exhibit(name: str, folder: Path) -> Exhibit:
    kept = json.loads((folder / "exhibit.json").read_text())
    return Exhibit(
        SCENARIOS[name],
        folder,
        kept["notes"],
        kept["base"],
        kept["seq"],
        tuple(kept["steps"]),
        tuple(Counter(row) for row in kept["events"]),
        tuple(secret.encode() for secret in kept["secrets"]),
    )


def _facts_after(exhibit: Exhibit, acts: int) -> dict[str, Any]:
    """Facts and events after that many acts, as a second start finds them."""
    root = exhibit.fresh_copy(exhibit.folder / "scratch")

    def few(said: Any) -> None:
        count.append(said)
        if len(count) >= acts:
            raise _Enough

    count: list[Any] = []

    def act() -> str:
        try:
            if acts:
                exhibit.acting(root)(few)()
        except _Enough:
            return "stopped"
        return "ended"

    def find() -> dict[str, Any]:
        house = House(root)
        house.start()
        events = events_since(house.paths, exhibit.seq)
        return {"events": events, "facts": look(house)}

    in_child(act)
    found: dict[str, Any] = in_child(find)
    shutil.rmtree(root)
    return found


def _record(exhibit: Exhibit) -> list[dict[str, Any]]:
    """The acts under strace; what they answered. Raises ValueError when one was refused."""
    root = exhibit.fresh_copy(exhibit.recorded_root)

    def keep() -> None:
        shutil.copytree(root, exhibit.before, symlinks=True)

    ended = record(exhibit.acting(root), exhibit.folder / "trace.txt", keep)
    shutil.rmtree(root)
    if ended.status != 0 or not all(isinstance(row, dict) and row.get("ok") is True for row in ended.said):
        raise ValueError(f"the scenario {exhibit.scenario.name} fails without any fault: {ended}")
    return list(ended.said)
