"""One Fernet key per category. Keys are made here and nowhere else, called by the provisioning runner only."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tbot_bot.support.atomic_file import sync_folder, write_bytes
from tbot_bot.support.decrypt_secrets import with_generation
from tbot_bot.support.encrypt_secrets import CATEGORIES, KEY_ALIASES, key_file, new_key
from tbot_bot.support.path_resolver import Paths


def create_keys(keys_folder: Path) -> None:
    """A fresh key per category, 0600, and the second names that `.env` uses."""
    for category in CATEGORIES:
        write_bytes(keys_folder / key_file(category), new_key())
    _link_aliases(keys_folder)


def carry_keys(paths: Paths, keys_folder: Path) -> None:
    """The current generation's keys, into a new generation: changed settings need no new keys."""
    keys = with_generation(paths, lambda old: {category: old.key(category) for category in CATEGORIES})
    for category, key in keys.items():
        write_bytes(keys_folder / key_file(category), key)
    _link_aliases(keys_folder)


def key_faults(keys_folder: Path) -> tuple[str, ...]:
    """What is wrong with the key files' presence, mode and owner, in sentences."""
    return tuple(_faults(keys_folder))


def _faults(folder: Path) -> Iterator[str]:
    yield from private_faults(folder)
    for category in CATEGORIES:
        path = folder / key_file(category)
        if not path.exists():
            yield f"keys/{path.name} is missing: restore it from a backup"
        else:
            yield from private_faults(path)


def private_faults(path: Path) -> Iterator[str]:
    """Whether `path` is ours alone."""
    facts = path.stat()
    name = f"{path.parent.name}/{path.name}"
    if stat.S_IMODE(facts.st_mode) & 0o077:
        yield f"{name} can be used by others (mode {stat.S_IMODE(facts.st_mode):o}): take that away with chmod go="
    if facts.st_uid not in {os.geteuid(), 0}:
        yield f"{name} belongs to user {facts.st_uid}, not to us: correct its owner"


def _link_aliases(keys_folder: Path) -> None:
    for alias, name in KEY_ALIASES.items():
        (keys_folder / alias).symlink_to(name)
    sync_folder(keys_folder)
