"""What of an installation is not as it should be, and what to do: one line for each thing looked at.

Changes nothing. Needs root for what only root can see; everything else is said to anybody."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.child import run_program
from tools.installer import environment, files, owners, placing, services, system
from tools.installer.layout import PACKAGE_LIB, Layout
from tools.installer.release import Release, current_release, faults_of
from tools.installer.tmpfiles import faults_against
from tools.installer.upgrade import BEGUN, TAKEN_BACK, newest_backup, read_journal

LEAST_FREE = 1_000_000_000
OLDEST_BACKUP_DAYS, OLDEST_UNIVERSE_DAYS = 2, 5


@dataclass(frozen=True, slots=True)
class Finding:
    """`cure`: what to do, "" when all is well."""

    subject: str
    words: str
    cure: str = ""

    def __str__(self) -> str:
        head = f"{'FIX' if self.cure else 'ok ':4}{self.subject:12}{self.words}"
        return f"{head}\n{'':16}→ {self.cure}" if self.cure else head


def examine(layout: Layout) -> Iterator[Finding]:
    """All findings, the code's first: with that broken the rest says little."""
    release = current_release(layout)
    if release is None:
        yield Finding("code", f"nothing is installed in {layout.home}", "sudo make install")
        return
    for look in _LOOKS:
        yield from look(layout, release)


def _code(layout: Layout, release: Release) -> Iterator[Finding]:
    again = _again(layout)
    faults = (*files.untrusted(layout.current.resolve()), *faults_of(release.folder(layout)))
    for fault in faults[:5]:
        yield Finding("code", fault, again)
    if not faults:
        yield Finding("code", f"release {release.name}, unchanged since it was built, root's alone to change")
    journal = read_journal(layout)
    if journal is not None and journal.phase == BEGUN:
        yield Finding("upgrade", f"to {journal.after} was interrupted", again)
    elif journal is not None and journal.phase == TAKEN_BACK and journal.before == release.name:
        yield Finding("upgrade", f"the one to {journal.after} was taken back: {journal.why}")


def _python(layout: Layout, release: Release) -> Iterator[Finding]:
    inside = layout.current / "venv/bin/python"
    try:
        said = run_program([str(inside), "-I", "-c", "import cryptography, flask, waitress, sys; print(sys.version)"])
    except OSError as error:
        yield Finding("python", f"{inside} cannot be run ({error.strerror})", _again(layout))
        return
    if said.code:
        yield Finding("python", f"{inside} does not load the packages", _again(layout))
    elif environment.version_of(str(inside)) != release.python:
        yield Finding("python", f"the release was built for Python {release.python}", _again(layout))
    else:
        yield Finding("python", f"Python {said.output.split()[0]}")


def _units(layout: Layout, release: Release) -> Iterator[Finding]:
    texts = placing.texts_of(layout, release)
    changed = [name for name, text in texts.items() if not _says(layout.library / name, text)]
    for name in changed:
        yield Finding("units", f"{layout.library / name} is missing or was changed", _again(layout))
    if not changed:
        yield Finding("units", f"{len(texts)} unit, user and folder files in {layout.library}")
    for folder in sorted(Path("/etc/systemd/system").glob("tbot*.d")):
        yield Finding("units", f"yours too: {', '.join(str(path) for path in sorted(folder.iterdir()))}")


def _users(layout: Layout, _: Release) -> Iterator[Finding]:
    missing = [name for name in owners.USERS if owners.user_number(name) is None]
    missing += [name for name in owners.GROUPS if owners.group_number(name) is None]
    if missing:
        yield Finding("users", f"missing: {', '.join(missing)}", _again(layout))
    else:
        yield Finding("users", ", ".join(owners.USERS))


def _folders(layout: Layout, release: Release) -> Iterator[Finding]:
    texts = [text for name, text in placing.texts_of(layout, release).items() if name.startswith("tmpfiles.d/")]
    found = [fault for text in texts for fault in faults_against(text)]
    for fault in found:
        yield Finding("folders", fault.words, fault.cure)
    if not found:
        yield Finding("folders", f"owners and modes below {layout.state} are as installed")


def _running(layout: Layout, _: Release) -> Iterator[Finding]:
    if not system.running():
        yield Finding("processes", "systemd does not run this machine", "start it with systemd, or use make run")
        return
    for unit in placing.unit_names(layout):
        state = system.property_of(unit, "ActiveState")
        if state == "failed":
            result = system.property_of(unit, "Result")
            yield Finding("processes", f"{unit} failed ({result})", f"journalctl -u {unit}; systemctl restart {unit}")
        elif unit in services.SERVING:
            words = system.property_of(unit, "StatusText")
            yield Finding("processes", f"{unit} is {state}{': ' if words else ''}{words}")
    if not services.under_way((placing.TARGET,)):
        yield Finding("processes", f"{placing.TARGET} is not started", f"systemctl start {placing.TARGET}")


