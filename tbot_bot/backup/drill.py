"""The restore drill: the newest backup as it lies on the disk, opened into a root of its own and put to use.

What is proven: it opens and is whole, every secret decrypts, the settings are those of this release, every password
hash is one, someone can register and log in, the ledger balances, the audit log's chain holds, journals can be read."""

import json
import secrets
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from cryptography.fernet import InvalidToken

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.backup.contents import AUDIT_HEAD, AUDIT_LOG, LEDGER, USERS
from tbot_bot.backup.manifest import Manifest
from tbot_bot.backup.opened import Opened, Opener, open_backup
from tbot_bot.backup.recovery import BackupKeys
from tbot_bot.config import generations
from tbot_bot.config.access import Access
from tbot_bot.config.db_bootstrap import create_users
from tbot_bot.config.key_manager import write_keys
from tbot_bot.config.login_desk import LoginDesk
from tbot_bot.config.security_bot import open_config
from tbot_bot.config.security_users import UserStore
from tbot_bot.domain.errors import BackupRefused, TbotError
from tbot_bot.ports.clock import Clock
from tbot_bot.reporting.audit import AuditWriter
from tbot_bot.reporting.audit_chain import head_file
from tbot_bot.reporting.audit_verify import verify as verify_audit
from tbot_bot.support.atomic_file import ensure_folder, write_new
from tbot_bot.support.audit_anchors import Anchor
from tbot_bot.support.encrypt_secrets import CATEGORIES, SECRET_FILES, key_lines, wrapping
from tbot_bot.support.envelope import Request
from tbot_bot.support.path_resolver import Paths

_FOLDER = ".drill"
_BCRYPT = b"$2b$"
_HASH_BYTES = 60
_HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Check:
    """`detail`: what was found, in words."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Drilled:
    """A drill's outcome; all of it must be well."""

    backup: str
    at: datetime
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def drill(paths: Paths, clock: Clock, keys: BackupKeys, backup: Path, bcrypt_cost: int) -> Drilled:
    """Never raises for what a backup can hold; nothing of the scratch root is left behind."""
    drop_scratch(paths)
    folder = paths.storage / _FOLDER
    ensure_folder(folder)
    folder.chmod(stat.S_IRWXU)
    try:
        opener = Opener(keys.drill, keys.mac_key, paths.keys_outside)
        checks = tuple(_checks(folder, clock, opener, backup, bcrypt_cost))
    finally:
        drop_scratch(paths)
    return Drilled(backup.name, clock.now(), checks)


def drop_scratch(paths: Paths) -> None:
    folder = paths.storage / _FOLDER
    if folder.exists():
        shutil.rmtree(folder)


def _checks(folder: Path, clock: Clock, opener: Opener, backup: Path, cost: int) -> Iterator[Check]:
    try:
        opened = open_backup(backup, opener, folder / "files", lambda _: True)
    except (TbotError, OSError) as error:
        yield Check("opens", False, str(error))
        return
    manifest = opened.manifest
    yield Check(
        "opens", True, f"{len(manifest.files)} files, signed and whole, of {manifest.made_at:%Y-%m-%d %H:%M} UTC"
    )
    scratch = Paths(folder / "root")
    # Keys from outside are never put on this disk, not even for a drill: nobody can log in there then.
    on_disk = opener.keys_outside is None
    put_to_use: tuple[tuple[str, Callable[[], str]], ...] = (
        ("settings", lambda: _settings(scratch, clock, opened)),
        ("users", lambda: _users(scratch, clock, opened)),
        ("login", lambda: _login(scratch, clock, cost)),
    )
    in_memory: tuple[tuple[str, Callable[[], str]], ...] = (
        ("settings", lambda: f"{len(opened.config()[0].raw)} settings"),
        ("users", lambda: _users(scratch, clock, opened)),
    )
    for name, check in (
        ("secrets", lambda: _secrets(opened)),
        *(put_to_use if on_disk else in_memory),
        ("ledger", lambda: _ledger(opened)),
        ("audit log", lambda: _audit(scratch, opened)),
        ("journals", lambda: _journals(opened)),
    ):
        yield _tried(name, check)


