"""The backup process's work: nightly backups and weekly drills, those that are asked for, and copies elsewhere."""

import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tbot_bot.backup import contents, shelf
from tbot_bot.backup.drill import Check, drop_scratch
from tbot_bot.backup.drill import drill as run_drill
from tbot_bot.backup.maker import Made, make_backup
from tbot_bot.backup.offsite import Target, copy_there, open_target, with_patience
from tbot_bot.backup.recovery import BackupKeys, backup_keys
from tbot_bot.backup.retention import KeepRule
from tbot_bot.config.parse import ParsedConfig
from tbot_bot.config.passwords import BCRYPT_COST
from tbot_bot.config.settings_cache import SettingsCache
from tbot_bot.domain.errors import AuditUnavailable, BackupRefused, TbotError
from tbot_bot.ports.books import AuditLog
from tbot_bot.ports.clock import Clock
from tbot_bot.reporting.alerts import CRITICAL, AlertBook
from tbot_bot.support.logs import get_logger, redact
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher

_log = get_logger("backup")
ACTOR = "backup"
NO_KEY = "There is no recovery key yet, so nothing is backed up. Make one on the page Backups."
DRILL_EVERY = timedelta(days=7)
RETRY_AFTER = timedelta(minutes=15)
_EXPIRES = 2 * 86_400.0
"""Under a timer nobody is there to publish again; how old the last good backup is shows in the facts themselves."""


