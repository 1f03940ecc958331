"""What must be true of every root at every moment after a start, whatever happened to it."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from tbot_bot.config.checkpoint import checkpoint_file
from tbot_bot.config.generations import faults_of, folder_of, numbers
from tbot_bot.domain.session import BotState
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.path_resolver import Paths
from tools.faults.scenarios import CANARIES

_PRIVATE = ("gen", "runner", "recovery", "audit")
_UNFINISHED = re.compile(r"\.(staging|doomed)|\.staging$|\.doomed")


def leaks(root: Path, canaries: Iterable[bytes]) -> Iterator[str]:
    """Files below `root`, temporary ones too, that hold a secret in plain text."""
    sought = (*CANARIES, *canaries)
    for path in _files(root):
        data = path.read_bytes()
        yield from (f"{path.relative_to(root)} holds a secret in plain text" for canary in sought if canary in data)


def faults(paths: Paths) -> Iterator[str]:
    """Files that others can read, a damaged audit log, and work that no one will finish."""
    for name in _PRIVATE:
        for path in _files(paths.storage / name):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o007 or (mode & 0o070 and name != "audit"):
                yield f"{path.relative_to(paths.root)} can be read by others ({mode:o})"
    found = verify(paths)
    if found.problem is not None:
        yield f"the audit log after record {found.last}: {found.problem}"
    yield from _state_faults(paths)
    for number in numbers(paths):
        yield from faults_of(folder_of(paths, number))
    if checkpoint_file(paths).exists():
        yield "an unfinished provisioning is left"
    if paths.generations.is_dir():
        names = os.listdir(paths.generations)
        yield from (f"gen/{name} is left unfinished" for name in names if _UNFINISHED.search(name))


def _state_faults(paths: Paths) -> Iterator[str]:
    """Each move is logged before it is made, so the word is where the last logged move leads, or where it began."""
    rows = read_lines(paths.state_log)
    if not paths.bot_state.exists():
        yield "there is no state word"
        return
    word = paths.bot_state.read_text().strip()
    if word not in list(BotState):
        yield f"{word!r} is no state"
    if not rows or word not in {rows[-1].get("to"), rows[-1].get("from")}:
        yield f"the state is {word}, and the last logged move is {rows[-1] if rows else 'none'}"


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path