def _tried(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except (TbotError, OSError, sqlite3.Error, ValueError) as error:
        return Check(name, False, str(error) or type(error).__name__)


def _secrets(opened: Opened) -> str:
    for category in SECRET_FILES:
        opened.generation.decrypt(category)
    return f"all {len(SECRET_FILES)} decrypt"


def _settings(scratch: Paths, clock: Clock, opened: Opened) -> str:
    """Put in use as a generation of the scratch root, then read as the bot reads it."""
    folder = generations.open_staging(scratch, 1)
    write_keys(folder / "keys", {name: key_lines(opened.generation.keys(name)) for name in CATEGORIES})
    for category, name in SECRET_FILES.items():
        write_new(folder / "secrets" / name, opened.generation.token(category))
    generations.seal_generation(scratch, 1, clock)
    generations.activate(scratch, 1)
    config = open_config(scratch)
    return f"{len(config.raw)} settings of bot {config.identity.bot_id}"


def _users(scratch: Paths, clock: Clock, opened: Opened) -> str:
    ensure_folder(scratch.users_db.parent)
    opened.file(USERS).rename(scratch.users_db)
    wrap = wrapping(opened.generation.keys("login"))
    with _database(scratch.users_db) as db:
        rows = db.execute("SELECT username, password FROM users").fetchall()
    for name, wrapped in rows:
        try:
            found = wrap.decrypt(wrapped)
        except InvalidToken as error:
            raise BackupRefused(f"the password hash of {name} does not open with login.key") from error
        if not found.startswith(_BCRYPT) or len(found) != _HASH_BYTES:
            raise BackupRefused(f"the password hash of {name} is none")
    wrapped_values = UserStore(scratch.users_db, opened.generation.keys("login"), clock).verify()
    return f"{len(rows)} user{'' if len(rows) == 1 else 's'}, every password hash opens, {wrapped_values} values in all"


def _login(scratch: Paths, clock: Clock, cost: int) -> str:
    """A user of the drill's own, in place of the others, registers, leaves, logs in and is known by the token."""
    with _database(scratch.users_db) as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM users")
    create_users(scratch, clock, cost)
    audit = AuditWriter(scratch, clock)
    try:
        access = Access(scratch, clock, cost, audit)
        desk = LoginDesk(access, audit)
        body = {"username": "drill", "password": secrets.token_urlsafe(24), "email": "", "device": ""}
        registered = desk.register(_request("register", body, clock))
        answered = desk.login(_request("login", body, clock))
        user = access.who(str(answered.body.get("token"))) if registered.ok and answered.ok else None
    finally:
        audit.close()
    if user is None:
        raise BackupRefused(f"no login: {answered.message or registered.message}")
    return "a user registered and logged in"


def _ledger(opened: Opened) -> str:
    store = LedgerStore(opened.file(LEDGER))
    try:
        faults = store.verify()
        if faults:
            raise BackupRefused("; ".join(faults))
        entries, digest = store.head()
        columns = store.trial_balance().values()
    finally:
        store.close()
    debits, credits = sum((d for d, _ in columns), Decimal()), sum((c for _, c in columns), Decimal())
    if debits != credits:
        raise BackupRefused(f"debits {debits} and credits {credits} differ")
    anchors = opened.manifest.anchors
    if (entries, digest) != (anchors.ledger_entries, anchors.ledger_digest):
        raise BackupRefused("it does not end where the manifest says")
    return f"{entries} entries balance at {debits} USD"


def _audit(scratch: Paths, opened: Opened) -> str:
    """After the login, which wrote a log of its own: the backup's takes its place."""
    ensure_folder(scratch.audit_log.parent)
    for name, path in ((AUDIT_LOG, scratch.audit_log), (AUDIT_HEAD, head_file(scratch))):
        if not opened.file(name).exists():
            raise BackupRefused(f"{name} is not in it")
        opened.file(name).replace(path)
    for path in scratch.audit_log.parent.glob("first.key*"):
        path.unlink()
    anchor = _anchor(opened.manifest)
    found = verify_audit(scratch, anchors=(anchor,))
    if found.last != anchor.seq or not all(one.ok for one in found.anchors):
        raise BackupRefused(found.problem or f"it ends with record {found.last}, not {anchor.seq}")
    return f"{found.last} records chain up to the manifest's anchor"


def _anchor(manifest: Manifest) -> Anchor:
    return Anchor("the manifest", manifest.anchors.audit_seq, manifest.anchors.audit_hash)


def _journals(opened: Opened) -> str:
    """Every line but a torn last one is a JSON object."""
    names = [entry.name for entry in opened.manifest.files if entry.name.startswith("records/journal/")]
    for name in names:
        for number, line in enumerate(opened.file(name).read_bytes().split(b"\n")[:-1], 1):
            try:
                sound = isinstance(json.loads(line), dict)
            except ValueError:
                sound = False
            if not sound and line:
                raise BackupRefused(f"{name}, line {number} cannot be read")
    return f"{len(names)} days can be read"


def _request(kind: str, body: dict[str, str], clock: Clock) -> Request:
    return Request(kind, secrets.token_hex(16), clock.now(), _HERE, b"", None, dict(body))


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as db:
        yield db
