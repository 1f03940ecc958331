"""From one release to another under a running installation, or back to the first when the second is not ready in time.

Positions and their orders stay at the broker meanwhile. What is being done stands in a journal: an upgrade that was
interrupted is taken back by the next run of the installer, before anything else."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType

from tbot_bot.support.path_resolver import Paths
from tools.installer import files, placing, services, system
from tools.installer.faults import InstallRefused
from tools.installer.layout import Layout
from tools.installer.release import Release, Say, read_release, remove_releases

BACKUP = "tbot-backup.service"
BEGUN, DONE, TAKEN_BACK = "begun", "done", "taken back"


@dataclass(frozen=True, slots=True)
class Journal:
    """`units`: what was under way before. `state`: what the state folder said of its layout before. `why`: what the new
    release failed at."""

    before: str
    after: str
    phase: str
    units: tuple[str, ...]
    state: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """`without_backup`: go on where no backup can be made. `seconds`: how long each process may take to be ready."""

    without_backup: bool = False
    seconds: float = system.READY_SECONDS


def read_journal(layout: Layout) -> Journal | None:
    try:
        row = json.loads(layout.journal.read_bytes())
        return Journal(row["before"], row["after"], row["phase"], tuple(row["units"]), row["state"], row["why"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InstallRefused(f"{layout.journal} is damaged: look at the units, then remove it.") from error


def upgrade(layout: Layout, old: Release, new: Release, wishes: Wishes, say: Say) -> None:
    """Raises InstallRefused when the old release is in place again, which is said in its words."""
    units = services.under_way(placing.unit_names(layout))
    last = read_journal(layout)
    journal = Journal(old.name, new.name, BEGUN, units, _state_of(layout))
    _write(layout, journal)
    try:
        with _held():
            _change(layout, old, new, units, wishes, say)
    except (InstallRefused, OSError) as fault:
        say(f"{fault}")
        say(f"going back to {old.name}")
        _take_back(layout, replace(journal, why=str(fault)), wishes, say)
        words = f"{new.name} is not in use: {fault} {old.name} runs again, positions were kept."
        raise InstallRefused(words) from fault
    _write(layout, replace(journal, phase=DONE))
    if last is not None:
        remove_releases(layout, {last.before, last.after} - {old.name, new.name})


@contextmanager
def _held() -> Iterator[None]:
    """Whoever asks to stop in the middle gets the old release back; a terminal that goes away stops nothing."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _asked_to_stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Going back is not to be stopped as well.
            signal.signal(number, signal.SIG_IGN)
    for number, handler in before.items():
        signal.signal(number, handler)


def _asked_to_stop(_number: int, _frame: FrameType | None) -> None:
    raise InstallRefused("You stopped it.")


def recover(layout: Layout, wishes: Wishes, say: Say) -> None:
    """Take back an upgrade that was interrupted; nothing otherwise."""
    journal = read_journal(layout)
    if journal is not None and journal.phase == BEGUN:
        say(f"an upgrade from {journal.before} to {journal.after} was interrupted; going back first")
        try:
            _take_back(layout, replace(journal, why="it was interrupted"), wishes, say)
        except InstallRefused as fault:
            raise InstallRefused(f"{fault} To install without going back first, remove {layout.journal}.") from fault


def back_up(layout: Layout, wishes: Wishes, say: Say) -> None:
    """A backup by the backup process. Raises InstallRefused where none can be made and none is wanted without."""
    if not (layout.state / "tbot_bot/storage/current").is_symlink():
        say("nothing is provisioned yet, so there is nothing to back up")
        return
    if wishes.without_backup:
        say("no backup is made first, as you wish")
        return
    way_out = "or run make upgrade WITHOUT_BACKUP=yes to go on without one."
    if not (layout.state / "tbot_bot/storage/recovery/recovery.json").exists():
        raise InstallRefused(f"Without a recovery key no backup can be made. Make one on the page Backups, {way_out}")
    say("making a backup")
    before = newest_backup(layout)
    if system.systemctl("start", BACKUP, seconds=3600).code or newest_backup(layout) == before:
        raise InstallRefused(f"The backup before the upgrade failed: journalctl -u {BACKUP}. Mend that, {way_out}")


def newest_backup(layout: Layout) -> Path | None:
    found = sorted((layout.state / "tbot_bot/storage/backups").glob("tbot-*.age"))
    return found[-1] if found else None


def _change(layout: Layout, old: Release, new: Release, units: tuple[str, ...], wishes: Wishes, say: Say) -> None:
    services.stop(units, say)
    if new.layout < old.layout:
        services.migrate(str(new.layout), say)
    _put_in_place(layout, new, units)
    services.migrate("latest", say)
    placing.enable(layout, new)
    services.start(units, say, wishes.seconds)


def _take_back(layout: Layout, journal: Journal, wishes: Wishes, say: Say) -> None:
    """Everything of before; may be done again. Raises InstallRefused when even that does not run."""
    old = read_release(layout.releases / journal.before)
    if old is None:
        raise InstallRefused(f"The release {journal.before} is gone from {layout.releases}: restore the last backup.")
    services.stop(services.under_way(placing.unit_names(layout)), say)
    in_use = Path(os.readlink(layout.current)).name if layout.current.is_symlink() else ""
    # A release that cannot even migrate has changed nothing that would have to be undone by it.
    if in_use == journal.after and _state_of(layout) != journal.state:
        services.migrate(str(old.layout), say)
    _put_in_place(layout, old, journal.units)
    services.migrate("latest", say)
    services.start(journal.units, say, wishes.seconds)
    _write(layout, replace(journal, phase=TAKEN_BACK))


def _state_of(layout: Layout) -> str:
    path = Paths(layout.state).layout_record
    return path.read_text("utf-8") if path.exists() else ""


def _put_in_place(layout: Layout, release: Release, units: tuple[str, ...]) -> None:
    """A socket that listens goes on doing so unless its own unit says something else now."""
    name = f"{placing.UNITS}{services.SOCKET}"
    path = layout.library / name
    listening = services.SOCKET in units and path.exists()
    if listening and path.read_text("utf-8") != placing.texts_of(layout, release).get(name):
        system.systemctl("stop", services.SOCKET)
    placing.place(layout, release)
    placing.prepare_machine(layout)
    if listening:
        system.systemctl("start", services.SOCKET)


def _write(layout: Layout, journal: Journal) -> None:
    files.put_text(layout.journal, json.dumps(asdict(journal), sort_keys=True) + "\n")
