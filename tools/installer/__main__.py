"""`make install`, `make upgrade`, `make uninstall`, `make doctor`: run by the system's Python, as root.

Needs nothing but Python itself, for it runs before there is an environment."""

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tbot_bot.support.path_resolver import CODE_ROOT
from tools.installer import doctor, files, placing, removal, system
from tools.installer.faults import InstallRefused
from tools.installer.layout import LOCAL_LIB, PACKAGE_LIB, PACKAGED, PREFIX, STATE_DIR, Layout
from tools.installer.package import make_package
from tools.installer.release import Release, adopt, build, current_release
from tools.installer.upgrade import Wishes, back_up, recover, upgrade


def say(words: str) -> None:
    # A terminal that went away is no reason to stop halfway.
    with contextlib.suppress(OSError):
        print(f"tbot: {words}", flush=True)


def main() -> int:
    arguments = _arguments()
    os.umask(0o022)
    try:
        return int(_COMMANDS[arguments.command](_layout(arguments), arguments) or 0)
    except InstallRefused as refusal:
        sys.stderr.write(f"tbot: {refusal}\n")
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        sys.stderr.write(f"tbot: {error.strerror or error}{where}. Mend that and run it again.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("tbot: stopped. What was in use still is; run it again to go on.\n")
        return 130


def install(layout: Layout, arguments: argparse.Namespace) -> None:
    """A first installation, the same again, or an upgrade of the one that is there."""
    _require_root(layout)
    if not layout.staged:
        files.require_trusted(layout.home)
    placing.require_alone(layout)
    with locked(layout):
        if not layout.staged and system.running():
            recover(layout, _wishes(arguments), say)
        # Resolved: what /usr/bin/python3 leads to may be another version after the system is upgraded.
        release = build(layout, CODE_ROOT, str(Path(arguments.python).resolve()), say)
        if _is_upgrade(layout, current_release(layout), release):
            back_up(layout, _wishes(arguments), say)
        bring_in(layout, release, _wishes(arguments))


def configure(layout: Layout, arguments: argparse.Namespace) -> None:
    """A package's files are unpacked: the same as install, with the release that it brought. Its backup was made
    before, when the package could still be refused."""
    _require_root(layout)
    placing.require_alone(layout)
    with locked(layout):
        if system.running():
            recover(layout, _wishes(arguments), say)
        first = current_release(layout) is None
        release = adopt(layout, layout.home / PACKAGED)
        bring_in(layout, release, _wishes(arguments))
        if first and system.running():
            # Debian's own way in, which a machine's policy may forbid.
            starter = "deb-systemd-invoke" if shutil.which("deb-systemd-invoke") else "systemctl"
            system.require(starter, "start", placing.TARGET, what="Starting tbot")


def backup(layout: Layout, arguments: argparse.Namespace) -> None:
    """Before a package is upgraded; refusing here leaves the old one in place."""
    if system.running() and current_release(layout) is not None:
        back_up(layout, _wishes(arguments), say)


def leave(layout: Layout, _: argparse.Namespace) -> None:
    """A package is about to be removed: everything stops and is disabled; its files are the package manager's."""
    removal.stop_all(layout, say)
    removal.disable(layout)


def bring_in(layout: Layout, release: Release, wishes: Wishes) -> None:
    old = current_release(layout)
    if _is_upgrade(layout, old, release):
        assert old is not None
        upgrade(layout, old, release, wishes, say)
        say(f"{release.name} is in use; {old.name} is kept beside it")
        return
    placing.place(layout, release)
    if layout.staged:
        say(f"{release.name} is in {layout.destdir}")
        return
    placing.prepare_machine(layout)
    if system.running():
        placing.enable(layout, release)
    say(f"{release.name} is installed. Start it with: systemctl start {placing.TARGET}")


def package(_: Layout, arguments: argparse.Namespace) -> None:
    made = make_package(CODE_ROOT, str(Path(arguments.python).resolve()), arguments.revision, say)
    say(f"apt-get install {made}")


def _is_upgrade(layout: Layout, old: Release | None, new: Release) -> bool:
    return old is not None and old.name != new.name and not layout.staged and system.running()


def upgrade_only(layout: Layout, arguments: argparse.Namespace) -> None:
    if current_release(layout) is None:
        raise InstallRefused(f"Nothing is installed in {layout.home}: run make install.")
    install(layout, arguments)


def uninstall(layout: Layout, arguments: argparse.Namespace) -> None:
    _require_root(layout)
    if placing.read_installed(layout) is None and not layout.home.exists() and not arguments.purge:
        raise InstallRefused(f"Nothing is installed in {layout.home}.")
    placing.require_alone(layout)
    removal.uninstall(layout, purge=arguments.purge, say=say)
    say("uninstalled")


def examine(layout: Layout, _: argparse.Namespace) -> int:
    return 1 if doctor.report(layout, print) else 0


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """One installer at a time. Raises InstallRefused."""
    files.make_folder(layout.home)
    handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InstallRefused("Another installation is under way; wait for its end.") from error
    finally:
        os.close(handle)


def _require_root(layout: Layout) -> None:
    if os.geteuid() != 0 and not layout.staged:
        raise InstallRefused("This needs root: sudo make …")


def _wishes(arguments: argparse.Namespace) -> Wishes:
    return Wishes(arguments.without_backup, arguments.ready_seconds)


def _layout(arguments: argparse.Namespace) -> Layout:
    """Where nothing is said, an installation stays where it is."""
    lib = PACKAGE_LIB if arguments.package else LOCAL_LIB
    first = Layout(Path(arguments.prefix), STATE_DIR, Path(arguments.destdir or "/").resolve(), lib)
    installed = placing.read_installed(first)
    if installed and arguments.command == "doctor":
        lib = Path(installed.lib)
    known = Path(installed.state_dir) if installed else STATE_DIR
    state = Path(arguments.state_dir) if arguments.state_dir else known
    if installed and state != known:
        raise InstallRefused(f"The state is in {known}. To move it: make uninstall, move the folder, make install.")
    return Layout(first.prefix, state, first.destdir, lib)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make install | upgrade | uninstall | doctor")
    parser.add_argument("command", choices=sorted(_COMMANDS))
    parser.add_argument("--prefix", default=str(PREFIX))
    parser.add_argument("--state-dir", default="")
    parser.add_argument("--destdir", default="")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--package", action="store_true", help="units belong into /usr/lib: a package is being made")
    parser.add_argument("--without-backup", action="store_true")
    parser.add_argument("--purge", action="store_true", help="state and settings go too, for good")
    parser.add_argument("--revision", default="1", help="of the Debian package")
    parser.add_argument("--ready-seconds", type=float, default=system.READY_SECONDS)
    return parser.parse_args()


_COMMANDS = {
    "install": install,
    "upgrade": upgrade_only,
    "uninstall": uninstall,
    "configure": configure,
    "backup": backup,
    "leave": leave,
    "deb": package,
    "doctor": examine,
}

if __name__ == "__main__":
    sys.exit(main())
