"""What a restore would change, part by part, in words: shown before anyone agrees to it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.backup.contents import AUDIT_HEAD, AUDIT_LOG, LEDGER, USERS, record_path
from tbot_bot.backup.manifest import PARTS, Manifest
from tbot_bot.backup.opened import Opened
from tbot_bot.backup.records import goes_on_from, line_hash_at
from tbot_bot.config.parse import ParsedConfig
from tbot_bot.config.schema import KEYS
from tbot_bot.config.security_bot import open_config
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import BackupRefused, LedgerRefused, TbotError
from tbot_bot.reporting.audit_chain import read_head
from tbot_bot.support.path_resolver import Paths

_SHOWN = 40
_OLD = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class PartChange:
    """`present`: whether the backup holds this part at all."""

    part: str
    title: str
    present: bool
    changes: tuple[str, ...]


def part_changes(paths: Paths, opened: Opened) -> tuple[PartChange, ...]:
    """One for each part. What cannot be compared says why."""
    makers = {
        "settings": _settings,
        "users": _users,
        "ledger": _ledger,
        "records": _records,
        "audit": _audit,
    }
    found = []
    for part, title in PARTS.items():
        present = bool(opened.manifest.of(part))
        changes: tuple[str, ...] = ("The backup holds none.",)
        if present:
            try:
                changes = _shown(list(makers[part](paths, opened)))
            except (TbotError, OSError, sqlite3.Error) as error:
                changes = (f"Cannot be compared: {error}",)
        found.append(PartChange(part, title, present, changes))
    return tuple(found)


def warnings(paths: Paths, opened: Opened, now: datetime) -> tuple[str, ...]:
    return (*_live(paths, opened), *_warnings(paths, opened.manifest, now))


def audit_relation(paths: Paths, manifest: Manifest) -> str:
    """How the log here stands to the one in the backup: "none", "goes on" or "other"."""
    if not paths.audit_log.is_file() or not paths.audit_log.stat().st_size:
        return "none"
    anchors = manifest.anchors
    return "goes on" if line_hash_at(paths.audit_log, anchors.audit_seq) == anchors.audit_hash else "other"


def log_is_younger(paths: Paths, manifest: Manifest) -> bool:
    """Whether the log here was begun after the backup was made: the one that the backup knows is lost."""
    with paths.audit_log.open("rb") as log:
        try:
            return datetime.fromisoformat(json.loads(log.readline())["at"]) > manifest.made_at
        except (ValueError, KeyError, TypeError):
            return False


def check_whole_log(opened: Opened) -> None:
    """That the backup's log ends where its head and the manifest say. Raises BackupRefused."""
    anchors, head = opened.manifest.anchors, opened.file(AUDIT_HEAD)
    try:
        row = json.loads(head.read_bytes())
        noted = (row["seq"], row["line_hash"], row["bytes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupRefused("The backup holds no whole audit log; leave that part out.") from error
    log = opened.file(AUDIT_LOG)
    size = log.stat().st_size if log.exists() else 0
    last = line_hash_at(log, anchors.audit_seq) if anchors.audit_seq else anchors.audit_hash
    if noted != (anchors.audit_seq, last, size) or last != anchors.audit_hash:
        raise BackupRefused("The backup holds no whole audit log; leave that part out.")


def _live(paths: Paths, opened: Opened) -> Iterator[str]:
    try:
        config, _ = opened.config()
    except TbotError:
        return
    here = _config_here(paths)
    if config.broker.live and (here is None or not here.broker.live):
        yield f"Its settings trade real money at {config.broker.broker_code}."


def _warnings(paths: Paths, manifest: Manifest, now: datetime) -> Iterator[str]:
    if manifest.tbot != version_tag():
        yield f"It was made by tbot {manifest.tbot}; this is {version_tag()}. New settings get their defaults."
    if now - manifest.made_at > _OLD:
        yield f"It is {(now - manifest.made_at).days} days old: what happened since then is not in it."
    if manifest.made_at > now:
        yield "It was made in the future by this machine's clock. Look at the clock."
    config = _config_here(paths)
    if config is not None and config.identity.bot_id != manifest.bot:
        yield f"It is another bot's: {manifest.bot or 'nameless'}; this one is {config.identity.bot_id}."
    behind = _entries_here(paths) - manifest.anchors.ledger_entries
    if behind > 0:
        yield (
            f"The ledger here has {behind} entries more. They are kept aside; fills that the broker still reports are "
            "booked again."
        )
    yield "Positions and orders are the broker's and do not change; the bot reconciles with it at the next start."


def _settings(paths: Paths, opened: Opened) -> Iterator[str]:
    config, unknown = opened.config()
    here = _config_here(paths)
    if here is None:
        yield f"{len(config.raw)} settings are restored; there are none here that can be read."
    else:
        yield from _setting_changes(here.raw, config.raw)
    if unknown:
        yield f"Not known to this release and left out: {', '.join(unknown)}."


def _setting_changes(here: Mapping[str, str], there: Mapping[str, str]) -> Iterator[str]:
    for spec in KEYS:
        old, new = here[spec.name], there[spec.name]
        if old == new:
            continue
        if spec.secret:
            yield f"{spec.name}: {'changed' if old and new else 'set' if new else 'removed'} (not shown)"
        else:
            yield f"{spec.name}: {old or 'empty'} → {new or 'empty'}"


def _users(paths: Paths, opened: Opened) -> Iterator[str]:
    there = _roles(opened.file(USERS))
    here = _roles(paths.users_db) if paths.users_db.is_file() else {}
    for name in sorted(there.keys() | here.keys(), key=str.casefold):
        if name not in here:
            yield f"{name} ({there[name]}) is added"
        elif name not in there:
            yield f"{name} ({here[name]}) is removed"
        elif here[name] != there[name]:
            yield f"{name}: {here[name]} → {there[name]}"
    yield "Passwords become those of that time, and every login ends."


def _ledger(paths: Paths, opened: Opened) -> Iterator[str]:
    store = LedgerStore(opened.file(LEDGER))
    try:
        entries, digest = store.head()
        positions = store.positions()
    finally:
        store.close()
    yield f"{entries} entries in the backup, {_entries_here(paths)} here."
    if paths.ledger_db.is_file() and entries:
        same = _digest_here(paths, entries) == digest
        yield "The ledger here goes on from it." if same else "The ledger here is another one, or a different branch."
    if positions:
        yield "Open positions in it: " + ", ".join(f"{p.symbol} {p.quantity}" for p in positions)


def _records(paths: Paths, opened: Opened) -> Iterator[str]:
    for entry in opened.manifest.of("records"):
        target = record_path(paths, entry.name)
        short = entry.name.removeprefix("records/")
        if target is None:
            continue
        if not target.exists():
            yield f"{short} is added"
        elif not goes_on_from(target, opened.file(entry.name)):
            yield f"{short} is replaced; the one here is kept aside"


def _audit(paths: Paths, opened: Opened) -> Iterator[str]:
    anchors = opened.manifest.anchors
    head = read_head(paths)
    yield f"{anchors.audit_seq} records in the backup, {0 if head is None else head.seq} here."
    match audit_relation(paths, opened.manifest):
        case "none":
            yield "There is none here: it is restored and goes on."
        case "goes on":
            yield "The log here goes on from it and stays as it is."
        case _:
            if log_is_younger(paths, opened.manifest):
                yield "The log here was begun after the backup: the backup's goes on, the one here is kept aside."
            else:
                yield "The log here is another one. Without users here the backup's goes on, else it is put beside."
    if not opened.manifest.of("audit") or not opened.file(AUDIT_LOG).exists():
        yield "The backup holds no records."


def _config_here(paths: Paths) -> ParsedConfig | None:
    try:
        return open_config(paths)
    except TbotError:
        return None


def _roles(database: Path) -> Mapping[str, str]:
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=5.0)) as db:
        return {str(name): str(role) for name, role in db.execute("SELECT username, role FROM users")}


def _entries_here(paths: Paths) -> int:
    try:
        store = LedgerStore(paths.ledger_db)
    except LedgerRefused:
        return 0
    try:
        return store.head()[0]
    except LedgerRefused:
        return 0
    finally:
        store.close()


def _digest_here(paths: Paths, number: int) -> str:
    store = LedgerStore(paths.ledger_db)
    try:
        return store.digest_at(number)
    finally:
        store.close()


def _shown(changes: Sequence[str]) -> tuple[str, ...]:
    if not changes:
        return ("Nothing changes.",)
    rest = len(changes) - _SHOWN
    return (*changes[:_SHOWN], f"and {rest} more") if rest > 0 else tuple(changes)
