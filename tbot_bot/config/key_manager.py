"""One Fernet key per category. Keys are made here and nowhere else, called by the provisioning runner only."""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.support.atomic_file import write_new
from tbot_bot.support.decrypt_secrets import GenerationFolder, is_lost, with_generation
from tbot_bot.support.encrypt_secrets import CATEGORIES, KEY_ALIASES, RUNNER_ONLY, key_file, key_lines, keys_in, new_key
from tbot_bot.support.path_resolver import Paths

KeySet = Mapping[str, bytes]
"""Category → what its key file holds. A category whose key is lost is carried along as it is, or is not in it."""


def create_keys(keys_folder: Path) -> None:
    """A fresh key per category, 0600, and the second names that `.env` uses."""
    write_keys(keys_folder, {category: new_key() for category in CATEGORIES})


def carry_keys(paths: Paths, keys_folder: Path) -> None:
    """The current generation's keys, into a new generation: changed settings need no new keys.

    Raises SecretUnavailable naming the category whose key is lost."""
    keys = with_generation(paths, lambda folder: {category: folder.keys(category)[0] for category in CATEGORIES})
    write_keys(keys_folder, keys)


def dual_keys(folder: GenerationFolder, rotated: Collection[str]) -> KeySet:
    """The keys of an open generation with a new one in front in each of the `rotated` categories.

    A rotated category whose keys are lost gets the new one alone."""
    return {**_key_data(folder), **{category: _dual(folder, category) for category in rotated}}


def newest_keys(folder: GenerationFolder) -> KeySet:
    """The newest key of each category alone: what is left when a rotation ends."""
    return {category: key_lines(keys_in(data)[:1]) or data for category, data in _key_data(folder).items()}


def write_keys(keys_folder: Path, keys: KeySet) -> None:
    """The key files of a staged generation, 0600, and the second names that `.env` uses."""
    for category, data in keys.items():
        write_new(keys_folder / key_file(category), data, private=category in RUNNER_ONLY)
    for alias, name in KEY_ALIASES.items():
        (keys_folder / alias).symlink_to(name)


def _key_data(folder: GenerationFolder) -> KeySet:
    found = {}
    for category in CATEGORIES:
        try:
            found[category] = folder.key_data(category)
        except (SecretUnavailable, FileNotFoundError) as error:
            if not is_lost(error):
                raise
    return found


def _dual(folder: GenerationFolder, category: str) -> bytes:
    try:
        return key_lines((new_key(), *folder.keys(category)))
    except (SecretUnavailable, FileNotFoundError):
        return new_key()


def key_faults(keys_folder: Path) -> tuple[str, ...]:
    """What is wrong with the key files' presence, mode and owner, in sentences."""
    return tuple(_faults(keys_folder))


def _faults(folder: Path) -> Iterator[str]:
    yield from private_faults(folder, shared=True)
    for category in CATEGORIES:
        path = folder / key_file(category)
        if not path.exists():
            yield f"keys/{path.name} is missing: restore it from a backup"
        else:
            yield from private_faults(path, shared=category not in RUNNER_ONLY)


def private_faults(path: Path, *, shared: bool = False) -> Iterator[str]:
    """Whether `path` is its owner's alone. `shared`: in a folder that belongs to a group of ours, it may read."""
    # Through its name in use it lies in another folder than its own.
    facts, folder = path.stat(), path.resolve().parent.stat()
    name = f"{path.parent.name}/{path.name}"
    allowed = 0o750 if shared and folder.st_mode & stat.S_ISGID else 0o700
    if stat.S_IMODE(facts.st_mode) & 0o777 & ~allowed:
        yield f"{name} can be used by others (mode {stat.S_IMODE(facts.st_mode):o}): take that away with chmod go="
    ours = {os.geteuid(), 0} | ({folder.st_uid} if folder.st_mode & stat.S_ISGID else set())
    if facts.st_uid not in ours:
        yield f"{name} belongs to user {facts.st_uid}, not to us: correct its owner"
