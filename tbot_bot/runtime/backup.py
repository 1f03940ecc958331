"""The backup process: one backup and out, for a timer; `--drill` a drill; `--watch` stays and sees to both."""

import argparse
import sys
import threading
from collections.abc import Mapping
from typing import Any

from tbot_bot.backup.worker import NO_KEY, BackupWorker
from tbot_bot.config.startup import require_no_plaintext
from tbot_bot.domain.errors import BackupRefused, SecretUnavailable
from tbot_bot.support.atomic_file import ensure_folder
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.flags import FlagClaimer
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run
from tbot_bot.support.process_lock import take
from tbot_bot.support.recovery_record import read_recovery
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.snapshot import Publisher

_log = get_logger("backup")
LOOK_SECONDS = 0.5
CLOCK_SECONDS = 20.0
"""Seconds between two looks at the time of day."""
LONGEST_WORK = 6 * 3600.0
"""Seconds after which a backup or drill is taken for hanging; a copy over a slow line is the longest."""
_LOCK = ".lock"


def watch(worker: BackupWorker, jobs: FlagClaimer, paths: Paths, stop: threading.Event, notify: SdNotify) -> None:
    """Serve jobs as they come, and the clock: the night's backup, the week's drill."""
    notify.ready()
    waited = CLOCK_SECONDS
    while not stop.is_set():
        notify.beat()
        notify.status("waits for the night, and for whoever asks")
        with notify.patient(LONGEST_WORK):
            serve_jobs(worker, jobs, paths)
        if waited >= CLOCK_SECONDS:
            waited = 0.0
            worker.publish()
            with notify.patient(LONGEST_WORK):
                keep_time(worker)
        stop.wait(LOOK_SECONDS)
        waited += LOOK_SECONDS


def serve_jobs(worker: BackupWorker, jobs: FlagClaimer, paths: Paths) -> None:
    """What admins asked for; several of a kind are one."""
    asked = jobs.take_jobs(paths.job_folder("backup"))
    if _first(asked, "backup") is not None:
        worker.back_up(_why(asked, "backup"))
    if _first(asked, "drill") is not None:
        worker.drill(_why(asked, "drill"))


def keep_time(worker: BackupWorker) -> None:
    try:
        if worker.backup_due():
            worker.back_up("the nightly one")
        if worker.drill_due():
            worker.drill("the weekly one")
    except SecretUnavailable as error:
        _log.error("backups wait", extra={"fields": {"why": str(error)}})


def serve(process: Process) -> None:
    parser = argparse.ArgumentParser(prog="tbot_bot.runtime.backup")
    parser.add_argument("--watch", action="store_true", help="stay and serve jobs instead of one backup")
    parser.add_argument("--drill", action="store_true", help="only drill the newest backup")
    arguments = parser.parse_args()
    paths, clock = Paths(root_from_environment()), SystemClock()
    require_no_plaintext(paths)
    ensure_folder(paths.backups)
    lock = take(paths.backups / _LOCK, "the backup process")
    publisher = Publisher(paths, "backup", clock)
    worker = BackupWorker(paths, clock, publisher, AuditDrop(paths, clock), process.stop.wait)
    worker.tidy()
    jobs = FlagClaimer(paths.backups / ".claims")
    if arguments.watch:
        watch(worker, jobs, paths, process.stop, process.notify)
    else:
        process.notify.status("drills the newest backup" if arguments.drill else "makes a backup")
        _once(worker, jobs, paths, drill_only=arguments.drill)
    del lock


def _once(worker: BackupWorker, jobs: FlagClaimer, paths: Paths, *, drill_only: bool) -> None:
    """For a timer, or a path unit when something was asked for: failing is an exit code, so that the unit's OnFailure=
    tells someone."""
    asked = jobs.take_jobs(paths.job_folder("backup"))
    if read_recovery(paths) is None:
        worker.publish()
        raise SecretUnavailable(NO_KEY)
    only_drills = drill_only or (bool(asked) and _first(asked, "backup") is None and not worker.backup_due())
    if not only_drills and not worker.back_up(_why(asked, "backup")):
        raise BackupRefused("No backup was made; the log and the page Backups say why.")
    wanted = drill_only or _first(asked, "drill") is not None or worker.drill_due()
    if wanted and not worker.drill(_why(asked, "drill")):
        raise BackupRefused("The restore drill failed; the page Backups says where.")


def _why(jobs: tuple[Mapping[str, Any], ...], what: str) -> str:
    job = _first(jobs, what)
    return "timer" if job is None else f"asked for by {job.get('by')}"


def _first(jobs: tuple[Mapping[str, Any], ...], what: str) -> Mapping[str, Any] | None:
    return next((job for job in jobs if job.get("what") == what), None)


if __name__ == "__main__":
    sys.exit(run("backup", serve))
