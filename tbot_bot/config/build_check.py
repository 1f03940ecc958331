"""Before a session: are keys, secrets, settings and universe there, ours, intact and of one piece?

Run by the runner on Start, by the runtime before it arms, and by `tools/build_check.py`."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from tbot_bot.config.generations import current_number, faults_of, folder_of
from tbot_bot.config.key_manager import key_faults, private_faults
from tbot_bot.config.security_bot import open_config
from tbot_bot.domain.errors import NotProvisioned, TbotError
from tbot_bot.support.encrypt_secrets import SECRET_FILES
from tbot_bot.support.path_resolver import Paths


def check(paths: Paths, check_universe: Callable[[], tuple[str, ...]] | None = None) -> tuple[str, ...]:
    """Everything that is wrong, in sentences; empty when a session may begin. Never raises for what it looks at.

    `check_universe`: the screeners' own word on the universe file, where one is there."""
    try:
        number = current_number(paths)
        if number is None:
            return ("nothing is provisioned: open the web page and save a configuration",)
        problems = list(_problems(paths, number))
        if check_universe is not None and paths.universe.exists():
            problems += check_universe()
    except OSError as error:
        return (f"{error.filename or 'a file'} cannot be looked at: {error.strerror}",)
    return tuple(problems)


def _problems(paths: Paths, number: int) -> Iterator[str]:
    folder = folder_of(paths, number)
    outside = paths.keys_outside
    keys = folder / "keys" if outside is None else outside
    yield from faults_of(folder, outside)
    yield from _wrong_links(paths, number)
    if not keys.is_dir() or not (folder / "secrets").is_dir():
        return
    yield from key_faults(keys)
    yield from _secret_faults(folder / "secrets")
    yield from _database_faults(paths.users_db)
    yield from _database_faults(paths.ledger_db)
    try:
        open_config(paths)
    except NotProvisioned as error:
        yield str(error)
    except TbotError as error:
        yield str(error)


def _secret_faults(folder: Path) -> Iterator[str]:
    yield from private_faults(folder, shared=True)
    for name in SECRET_FILES.values():
        path = folder / name
        if not path.exists():
            yield f"secrets/{name} is missing: restore it from a backup or save the configuration again"
        else:
            yield from private_faults(path, shared=True)


def _database_faults(path: Path) -> Iterator[str]:
    """Presence and mode only: some processes that check may not open it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except PermissionError:
        return
    except FileNotFoundError:
        yield f"{path.name} is missing: restore it from a backup"
        return
    if mode & stat.S_IRWXO:
        yield f"{path.name} can be used by everyone (mode {mode:o}): take that away with chmod o="


def _wrong_links(paths: Paths, number: int) -> Iterator[str]:
    """The names that people and tools use must lead to the generation in use."""
    folder = folder_of(paths, number)
    expected = ((paths.keys, folder / "keys"), (paths.secrets, folder / "secrets"))
    for link, target in expected if paths.keys_outside is None else expected[1:]:
        if not link.exists() or not os.path.samefile(link, target):
            yield f"{link.name} does not lead to generation {number}: save the configuration again"
