"""Creating the databases at first provisioning, and taking fresh ones away again when it fails."""

from collections.abc import Callable
from pathlib import Path

from tbot_bot.config.security_users import UserStore
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, sync_folder
from tbot_bot.support.decrypt_secrets import with_generation
from tbot_bot.support.path_resolver import Paths


def open_users(paths: Paths, clock: Clock, cost: int) -> UserStore:
    """The user database under the current generation's login key. Raises NotProvisioned or SecretUnavailable."""
    return UserStore(paths.users_db, with_generation(paths, lambda now: now.keys("login")), clock, cost)


def create_users(paths: Paths, clock: Clock, cost: int) -> None:
    """SYSTEM_USERS.db with its tables; an existing one is kept with everything in it."""
    open_users(paths, clock, cost).create_database()


def create_ledger_database(paths: Paths, create_ledger: Callable[[], None]) -> None:
    """LEDGER.db by the accounting's own hand; idempotent."""
    ensure_folder(paths.ledger_db.parent)
    create_ledger()


def remove_database(path: Path) -> None:
    """Take away a database that this very provisioning made, with its side files."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_folder(path.parent)
