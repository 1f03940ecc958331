"""A tmpfiles.d file as a statement about this machine: whether what it made is still as it says."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.installer import owners


@dataclass(frozen=True, slots=True)
class Fault:
    """How something differs, and the command that puts it right."""

    words: str
    cure: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line about a folder."""

    path: Path
    mode: int
    user: str
    group: str


def entries(text: str) -> Iterator[Entry]:
    """The lines that make or adjust a folder with a mode and an owner of their own."""
    for line in text.splitlines():
        words = line.split()
        folder = len(words) >= 5 and words[0][0] in "dDvqQ" and "-" not in words[2:5]
        if folder and words[2].lstrip("~:").isdigit():
            yield Entry(Path(words[1]), int(words[2].lstrip("~:"), 8), words[3].lstrip(":"), words[4].lstrip(":"))


def faults_against(text: str) -> Iterator[Fault]:
    """What is missing, or has another owner or mode."""
    for entry in entries(text):
        yield from _faults_of(entry)


def _faults_of(entry: Entry) -> Iterator[Fault]:
    remake = "systemd-tmpfiles --create"
    try:
        facts = entry.path.lstat()
    except PermissionError:
        yield Fault(f"{entry.path} can be looked at by root alone", "sudo make doctor")
        return
    except (FileNotFoundError, NotADirectoryError):
        yield Fault(f"{entry.path} is missing", remake)
        return
    if not stat.S_ISDIR(facts.st_mode):
        yield Fault(f"{entry.path} is no folder", f"look at it, move it away, then {remake}")
        return
    if (facts.st_uid, facts.st_gid) != (_number(entry.user, group=False), _number(entry.group, group=True)):
        words = f"{entry.path} belongs to {facts.st_uid}:{facts.st_gid}, not {entry.user}:{entry.group}"
        yield Fault(words, f"chown {entry.user}:{entry.group} {entry.path}")
    if stat.S_IMODE(facts.st_mode) != entry.mode:
        words = f"{entry.path} has mode {stat.S_IMODE(facts.st_mode):o}, not {entry.mode:o}"
        yield Fault(words, f"chmod {entry.mode:o} {entry.path}")


def _number(name: str, *, group: bool) -> int | None:
    if name.isdigit():
        return int(name)
    return owners.group_number(name) if group else owners.user_number(name)
