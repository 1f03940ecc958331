"""Taking files out of a folder that someone else may write, without trusting anything about them.

Claim by rename into a private folder first: from then on no one can swap the file under us. Only then open it, without
following links and without blocking, and look at what was opened. A naive exists-then-read leaked a key through a
symlink and hung on a FIFO within seconds of attack."""

import contextlib
import os
import random
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tbot_bot.support.atomic_file import ensure_folder
from tbot_bot.support.other_users import HIDDEN, members, others_are_hidden

MAX_BYTES = 64 * 1024
_KEPT_REFUSED = 200
_MAX_A_ROUND = 256
_CLEARED_A_ROUND = 512


@dataclass(frozen=True, slots=True)
class Claimed:
    """A file that is ours now. `name` is what its writer called it; `path` where it waits until `finish`."""

    name: str
    path: Path
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Evicted:
    """Something that was no acceptable file; it has been moved aside, or is stuck where it is and now ignored."""

    name: str
    why: str


class Inbox:
    """One folder's incoming files. `wanted` says which names are to be claimed, `leave` which belong to others."""

    def __init__(
        self,
        folder: Path,
        private: Path,
        refused: Path,
        *,
        wanted: Callable[[str], bool],
        leave: Callable[[str], bool],
        owners: frozenset[int] | None = None,
        fair: bool = False,
    ) -> None:
        """`owners`: user ids whose files are accepted; None = ours, root's, the folder owner's and, where the folder
        was given to a group of ours, its members'.

        `fair`: when more is there than one round takes, it is drawn by lot, so that no name is always first. Otherwise
        the first by name. `private` and `refused` must be on the folder's file system: files come there by rename."""
        for place in (private, refused):
            ensure_folder(place)
        self._folder = folder
        self._private = private
        self._refused = refused
        self._wanted = wanted
        self._leave = leave
        self._owners = owners
        self._fair = fair
        self._stuck: set[str] = set()

    def leftovers(self) -> tuple[Claimed, ...]:
        """Files claimed before a crash and not finished, oldest name first."""
        found = []
        for path in sorted(self._private.iterdir()):
            taken = self._read(path.name.partition("~")[2], path)
            if isinstance(taken, Claimed):
                found.append(taken)
        return tuple(found)

    def take(self) -> tuple[tuple[Claimed, ...], tuple[Evicted, ...]]:
        """What came in, by name, and what had to be moved aside. At most 256 entries a round."""
        claimed: list[Claimed] = []
        evicted: list[Evicted] = []
        for name in self._names():
            if self._leave(name) or name in self._stuck:
                continue
            taken = self._take(name)
            if isinstance(taken, Claimed):
                claimed.append(taken)
            elif taken is not None:
                evicted.append(taken)
            if len(claimed) + len(evicted) >= _MAX_A_ROUND:
                break
        if evicted:
            self._trim_refused()
        return tuple(claimed), tuple(evicted)

    def finish(self, claimed: Claimed) -> None:
        """The file is dealt with; forget it."""
        claimed.path.unlink(missing_ok=True)

    def refuse(self, claimed: Claimed) -> None:
        """Its content is not acceptable: keep it aside for a look."""
        self._set_aside(claimed.path)
        self._trim_refused()

    def _names(self) -> list[str]:
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            ensure_folder(self._folder, 0o770)
            return []
        self._stuck.intersection_update(names)
        if self._fair and len(names) > _MAX_A_ROUND:
            random.SystemRandom().shuffle(names)
        return names

    def _take(self, name: str) -> Claimed | Evicted | None:
        """None when it vanished before we got it: its writer withdrew it."""
        target = self._private / f"{secrets.token_hex(8)}~{_safe(name)}"
        try:
            (self._folder / name).rename(target)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._stuck.add(name)
            return Evicted(_safe(name), f"it cannot be moved away ({error.strerror}) and is ignored")
        if not self._wanted(name):
            self._set_aside(target)
            return Evicted(_safe(name), "its name is none of those we take")
        return self._read(_safe(name), target)

    def _read(self, name: str, path: Path) -> Claimed | Evicted:
        try:
            data = self._content(path)
        except OSError as error:
            self._set_aside(path)
            return Evicted(name, f"it cannot be opened safely: {error.strerror}")
        if isinstance(data, str):
            self._set_aside(path)
            return Evicted(name, data)
        return Claimed(name, path, data)

    def _content(self, path: Path) -> bytes | str:
        """The bytes, or the reason why this is not a file to read."""
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                return "it is not a regular file"
            if facts.st_nlink != 1:
                return "it has a second name (hard link)"
            if facts.st_uid not in self._accepted_owners():
                return "it belongs to an unexpected user"
            if facts.st_size > MAX_BYTES:
                return f"it is larger than {MAX_BYTES} bytes"
            data = os.read(handle, MAX_BYTES + 1)
            return data if len(data) == facts.st_size else "it changed while it was read"
        finally:
            os.close(handle)

    def _accepted_owners(self) -> frozenset[int]:
        if self._owners is not None:
            return self._owners
        facts = self._folder.stat()
        ours = frozenset({os.geteuid(), 0, facts.st_uid})
        if not facts.st_mode & stat.S_ISGID:
            return ours
        if others_are_hidden():
            # Who they are cannot be asked, so it is the folder that says it: only its group may put files there.
            return ours if facts.st_mode & stat.S_IWOTH else ours | {HIDDEN}
        return ours | members(facts.st_gid)

    def _set_aside(self, path: Path) -> None:
        """Keep what is small and plain, a link or a folder. A second name of someone's file would keep alive what its
        owner deletes, and the rest is nothing to look at: those go."""
        with contextlib.suppress(OSError):
            facts = path.lstat()
            plain = stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_size <= MAX_BYTES
            if plain or stat.S_ISLNK(facts.st_mode) or stat.S_ISDIR(facts.st_mode):
                path.rename(self._refused / path.name)
            else:
                path.unlink()

    def _trim_refused(self) -> None:
        """Keep the newest; a flood must not fill the disk. Folders are emptied a little each round, so that a huge one
        holds up nobody."""
        entries = sorted(self._refused.iterdir(), key=lambda path: path.lstat().st_mtime)
        left = _CLEARED_A_ROUND
        for path in entries[:-_KEPT_REFUSED]:
            with contextlib.suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    left = self._empty(path, left)
                    path.rmdir()
                else:
                    path.unlink()

    def _empty(self, folder: Path, left: int) -> int:
        """Remove up to `left` entries of a refused folder; how many may still go. What is a folder in it is moved up
        beside it and has its turn later: depth costs nothing."""
        with os.scandir(folder) as entries:
            for entry in entries:
                if left <= 0:
                    break
                left -= 1
                if entry.is_dir(follow_symlinks=False):
                    Path(entry.path).rename(self._refused / f"{secrets.token_hex(8)}~folder")
                else:
                    Path(entry.path).unlink()
        return left


def _safe(name: str) -> str:
    """A hostile name, short and printable."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)[:80]
