"""After a fault: start again, and say what is not as it must be."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tbot_bot.domain.errors import TbotError
from tools.faults.exhibit import Exhibit
from tools.faults.facts import KNOWN_LOGINS, Facts, difference, events_since, look, relative, tree
from tools.faults.forked import ChildFailed, Ended, in_child
from tools.faults.house import House
from tools.faults.hygiene import faults, leaks

_NO_MATTER = ("control/published", "control/replies", "control/audit_anchors.jsonl")
"""Snapshots and answers: written anew each second, fetched within one. The anchors say that there was a start."""


def judge(
    exhibit: Exhibit,
    root: Path,
    said: Sequence[Mapping[str, Any]],
    *,
    bounds: tuple[int, int] | None = None,
    repeat: bool = True,
    halted: bool = False,
) -> list[str]:
    """What is wrong with `root` after acts that answered `said` before they were cut short; empty when nothing is.

    `bounds`: from and up to how many acts may be done, where the answers do not tell. `halted`: the state may be
    `error`, for whoever could not read it."""
    limits = allowed(exhibit, said) if bounds is None else bounds
    try:
        first = in_child(lambda: _first_start(exhibit, root, said))
        second = in_child(lambda: _second_start(exhibit, root, limits, first["tree"], repeat=repeat, halted=halted))
    except ChildFailed as failed:
        return [f"a start failed: {failed}"]
    return [*first["wrong"], *second]


def judge_quickly(exhibit: Exhibit, root: Path, said: Sequence[Mapping[str, Any]]) -> list[str]:
    """The same by one start alone: without asking what a second one changes, and without repeating the acts."""
    try:
        found: list[str] = in_child(lambda: _only_start(exhibit, root, said))
    except ChildFailed as failed:
        return [f"a start failed: {failed}"]
    return found


def allowed(exhibit: Exhibit, said: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """From and up to how many acts may be done, by what was answered before all went dark.

    Any, where a start is tried after another scenario was killed: it finishes what was begun or takes it back."""
    if exhibit.scenario.killed_in:
        return 0, len(exhibit.steps) - 1
    most = len(exhibit.steps) - 1
    done = min(sum(1 for row in said if row.get("ok") is True), most)
    refused = any(row.get("ok") is False for row in said)
    unclear = any(row.get("ok") is None for row in said) or (not refused and len(said) < most)
    return done, min(done + unclear, most)


def misfit(exhibit: Exhibit, found: Facts, bounds: tuple[int, int], *, halted: bool = False) -> tuple[int | None, str]:
    """(which step the facts are those of, "") or (None, how they differ from the nearest that is allowed)."""
    shown = relative(found, exhibit.base)
    steps = range(bounds[0], bounds[1] + 1)
    for number in steps:
        if shown == exhibit.steps[number] or (halted and _but_for_the_state(shown) == exhibit.steps[number]):
            return number, ""
    words = [f"after {number} acts: {difference(shown, exhibit.steps[number])}" for number in steps]
    return None, f"neither the old state nor the new ({' | '.join(words)})"


def _but_for_the_state(shown: Facts) -> Facts:
    """Halted by an error where it would be idle: whoever cannot read the state halts, which is as it must be."""
    return {**shown, "state": "idle"} if shown["state"] == "error" else shown


def status_words(ended: Ended) -> str:
    return f"killed by {signal.Signals(-ended.status).name}" if ended.status < 0 else f"ended with {ended.status}"


def _first_start(exhibit: Exhibit, root: Path, said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    wrong = list(leaks(root, exhibit.canaries))
    house = House(root)
    house.start()
    wrong += [*faults(house.paths), *_logged_out(house, said)]
    return {"wrong": wrong, "tree": tree(root, _NO_MATTER)}


def _only_start(exhibit: Exhibit, root: Path, said: Sequence[Mapping[str, Any]]) -> list[str]:
    wrong = list(leaks(root, exhibit.canaries))
    house = House(root)
    house.start()
    return [*wrong, *faults(house.paths), *_logged_out(house, said), *_fit(exhibit, house, allowed(exhibit, said))[1]]


def _second_start(
    exhibit: Exhibit,
    root: Path,
    bounds: tuple[int, int],
    before: Mapping[str, str],
    *,
    repeat: bool,
    halted: bool,
) -> list[str]:
    house = House(root)
    house.start()
    after = tree(root, _NO_MATTER)
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    wrong = [f"a second start changed {name}" for name in changed]
    number, words = _fit(exhibit, house, bounds, halted=halted)
    wrong += words
    if not wrong and repeat and exhibit.scenario.started and (number == 0 or exhibit.scenario.repeats):
        wrong += _again(exhibit, house, number)
    return wrong


def _logged_out(house: House, said: Sequence[Mapping[str, Any]]) -> list[str]:
    """A login that was answered must live on."""
    tokens = [str(row["token"]) for row in said if row.get("token")]
    dead = [token for token in tokens if house.ask("validate", {"values": {}}, token).code == "expired"]
    return ["a login that was answered has ended"] * len(dead)


def log_in_anew(house: House) -> None:
    """The acts may have ended the login that they were asked with."""
    for login in KNOWN_LOGINS.values() if house.notes.get("token") else ():
        body = dict(zip(("username", "password", "device"), (*login, ""), strict=True))
        reply = house.ask("login", body, token="")
        if reply.ok:
            house.notes["token"] = str(reply.body["token"])
            return


def _fit(exhibit: Exhibit, house: House, bounds: tuple[int, int], *, halted: bool = False) -> tuple[int, list[str]]:
    """Which step the facts are those of, and what is wrong with them or missing from the audit log."""
    recorded = events_since(house.paths, exhibit.seq)
    try:
        number, words = misfit(exhibit, look(house), bounds, halted=halted)
    except TbotError as error:
        return 0, [f"cannot be read: {error}"]
    if number is None:
        return 0, [words]
    missing = exhibit.events[number] - recorded
    late = exhibit.scenario.late if number > bounds[0] else frozenset()
    return number, [f"done and not on record: {name}" for name in missing if name not in late]


def _again(exhibit: Exhibit, house: House, number: int) -> list[str]:
    """The acts once more on the same root, as a user would try."""
    said: list[Any] = []
    house.say, house.notes = said.append, dict(exhibit.notes)
    log_in_anew(house)
    exhibit.scenario.act(house)
    refused = [row for row in said if row.get("ok") is not True]
    if refused:
        return [f"cannot be repeated: {refused}"]
    if number:
        return []
    last = len(exhibit.steps) - 1
    return [f"repeated, it is {words}" for _, words in [misfit(exhibit, look(house), (last, last))] if words]
