"""What the unit files, sysusers.d and tmpfiles.d say about processes, users and folders."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STATE = "@STATE_DIR@"


@dataclass(frozen=True, slots=True)
class Unit:
    """A service: who runs what, what starts it, and what its sandbox leaves. Paths are below the state folder."""

    name: str
    user: str
    module: str
    started: tuple[str, ...]
    network: str
    writable: tuple[str, ...]
    hidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """`path` below the state folder, "" for itself; `mode` with the setgid bit."""

    path: str
    owner: str
    group: str
    mode: int


@dataclass(frozen=True, slots=True)
class Users:
    """`groups`: of each user, its own first; in the order in which sysusers.d makes the users."""

    groups: dict[str, tuple[str, ...]]


def read_units(folder: Path) -> tuple[Unit, ...]:
    """Every service of `folder`, by name."""
    return tuple(_unit(path) for path in sorted(folder.glob("*.service")))


def read_users(folder: Path) -> Users:
    """From sysusers.d: `u` lines make a user and its group, `m` lines a member."""
    groups: dict[str, tuple[str, ...]] = {}
    for words in _lines(folder / "sysusers.d"):
        if words[0].startswith("u"):
            groups[words[1]] = (words[1], *groups.get(words[1], ()))
    for words in _lines(folder / "sysusers.d"):
        if words[0] == "m" and words[1] in groups:
            groups[words[1]] = (*groups[words[1]], words[2])
    return Users(groups)


def read_folders(folder: Path) -> tuple[Folder, ...]:
    """From tmpfiles.d, in its order: the folders of the state."""
    found = []
    for words in _lines(folder / "tmpfiles.d"):
        kind, path, mode, owner, group = (*words, "-", "-", "-")[:5]
        if kind[0] == "d" and (path == STATE or path.startswith(f"{STATE}/")) and mode != "-":
            found.append(Folder(path[len(STATE) :].lstrip("/"), owner, group, int(mode.lstrip("~:"), 8)))
    return tuple(found)


def _unit(path: Path) -> Unit:
    facts = _settings(path)
    module = re.search(r" -m ([\w.]+)", " ".join(facts.get("ExecStart", ())))
    return Unit(
        name=path.name,
        user=" ".join(facts.get("User", ("root",))),
        module=module[1] if module else "",
        started=tuple(_starters(path)),
        network=_network(facts),
        writable=_below(facts.get("ReadWritePaths", ())),
        hidden=_below(facts.get("InaccessiblePaths", ())),
    )


def _starters(path: Path) -> Iterator[str]:
    """The socket, timer and path unit of the same name, in words."""
    for ending, key, words in (
        (".socket", "ListenStream", "connections to {}"),
        (".timer", "OnCalendar", "at {}"),
        (".path", "DirectoryNotEmpty", "files in {}"),
        (".path", "PathExistsGlob", "files in {}"),
        (".path", "PathExists", "file {}"),
    ):
        beside = path.with_suffix(ending)
        values = _settings(beside).get(key, ()) if beside.is_file() else ()
        plain = (value.removeprefix(f"{STATE}/").replace("*-*-* ", "").partition("/*")[0] for value in values)
        yield from (words.format(value) for value in plain)


def _network(facts: dict[str, tuple[str, ...]]) -> str:
    if facts.get("PrivateNetwork", ("no",))[-1] in {"yes", "true"}:
        return "no network"
    denied = "any" in facts.get("IPAddressDeny", ())
    allowed = set(facts.get("IPAddressAllow", ()))
    if denied and allowed <= {"localhost", "127.0.0.0/8", "::1/128", "127.0.0.1", "::1"}:
        return "loopback only" if allowed else "no network"
    return "the internet"


def _below(paths: tuple[str, ...]) -> tuple[str, ...]:
    plain = (path.lstrip("-+") for path in paths)
    return tuple(path[len(STATE) :].lstrip("/") for path in plain if path == STATE or path.startswith(f"{STATE}/"))


def _settings(path: Path) -> dict[str, tuple[str, ...]]:
    """Words by key; a key that comes again adds to what was there, as it does for lists in systemd."""
    found: dict[str, tuple[str, ...]] = {}
    for line in path.read_text("utf-8").replace("\\\n", " ").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            words = (value.strip(),) if key in _WHOLE else tuple(value.split())
            found[key.strip()] = (*found.get(key.strip(), ()), *words)
    return found


_WHOLE = frozenset({"OnCalendar", "ExecStart"})


def _lines(folder: Path) -> Iterator[list[str]]:
    for path in sorted(folder.glob("*.conf")):
        for line in path.read_text("utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                yield re.findall(r'"[^"]*"|\S+', line)
