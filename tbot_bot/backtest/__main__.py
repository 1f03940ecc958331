"""The backtest worker's process: serves queued jobs, oldest first, one at a time."""

import argparse
import json
import sys
from pathlib import Path

from tbot_bot.backtest.worker import run_job
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.config.startup import require_no_plaintext
from tbot_bot.domain.errors import NotProvisioned, TbotError
from tbot_bot.support.atomic_file import ensure_folder
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run
from tbot_bot.support.snapshot import Publisher

log = get_logger("backtest")

LOOK_SECONDS = 0.5
LONGEST_JOB = 12 * 3600.0
"""Seconds after which a backtest is taken for hanging."""
KEPT = 50


class BacktestWorker:
    """Claims jobs by renaming them into its own folder; a job that a crash left there is taken up again, once."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._clock = SystemClock()
        self._publisher = Publisher(paths, "backtest", self._clock)
        self._audit = AuditDrop(paths, self._clock)
        self._claimed = paths.private / "claims-backtest"
        ensure_folder(self._claimed)
        self._rows: list[dict[str, str]] = []
        self._publish()

    def serve(self) -> bool:
        """Run the next job, if there is one. Never raises for what a job can hold."""
        job = self._next()
        if job is None:
            return False
        again = job.with_suffix(".running")
        job.rename(again)
        self._tell(job.stem, "running", "")
        try:
            folder = run_job(self._paths, again, self._clock, open_secrets(self._paths).bot)
        except NotProvisioned as error:
            self._tell(job.stem, "failed", str(error))
        except TbotError as error:
            log.error("backtest refused", extra={"fields": {"job": job.stem, "why": str(error)}})
            self._tell(job.stem, "failed", str(error))
        else:
            log.info("backtest done", extra={"fields": {"job": job.stem, "folder": folder.name}})
            metrics = json.loads((folder / "metrics.json").read_bytes())
            self._tell(job.stem, "done", "", folder=folder.name, metrics=json.dumps(metrics))
            self._audit.record("backtest_done", "backtest", {"job": job.stem, "folder": folder.name})
        again.unlink()
        return True

    def _next(self) -> Path | None:
        """The oldest job: one claimed before a crash first. One that was running when the process died is given up."""
        for dead in self._claimed.glob("*.running"):
            self._tell(dead.stem, "failed", "the worker died while it ran; queue it again")
            dead.unlink()
        waiting = sorted(self._claimed.glob("*.job"))
        if waiting:
            return waiting[0]
        folder = self._paths.job_folder("backtest")
        for job in sorted(folder.glob("*.job")) if folder.is_dir() else ():
            mine = self._claimed / job.name
            try:
                job.rename(mine)
            except FileNotFoundError:
                continue
            return mine
        return None

    def _tell(self, job: str, state: str, why: str, **more: str) -> None:
        row = {"job": job, "state": state, "why": why, "at": self._clock.now().isoformat(), **more}
        self._rows = [row, *(r for r in self._rows if r["job"] != job)][:KEPT]
        self._publish()

    def _publish(self) -> None:
        self._publisher.publish("jobs", {"rows": self._rows}, 7 * 86_400.0)


def serve(process: Process) -> None:
    parser = argparse.ArgumentParser(prog="tbot_bot.backtest")
    parser.add_argument("--watch", action="store_true", help="stay and serve jobs instead of the waiting ones only")
    arguments = parser.parse_args()
    paths = Paths(root_from_environment())
    require_no_plaintext(paths)
    worker = BacktestWorker(paths)
    process.notify.ready()
    while not process.stop.is_set():
        process.notify.beat()
        with process.notify.patient(LONGEST_JOB):
            served = worker.serve()
        if not served:
            if not arguments.watch:
                break
            process.stop.wait(LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(run("backtest", serve))
