"""Orders that are part of a protocol of ours, beyond what the law of persistence asks of every write.

A start may find its way out of the wrong order too; it is still not to be relied on."""

import os
from collections.abc import Iterator, Mapping

from tools.faults.calls import WRITES, Call
from tools.faults.exhibit import Exhibit
from tools.faults.law import Law
from tools.faults.replay import RENAMES

_STORAGE = "tbot_bot/storage"
NEXT: Mapping[str, str] = {
    f"{_STORAGE}/audit/audit.jsonl": f"{_STORAGE}/audit/head.json",
    "control/state_log.jsonl": "control/bot_state.txt",
}
"""After a line in this log comes that file, before anything else is done or answered."""

BEGUN = (f"{_STORAGE}/runner/provisioning.json", f"{_STORAGE}/runner/restore.json")
"""Gone when an answer leaves: what was begun is ended or taken back by then."""

NEEDS: Mapping[str, tuple[str, ...]] = {f"{_STORAGE}/recovery/recovery.json": (".mac.key", ".drill.key")}
"""A record, and how the files beside it are called that it says are there."""

_LINKS, _USERS = "the links of the generation", "tbot_bot/core/databases/SYSTEM_USERS.db"
_DUAL, _CLEAN = f"{_STORAGE}/gen/00000002", f"{_STORAGE}/gen/00000003"
SEQUENCES: Mapping[str, tuple[str, ...]] = {
    # The users are encrypted anew when both keys can be read, and the old ones go only then. (Before all that, and at
    # the end, logins are written to the same file.)
    "rotate_all": (_USERS, _DUAL, _LINKS, _USERS, _CLEAN, _LINKS, _USERS, _DUAL),
}
"""Scenario → these of its subjects, in exactly this order, repeats taken as one."""


def broken_order(exhibit: Exhibit, calls: tuple[Call, ...]) -> str:
    """The first thing done out of order, in words; "" when there is none. Raises ImpossibleCall."""
    return next(_broken(exhibit, calls), "")


def _broken(exhibit: Exhibit, calls: tuple[Call, ...]) -> Iterator[str]:
    root = str(exhibit.recorded_root)
    law = Law(exhibit.before, calls, root)
    due, touched = "", list[str]()
    for call in calls:
        if call.failed:
            continue
        answers = call.paths[0].startswith("pipe:")
        subject = "the answer" if answers else law.touched(call)
        if due and subject not in {"", due}:
            yield f"{subject} before {due}"
        if subject == due:
            due = ""
        if subject in NEXT and call.name in WRITES:
            due = NEXT[subject]
        if subject and touched[-1:] != [subject]:
            touched.append(subject)
        law.play(call)
        yield from _wrong_now(law, call, root, answers=answers)
    yield from _wrong_sequence(exhibit.scenario.name, touched)


def _wrong_now(law: Law, call: Call, root: str, *, answers: bool) -> Iterator[str]:
    if answers:
        yield from (f"{name} is left when the answer leaves" for name in BEGUN if law.disk.find(name) is not None)
    if call.name not in RENAMES:
        return
    name = os.path.relpath(call.paths[1], root)
    node, folder = law.disk.find(name), law.disk.find(os.path.dirname(name))
    if node is not None and name == f"{_STORAGE}/current" and law.disk.find(f"{_STORAGE}/{node.target}") is None:
        yield f"{name} leads to {node.target}, which is not there"
    for end in NEEDS.get(name, ()):
        if folder is not None and not any(beside.endswith(end) for beside in folder.now if beside[0] != "."):
            yield f"{name} before its *{end}"


def _wrong_sequence(scenario: str, touched: list[str]) -> Iterator[str]:
    wanted = SEQUENCES.get(scenario)
    if wanted is None:
        return
    found: list[str] = []
    for subject in touched:
        if subject in wanted and found[-1:] != [subject]:
            found.append(subject)
    if tuple(found) != wanted:
        yield f"in this order: {', '.join(found)}"
