"""Files of an installation: born with their mode, owned by root where root installs, whole or not at all."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from tbot_bot.support.atomic_file import sync_folder, write_bytes
from tools.installer.faults import InstallRefused

FILE, PROGRAM, FOLDER = 0o644, 0o755, 0o755


def make_folder(folder: Path, mode: int = FOLDER) -> None:
    """`folder` and its missing parents, whatever the umask."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir()
    folder.chmod(mode)
    sync_folder(folder.parent)


def put_text(path: Path, text: str, mode: int = FILE) -> bool:
    """Whether the file had to be written; one that says the same stays untouched."""
    if path.is_file() and not path.is_symlink() and path.read_bytes() == text.encode():
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)
        return False
    make_folder(path.parent)
    write_bytes(path, text.encode(), mode)
    path.chmod(mode)
    return True


def copy_file(source: Path, target: Path) -> None:
    """Content and time only; the time is what compiled files are checked against."""
    make_folder(target.parent)
    shutil.copyfile(source, target, follow_symlinks=False)
    times = source.stat()
    os.utime(target, ns=(times.st_mtime_ns, times.st_mtime_ns))


def settle(tree: Path) -> None:
    """Everything in `tree` readable by all, writable by its owner alone, and root's where root installs."""
    for path in (tree, *walk(tree)):
        if os.geteuid() == 0:
            os.chown(path, 0, 0, follow_symlinks=False)
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(PROGRAM if executable else FILE)


def walk(tree: Path) -> Iterator[Path]:
    """Every file, link and folder below `tree`, in one order everywhere; links are not followed."""
    for folder, names, files in os.walk(tree):
        names.sort()
        for name in sorted([*files, *names]):
            yield Path(folder, name)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def untrusted(path: Path) -> Iterator[str]:
    """Why what lies at `path` could be changed by others than root, folder by folder, in sentences."""
    for each in (path, *path.parents):
        try:
            facts = each.stat()
        except FileNotFoundError:
            continue
        if facts.st_uid != 0:
            yield f"{each} belongs to user {facts.st_uid}, not to root: chown root {each}"
        if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield f"{each} can be written by others (mode {stat.S_IMODE(facts.st_mode):o}): chmod go-w {each}"


def require_trusted(path: Path) -> None:
    """Raises InstallRefused: code that root's services run must not be anyone else's to change."""
    found = tuple(untrusted(path))
    if found:
        raise InstallRefused("The code would not be safe there. " + "; ".join(found))