class BackupWorker:
    """One at a time per root. What fails is published, alerted and audited, and tried again later."""

    def __init__(
        self,
        paths: Paths,
        clock: Clock,
        publisher: Publisher,
        audit: AuditLog,
        sleep: Callable[[float], object],
        bcrypt_cost: int = BCRYPT_COST,
    ) -> None:
        """`sleep`: waits between tries; ends early when the process is to stop."""
        self._paths = paths
        self._clock = clock
        self._publisher = publisher
        self._audit = audit
        self._sleep = sleep
        self._cost = bcrypt_cost
        self._settings = SettingsCache(paths)
        self._running = False
        self._failed_at: datetime | None = None
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)

    def tidy(self) -> None:
        """Remove what a crash left half done."""
        with shelf.undisturbed(self._paths):
            shelf.sweep(self._paths)
            contents.drop_work(self._paths)
            drop_scratch(self._paths)

    def backup_due(self) -> bool:
        """Whether a nightly backup's time came since the last good one; after a failure only now and then."""
        config, now = self._config(), self._clock.now()
        if config is None or backup_keys(self._paths) is None:
            return False
        if self._failed_at is not None and now - self._failed_at < RETRY_AFTER and now >= self._failed_at:
            return False
        last = _time(shelf.read_memory(self._paths).last_ok_at)
        return last is None or last < self._next(config, now) - timedelta(days=1) or last > now + timedelta(days=1)

    def drill_due(self) -> bool:
        last = _time(str(shelf.read_memory(self._paths).drill.get("at", "")))
        recent = last is not None and timedelta(0) <= self._clock.now() - last < DRILL_EVERY
        return not recent and backup_keys(self._paths) is not None and shelf.newest(self._paths) is not None

    def back_up(self, why: str) -> bool:
        """One backup, thinned and copied; False when none was made."""
        self._running = True
        self.publish()
        try:
            keys = self._keys()
            with shelf.undisturbed(self._paths):
                made = make_backup(self._paths, self._clock, keys)
            self._note_made(made, why)
            self._thin()
        except (TbotError, OSError, sqlite3.Error) as error:
            self._failed(why, _words(error))
            return False
        finally:
            self._running = False
            self.publish()
        self._failed_at = None
        self.copy()
        return True

    def copy(self) -> None:
        """Bring the copies elsewhere up to date; trouble there is shown and tried again with the next backup."""
        config = self._config()
        if config is None or not config.target.backup_target_url:
            return
        try:
            target = open_target(config.target)
            try:
                self._copy_all(target)
            finally:
                target.close()
        except (TbotError, OSError) as error:
            self._offsite_failed(_words(error))
        self.publish()

    def drill(self, why: str) -> bool:
        """The newest backup, put to use in a scratch root; False when it failed or there is nothing to drill."""
        newest = shelf.newest(self._paths)
        self._running = True
        self.publish()
        try:
            checks = self._drilled(newest)
        except (TbotError, OSError, sqlite3.Error) as error:
            checks = (Check("drill", False, _words(error)),)
        finally:
            self._running = False
        self._note_drill("" if newest is None else newest.name, checks, why)
        self.publish()
        return all(check.ok for check in checks)

    def _drilled(self, newest: Path | None) -> tuple[Check, ...]:
        keys = self._keys()
        if newest is None:
            return (Check("opens", False, "There is no backup to drill yet."),)
        with shelf.undisturbed(self._paths):
            found = run_drill(self._paths, self._clock, keys, newest, self._cost)
        return (*found.checks, *self._copy_check(newest.name, newest.stat().st_size))

    def publish(self) -> None:
        """The `backups` snapshot."""
        try:
            self._publisher.publish("backups", self._facts(), _EXPIRES)
        except OSError as error:
            _log.warning("the backups could not be published", extra={"fields": {"why": error.strerror}})

    def _facts(self) -> Mapping[str, Any]:
        memory, config = shelf.read_memory(self._paths), self._config()
        kept = {} if config is None else shelf.reasons(memory, _rule(config))
        rows = []
        for path in shelf.on_shelf(self._paths):
            at = shelf.time_of(path.name)
            rows.append(
                {
                    "name": path.name,
                    "made_at": "" if at is None else at.isoformat(),
                    "bytes": path.stat().st_size,
                    "kept_as": list(kept.get(path.name, ())),
                    "offsite": memory.offsite.get(path.name, ""),
                }
            )
        return {
            "backups": rows,
            "running": self._running,
            "last_ok_at": memory.last_ok_at,
            "error": memory.error if self._has_key() else NO_KEY,
            "next_at": ""
            if config is None or not self._has_key()
            else self._next(config, self._clock.now()).isoformat(),
            "offsite": {
                "target": "" if config is None else config.target.backup_target_url,
                "last_ok_at": memory.offsite_ok_at,
                "error": memory.offsite_error,
            },
            "drill": memory.drill or {"at": "", "ok": False, "checks": []},
        }

    def _next(self, config: ParsedConfig, now: datetime) -> datetime:
        at = config.env.backup.backup_time
        today = now.astimezone(UTC).replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
        return today if today > now else today + timedelta(days=1)

    def _keys(self) -> BackupKeys:
        keys = backup_keys(self._paths)
        if keys is None:
            raise BackupRefused(NO_KEY)
        return keys

    def _has_key(self) -> bool:
        try:
            return backup_keys(self._paths) is not None
        except TbotError:
            return False

    def _config(self) -> ParsedConfig | None:
        try:
            return self._settings.open()
        except TbotError:
            return None

    def _note_made(self, made: Made, why: str) -> None:
        anchors = made.manifest.anchors
        detail = {"name": made.name, "bytes": made.size, "why": why, "audit": anchors.audit_seq}
        self._record("backup_made", {**detail, "ledger": anchors.ledger_entries, "files": len(made.manifest.files)})
        _log.info("backup made", extra={"fields": detail})

    def _thin(self) -> None:
        config = self._config()
        gone = () if config is None else shelf.thin(self._paths, _rule(config))
        if gone:
            self._record("backups_thinned", {"names": list(gone)})

    def _copy_all(self, target: Target) -> None:
        there = target.sizes()
        memory = shelf.read_memory(self._paths)
        for name in reversed(memory.made):
            path = shelf.backup_file(self._paths, name)
            if path is None or (memory.offsite.get(name) == "copied" and there.get(name) == path.stat().st_size):
                continue
            with_patience(lambda path=path: copy_there(target, path), self._sleep)  # type: ignore[misc]
            self._remember_copy(name, "copied")
            self._record("backup_copied", {"name": name})
        for name in memory.offsite:
            if name not in memory.made:
                target.remove(name)
                self._remember_copy(name, "")
        now = self._clock.now().isoformat(timespec="seconds")
        shelf.write_memory(self._paths, replace(shelf.read_memory(self._paths), offsite_ok_at=now, offsite_error=""))

    def _copy_check(self, name: str, size: int) -> tuple[Check, ...]:
        """That the newest backup's copy is still there, where copies are made at all."""
        config = self._config()
        if config is None or not config.target.backup_target_url:
            return ()
        try:
            target = open_target(config.target)
            try:
                found = target.sizes().get(name)
            finally:
                target.close()
        except (TbotError, OSError) as error:
            return (Check("copy elsewhere", False, _words(error)),)
        words = "not there" if found is None else f"{found} bytes, {size} here"
        return (Check("copy elsewhere", found == size, words),)

    def _remember_copy(self, name: str, state: str) -> None:
        memory = shelf.read_memory(self._paths)
        offsite = {known: text for known, text in memory.offsite.items() if known != name}
        shelf.write_memory(self._paths, replace(memory, offsite={**offsite, name: state} if state else offsite))

    def _failed(self, why: str, words: str) -> None:
        self._failed_at = self._clock.now()
        shelf.write_memory(self._paths, replace(shelf.read_memory(self._paths), error=words))
        self._record("backup_failed", {"why": why, "error": words})
        self._alert("No backup was made", words)

    def _offsite_failed(self, words: str) -> None:
        memory = shelf.read_memory(self._paths)
        waiting = {name: words for name in memory.made if memory.offsite.get(name) != "copied"}
        shelf.write_memory(self._paths, replace(memory, offsite={**memory.offsite, **waiting}, offsite_error=words))
        self._record("backup_copy_failed", {"error": words})
        self._alert("The backup could not be copied elsewhere", words)

    def _note_drill(self, name: str, checks: tuple[Check, ...], why: str) -> None:
        ok = all(check.ok for check in checks)
        at = self._clock.now().isoformat(timespec="seconds")
        result = {"at": at, "ok": ok, "backup": name, "checks": [asdict(check) for check in checks]}
        shelf.write_memory(self._paths, replace(shelf.read_memory(self._paths), drill=result))
        bad = [f"{check.name}: {check.detail}" for check in checks if not check.ok]
        self._record("restore_drill", {"backup": name, "ok": ok, "why": why, "failed": bad})
        if bad:
            self._alert("The restore drill failed", "; ".join(bad))

    def _record(self, event: str, detail: Mapping[str, Any]) -> None:
        """A backup is made even when nothing can be put on record: it may be all that is left."""
        try:
            self._audit.record(event, ACTOR, detail)
        except AuditUnavailable as error:
            _log.error("an event is not on record", extra={"fields": {"event": event, "why": str(error)}})

    def _alert(self, subject: str, text: str) -> None:
        try:
            book = AlertBook(self._paths, self._publisher, self._clock)
            book.notify(CRITICAL, subject, text)
            book.close()
        except OSError as error:
            _log.error(subject, extra={"fields": {"why": text}})
            _log.warning("the alert could not be kept on disk", extra={"fields": {"why": error.strerror}})


def _rule(config: ParsedConfig) -> KeepRule:
    kept = config.env.backup
    return KeepRule(kept.backup_keep_daily, kept.backup_keep_weekly, kept.backup_keep_monthly)


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return redact(str(error))
