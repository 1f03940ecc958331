"""Taking an installation away again; the state folder and the admin's settings stay unless they are to go as well."""

import shutil
from pathlib import Path

from tools.child import run_program
from tools.installer import owners, placing, system
from tools.installer.layout import Layout
from tools.installer.release import Say

_STAMPS = Path("/var/lib/systemd/timers")
_DROP_INS = Path("/etc/systemd/system")


def stop_all(layout: Layout, say: Say) -> None:
    """Everything stops; the target first, so that nothing is asked back. Positions and orders stay at the broker."""
    units = placing.unit_names(layout)
    if units and system.running():
        say("stopping tbot; positions and their orders stay at the broker")
        system.require("systemctl", "stop", *units, what="Stopping tbot")
        system.systemctl("stop", "tbot-migrate@*.service", "tbot-alert@*.service")


def disable(layout: Layout) -> None:
    installed = placing.read_installed(layout)
    if installed and installed.enabled and system.running():
        system.systemctl("disable", "--quiet", *installed.enabled)


def remove_units(layout: Layout) -> None:
    """Units, their links and what systemd remembers of them."""
    disable(layout)
    installed = placing.read_installed(layout)
    names = installed.files if installed else ()
    for name in names:
        path = layout.library / name
        path.unlink(missing_ok=True)
        if path.parent.name.endswith(".d") and path.parent.parent.name == "system" and not any(path.parent.iterdir()):
            path.parent.rmdir()
    for path in layout.here(_STAMPS).glob("stamp-tbot-*.timer"):
        path.unlink()
    if system.running():
        system.reload_units()
        system.systemctl("reset-failed", "tbot-*", "tbot.target")


def remove_code(layout: Layout) -> None:
    """All releases and the installer's records; the prefix itself when nothing else is in it."""
    shutil.rmtree(layout.releases, ignore_errors=True)
    layout.current.unlink(missing_ok=True)
    for path in (layout.record, layout.journal, layout.lock):
        path.unlink(missing_ok=True)
    if layout.home.is_dir() and not any(layout.home.iterdir()):
        layout.home.rmdir()


def remove_users(say: Say) -> None:
    """The users and groups of the units."""
    for tool, names, number_of in (
        ("userdel", owners.USERS, owners.user_number),
        ("groupdel", owners.GROUPS, owners.group_number),
    ):
        for name in names:
            if number_of(name) is None:
                continue
            done = run_program([tool, name])
            if done.code:
                say(f"{tool} {name} failed: {done.last_lines}")


def uninstall(layout: Layout, *, purge: bool, say: Say) -> None:
    """May be done again after it was interrupted. With `purge` keys, backups, books and settings go for good."""
    stop_all(layout, say)
    remove_units(layout)
    if purge:
        purge_state(layout, say)
    elif layout.state.is_dir():
        owners.put_aside(layout)
        say(f"the state stays in {layout.state}, readable by root alone; make uninstall PURGE=yes removes it")
    remove_users(say)
    remove_code(layout)


def purge_state(layout: Layout, say: Say) -> None:
    say(f"removing {layout.state} and {layout.settings.parent}")
    for folder in (layout.state, layout.settings.parent):
        if folder.is_dir():
            shutil.rmtree(folder)
    for folder in layout.here(_DROP_INS).glob("tbot*.d"):
        shutil.rmtree(folder)
