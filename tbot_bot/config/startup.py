"""What a process looks at before it begins: no plaintext secret may lie about in production."""

import stat
from collections.abc import Iterator
from pathlib import Path

from tbot_bot.config.generations import current_number
from tbot_bot.config.security_bot import open_config
from tbot_bot.domain.errors import PlaintextFound, TbotError
from tbot_bot.domain.installation import Environment
from tbot_bot.support.logs import get_logger
from tbot_bot.support.path_resolver import Paths

_log = get_logger("startup")
_PLAINTEXT = (".env_bot", ".env")
_WORDS = {
    ".env_bot": "the settings are encrypted in .env_bot.enc and this copy is not used. If something in it is not saved "
    "yet, enter it on the configuration page; then delete the file",
    ".env": "the settings are encrypted in .env.enc and this copy is not used: delete the file",
}


def require_no_plaintext(paths: Paths) -> None:
    """Raises PlaintextFound in production, once provisioned; in development it only warns.

    Before the first provisioning a staged `.env_bot` is what it is made from. A configuration that cannot be opened
    counts as production."""
    found = plaintext_faults(paths)
    if not found or current_number(paths) is None:
        return
    if is_development(paths):
        _log.warning("plaintext secrets", extra={"fields": {"found": list(found)}})
        return
    raise PlaintextFound("nothing was started: " + "; ".join(found))


def plaintext_faults(paths: Paths) -> tuple[str, ...]:
    """Plaintext settings and copies of keys at the root, and storage that everyone may look into, in sentences."""
    return (*_at_root(paths.root), *_open_storage(paths))


def _at_root(root: Path) -> Iterator[str]:
    for name in _PLAINTEXT:
        path = root / name
        if path.is_symlink() or path.exists():
            yield f"{path} holds settings in plaintext: {_WORDS[name]}"
    for path in sorted(root.glob("*.key")):
        yield f"{path} looks like a copy of a key: keys belong below tbot_bot/storage alone; delete it"


def _open_storage(paths: Paths) -> Iterator[str]:
    """What holds keys, secrets or users, and can be read or entered by every user of the machine."""
    private = (paths.generations, paths.runner_private, paths.recovery, paths.backups, paths.exports)
    for path in (*private, paths.restore_work, paths.before_restore, paths.users_db):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & stat.S_IRWXO:
            yield f"{path} can be used by everyone (mode {mode:o}): take that away with chmod o="


def is_development(paths: Paths) -> bool:
    """By ENVIRONMENT; what cannot be opened counts as production."""
    try:
        return open_config(paths).env.environment is Environment.DEVELOPMENT
    except TbotError:
        return False
