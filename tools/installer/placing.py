"""Putting a release in place: its units, users and folders, and the link `current`.

All of it may be done again at any time; each file is whole before and after."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tbot_bot.support.atomic_file import sync_folder
from tools.installer import files, owners, system
from tools.installer.faults import InstallRefused
from tools.installer.layout import LOCAL_LIB, PACKAGE_LIB, Layout
from tools.installer.release import RENDERED, Release

UNITS = "systemd/system/"
TARGET = "tbot.target"
SETTINGS = """\
# Settings of tbot's units on this machine; lines KEY=value. Read when a unit starts: systemctl restart tbot.target
# No secret belongs in here.
#
# Host names under which a TLS proxy on this machine offers the pages, comma between:
#TBOT_WEB_HOSTS=tbot.example.org
# Market seconds per real second of the paper exchange:
#TBOT_PAPER_SPEED=52
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """`files`: below `lib`. `enabled`: units that an installation enabled once; what the admin disables stays so."""

    release: str
    lib: str
    state_dir: str
    files: tuple[str, ...]
    enabled: tuple[str, ...]


def read_installed(layout: Layout) -> Installed | None:
    try:
        row = json.loads(layout.record.read_bytes())
        return Installed(row["release"], row["lib"], row["state_dir"], tuple(row["files"]), tuple(row["enabled"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InstallRefused(f"{layout.record} is damaged: remove it and run make install again.") from error


def texts_of(layout: Layout, release: Release) -> Mapping[str, str]:
    """The rendered files of a release, by path below the library folder."""
    top = release.folder(layout) / RENDERED
    return {str(path.relative_to(top)): path.read_text("utf-8") for path in files.walk(top) if path.is_file()}


def require_alone(layout: Layout) -> None:
    """Raises InstallRefused when the other way of installing is in use: their units would hide one another."""
    other = PACKAGE_LIB if layout.lib == LOCAL_LIB else LOCAL_LIB
    if (layout.here(other) / UNITS / TARGET).exists():
        if other == PACKAGE_LIB:
            raise InstallRefused("tbot is installed as a package here: upgrade it with apt, or remove the package.")
        raise InstallRefused("tbot was installed by make install here: run make uninstall first; the state stays.")


def place(layout: Layout, release: Release) -> None:
    """Units, users and folders of `release` take the place of what was there, and `current` leads to it.

    Nothing is started or stopped."""
    before = read_installed(layout)
    texts = texts_of(layout, release)
    old = before.files if before else ()
    # On record before anything lies there, so that an uninstall finds what an interrupted installation left.
    now = Installed(release.name, str(layout.lib), str(layout.state_dir), _union(old, texts), _enabled(before))
    _write(layout, now)
    for name, text in texts.items():
        files.put_text(layout.library / name, text)
    for name in old:
        if name not in texts:
            (layout.library / name).unlink(missing_ok=True)
    if not layout.settings.exists():
        files.put_text(layout.settings, SETTINGS)
    switch(layout, release.name)
    _write(layout, replace(now, files=tuple(texts)))


def switch(layout: Layout, name: str) -> None:
    """`current` leads to the release `name`, in one step."""
    target = Path("releases") / name
    if layout.current.is_symlink() and Path(os.readlink(layout.current)) == target:
        return
    temp = layout.current.with_name(f".current.{secrets.token_hex(6)}.tmp")
    temp.symlink_to(target)
    temp.rename(layout.current)
    sync_folder(layout.home)


def prepare_machine(layout: Layout) -> None:
    """Users, groups and folders as the files in place say, and systemd's view of the units."""
    for kind, tool in (("sysusers.d", ("systemd-sysusers",)), ("tmpfiles.d", ("systemd-tmpfiles", "--create"))):
        if kind == "tmpfiles.d":
            owners.give_back(layout)
        for path in sorted((layout.library / kind).glob("tbot*.conf")):
            system.require(*tool, str(path), what=f"Making what {path.name} names")
    if Path("/usr/sbin/restorecon").exists():
        system.require("/usr/sbin/restorecon", "-R", str(layout.home), what="Labelling the code for SELinux")
    system.reload_units()


def enable(layout: Layout, release: Release) -> tuple[str, ...]:
    """Enable the units that no installation enabled before; those are returned."""
    before = read_installed(layout)
    known = _enabled(before)
    units = {name.removeprefix(UNITS): text for name, text in texts_of(layout, release).items()}
    new = tuple(name for name, text in units.items() if name not in known and system.can_be_enabled(name, text))
    if new:
        system.require("systemctl", "enable", "--quiet", *new, what="Enabling the units")
    if before is not None:
        _write(layout, replace(before, enabled=(*known, *new)))
    return new


def unit_names(layout: Layout) -> tuple[str, ...]:
    """Units in place, without templates and drop-ins."""
    installed = read_installed(layout)
    names = installed.files if installed else ()
    units = (name.removeprefix(UNITS) for name in names if name.startswith(UNITS))
    return tuple(name for name in units if "/" not in name and "@." not in name)


def _enabled(before: Installed | None) -> tuple[str, ...]:
    return before.enabled if before else ()


def _union(old: tuple[str, ...], texts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*old, *texts)))


def _write(layout: Layout, installed: Installed) -> None:
    files.put_text(layout.record, json.dumps(asdict(installed), sort_keys=True) + "\n")
