"""The universe builder's process: one build and out (timer, path unit), or watching for jobs and old files."""

import argparse
import sys
import threading
from datetime import datetime
from pathlib import Path

from tbot_bot.broker.gateway import open_broker
from tbot_bot.broker.links import BrokerLinks, open_links
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.config.settings_cache import SettingsCache
from tbot_bot.config.startup import require_no_plaintext
from tbot_bot.domain.errors import NotProvisioned, TbotError
from tbot_bot.domain.settings import BrokerCredentials
from tbot_bot.runtime.compose import MAX_UNIVERSE_AGE, open_reference
from tbot_bot.screeners.blocklist import read_blocklist
from tbot_bot.screeners.universe import Universe, build
from tbot_bot.screeners.universe_file import load, read, write
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.calendar import ExchangeCalendar
from tbot_bot.support.clock import FollowedClock, SystemClock
from tbot_bot.support.flags import FlagClaimer
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths, root_from_environment
from tbot_bot.support.process import Process, run
from tbot_bot.support.sd_notify import SdNotify
from tbot_bot.support.snapshot import Publisher

log = get_logger("universe")

LOOK_SECONDS = 0.3
AGE_CHECK_SECONDS = 20.0
FIRST_CHECK_SECONDS = 1.5
EXPIRES_SECONDS = 7 * 86_400.0
LONGEST_BUILD = 3600.0
"""Seconds after which a build is taken for hanging; a broker's whole list at its own pace is the longest."""


class UniverseWorker:
    """Builds `output/cache/symbol_universe.json`; the old file stays until the new one is valid."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._wall = SystemClock()
        self._publisher = Publisher(paths, "universe", self._wall)
        self._audit = AuditDrop(paths, self._wall)
        self._claims = FlagClaimer(paths.private / "claims-universe")
        self._settings = SettingsCache(paths)

    def build(self, why: str) -> Universe:
        """One build; publishes how it went. Raises what the broker, the providers and the filters raise."""
        self._publish({"state": "building"})
        try:
            universe = self._build()
        except TbotError as error:
            self._publish({"state": "failed", "error": str(error)})
            raise
        self._audit.record("universe_built", "universe", {"why": why, "counts": dict(universe.counts)})
        log.info("universe built", extra={"fields": {"why": why, **universe.counts}})
        self._publish(_body(universe))
        return universe

    def _build(self) -> Universe:
        secrets = open_secrets(self._paths)
        clock = FollowedClock()
        broker = open_broker(secrets.broker, secrets.bot, clock, self._links(secrets.broker))
        try:
            told = broker.get_clock()
            clock.sample(told.now, float(told.speed))
            universe = build(
                broker.get_assets(),
                open_reference(secrets.broker, secrets.bot),
                broker,
                secrets.bot,
                read_blocklist(self._paths.blocklist),
                clock,
                self._wall,
            )
        finally:
            broker.close()
        write(self._paths.universe, universe)
        return universe

    def _publish(self, body: dict[str, object]) -> None:
        self._publisher.publish("universe", body, EXPIRES_SECONDS)

    @property
    def built(self) -> bool:
        return self._paths.universe.exists()

    def claim_job(self) -> bool:
        """True when a build was asked for; all waiting jobs are one build."""
        folder = self._paths.job_folder("universe")
        jobs = sorted(folder.glob("*.job")) if folder.is_dir() else []
        claimed = [self._claims.claim(job) for job in jobs]
        return any(claimed)

    def _links(self, credentials: BrokerCredentials) -> BrokerLinks:
        return open_links(self._paths, self._wall, credentials, role=1)

    def outdated(self) -> bool:
        """Whether a session closed since the file was built, by the broker's clock."""
        settings = self._settings.open()
        clock = FollowedClock()
        broker = open_broker(settings.broker, settings.bot, clock, self._links(settings.broker))
        try:
            now = broker.get_clock().now
        finally:
            broker.close()
        return _built_before_last_close(self._paths.universe, now)

    def announce(self) -> None:
        """Publish the file that is there, so that a restart shows it."""
        try:
            self._publish(_body(read(self._paths.universe)))
        except TbotError as error:
            self._publish({"state": "idle", "error": str(error)})


def _built_before_last_close(path: Path, now: datetime) -> bool:
    try:
        universe = load(path, now, MAX_UNIVERSE_AGE)
    except TbotError:
        return True
    session = ExchangeCalendar().previous(now.date())
    return universe.built_at < session.close


def _body(universe: Universe) -> dict[str, object]:
    """The published form; market caps and prices as text."""
    rows = [
        {
            "symbol": listing.symbol,
            "name": listing.name,
            "exchange": listing.exchange,
            "sector": listing.fundamentals.sector,
            "market_cap": _text(listing.fundamentals.market_cap),
            "previous_close": _text(listing.fundamentals.previous_close),
            "average_volume": listing.fundamentals.average_volume,
        }
        for listing in universe.listings
    ]
    return {
        "state": "idle",
        "built_at": universe.built_at.isoformat(),
        "source": universe.source,
        "counts": dict(universe.counts),
        "reasons": dict(universe.reasons),
        "inverse_etfs": [etf.symbol for etf in universe.inverse_etfs],
        "rows": rows,
        "error": "",
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def watch(worker: UniverseWorker, stop: threading.Event, notify: SdNotify) -> None:
    """Serve jobs as they come; outside systemd there is no timer, so an outdated file is rebuilt too."""
    worker.announce()
    notify.ready()
    checks = 0.0
    while not stop.wait(LOOK_SECONDS):
        notify.beat()
        notify.status("waits for the session's end, and for whoever asks")
        checks += LOOK_SECONDS
        asked = worker.claim_job()
        if asked or checks >= (AGE_CHECK_SECONDS if worker.built else FIRST_CHECK_SECONDS):
            checks = 0.0
            with notify.patient(LONGEST_BUILD):
                _serve(worker, asked)


def _serve(worker: UniverseWorker, asked: bool) -> None:
    """A build that fails is logged and published; the worker lives on for the next."""
    try:
        if asked:
            worker.build("asked for")
        elif worker.outdated():
            worker.build("a session closed since the last build")
    except NotProvisioned:
        return
    except TbotError as error:
        log.error("no universe was built", extra={"fields": {"why": str(error)}})


def serve(process: Process) -> None:
    parser = argparse.ArgumentParser(prog="tbot_bot.runtime.universe")
    parser.add_argument("--watch", action="store_true", help="stay and serve jobs instead of one build")
    arguments = parser.parse_args()
    paths = Paths(root_from_environment())
    require_no_plaintext(paths)
    worker = UniverseWorker(paths)
    if arguments.watch:
        watch(worker, process.stop, process.notify)
    else:
        process.notify.status("builds the universe")
        worker.claim_job()
        worker.build("timer")


if __name__ == "__main__":
    sys.exit(run("universe", serve))