def _page(_: Layout, __: Release) -> Iterator[Finding]:
    if not system.running():
        return
    address = services.page_address()
    listening = services.SOCKET in services.under_way((services.SOCKET,))
    if address is None:
        yield Finding("page", f"{services.SOCKET} names no address", f"systemctl cat {services.SOCKET}")
    elif listening and services.answers(address):
        yield Finding("page", f"http://{address} answers")
    elif listening:
        yield Finding("page", f"http://{address} does not answer", "journalctl -u tbot-web.service")
    elif _taken(address):
        port = address.rpartition(":")[2]
        yield Finding("page", f"port {port} is taken by another program", f"ss -ltnp sport = :{port} names it")
    else:
        yield Finding("page", f"{address} is free; {services.SOCKET} is not started")


def _disk(layout: Layout, _: Release) -> Iterator[Finding]:
    for folder in (layout.home, layout.state):
        if folder.is_dir():
            free = shutil.disk_usage(folder).free
            cure = "" if free >= LEAST_FREE else "free some: tbot stops trading when it cannot write"
            yield Finding("disk", f"{free / 1e9:.1f} GB free at {folder}", cure)


def _clock(_: Layout, __: Release) -> Iterator[Finding]:
    if not system.running():
        return
    said = run_program(["timedatectl", "show", "-p", "NTPSynchronized", "--value"], seconds=30)
    if said.output.strip() == "yes":
        yield Finding("clock", "synchronised")
    else:
        cure = "timedatectl set-ntp true, or apt-get install chrony; orders carry this clock's time"
        yield Finding("clock", "nothing says that the clock is synchronised", cure)


def _build_check(layout: Layout, _: Release) -> Iterator[Finding]:
    """The product's own look at keys, secrets and settings, with the runner's rights."""
    if not (layout.state / "tbot_bot/storage/current").is_symlink():
        yield Finding("set-up", "not yet configured: open the page")
        return
    if os.geteuid() != 0 or owners.user_number("tbot-keys") is None:
        yield Finding("set-up", "only root can look", "sudo make doctor")
        return
    user = ("setpriv", "--reuid=tbot-keys", "--regid=tbot-keys", "--init-groups", "--")
    words = [*user, str(layout.current / "venv/bin/python"), "-m", "tools.build_check"]
    said = run_program(words, folder=layout.current, more={"TBOT_ROOT": str(layout.state)}, seconds=120)
    lines = said.output.strip().splitlines()
    for line in lines:
        if line.startswith("- "):
            yield Finding("set-up", line[2:], "what the line says; docs/operating.md")
    if said.code == 0:
        yield Finding("set-up", lines[-1] if lines else "OK")
    elif not any(line.startswith("- ") for line in lines):
        yield Finding("set-up", f"the build check failed: {said.last_lines}", "journalctl -u tbot-provisioning.service")


def _ages(layout: Layout, _: Release) -> Iterator[Finding]:
    if not (layout.state / "tbot_bot/storage/current").is_symlink():
        return
    universe = layout.state / "output/cache/symbol_universe.json"
    universe_cure = "systemctl start tbot-universe.service"
    yield _age("universe", universe if universe.exists() else None, OLDEST_UNIVERSE_DAYS, universe_cure)
    cure = "make a recovery key on the page Backups; then systemctl start tbot-backup.service"
    yield _age("backup", newest_backup(layout), OLDEST_BACKUP_DAYS, cure)


def _age(subject: str, path: Path | None, most_days: int, cure: str) -> Finding:
    if path is None:
        return Finding(subject, "there is none", cure)
    hours = (time.clock_gettime(time.CLOCK_REALTIME) - path.stat().st_mtime) / 3600
    return Finding(subject, f"{path.name} is {hours:.0f} hours old", "" if hours < most_days * 24 else cure)


def _again(layout: Layout) -> str:
    if layout.lib == PACKAGE_LIB:
        return "apt-get install --reinstall tbot"
    return "sudo make install, which repairs it"


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8", errors="replace") == text


def _taken(address: str) -> bool:
    """Whether anything listens at that port, as /proc tells it."""
    port = int(address.rpartition(":")[2])
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
        if any(row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port for row in rows):
            return True
    return False


_LOOKS: tuple[Callable[[Layout, Release], Iterator[Finding]], ...] = (
    *(_code, _python, _units, _users, _folders, _running, _page, _disk, _clock, _build_check, _ages),
)


def report(layout: Layout, show: Callable[[str], None]) -> int:
    """How many things want mending."""
    wrong = 0
    for finding in examine(layout):
        show(str(finding))
        wrong += bool(finding.cure)
    show(f"{wrong} {'thing wants' if wrong == 1 else 'things want'} mending" if wrong else "all is well")
    return wrong
