"""Reading keys and secrets: the generation's folder is opened once and everything is read relative to it.

Path by path, a reader would mix two generations during a rotation: 1,463 of 44,407 reads failed so. The folder handle
stays valid while `current` is swapped; when the old generation is removed meanwhile, we start over with the new one."""

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cryptography.fernet import InvalidToken

from tbot_bot.domain.errors import NotProvisioned, SecretUnavailable
from tbot_bot.support.encrypt_secrets import MANIFEST, SECRET_FILES, key_file, keys_in, wrapping
from tbot_bot.support.key_use import counted
from tbot_bot.support.path_resolver import KEYS_VARIABLE, Paths

_T = TypeVar("_T")
_TRIES = 5
_PAUSE = 0.01
_MAX_FILE = 4 * 1024 * 1024
_NEEDED_TO_LOG_IN = frozenset(f"keys/{key_file(category)}" for category in ("login", "session"))
_REFILL = (
    "Export the keys anew on the installation they were made on, fill the folder with "
    "`python -m tbot_bot.runtime.unseal_keys`, and start again. Nothing was changed."
)


class GenerationFolder:
    """An open generation. Its methods raise SecretUnavailable naming the file, or FileNotFoundError when it is gone."""

    def __init__(self, handle: int, purpose: str = "", keys_outside: Path | None = None) -> None:
        """`keys_outside`: where the keys are instead of in the generation itself."""
        self._handle = handle
        self.purpose = purpose
        self._keys_outside = keys_outside

    def keys(self, category: str) -> tuple[bytes, ...]:
        """The Fernet keys of `category`, the newest first; more than one only in the middle of a rotation."""
        keys = keys_in(self._read(f"keys/{key_file(category)}"))
        try:
            wrapping(keys)
        except ValueError as error:
            name = f"keys/{key_file(category)}"
            raise SecretUnavailable(f"{name} holds no key. {way_back(name)}") from error
        return keys

    @counted("decrypt")
    def decrypt(self, category: str) -> bytes:
        """The plaintext of the category's file; fails closed on a wrong key or a changed byte."""
        name = SECRET_FILES[category]
        token = self._read(f"secrets/{name}")
        try:
            return wrapping(self.keys(category)).decrypt(_exact(token))
        except InvalidToken as error:
            raise SecretUnavailable(
                f"secrets/{name} cannot be decrypted with keys/{key_file(category)}: one of them is damaged. "
                + way_back(f"keys/{key_file(category)}")
            ) from error

    def key_data(self, category: str) -> bytes:
        """The category's key file as it is."""
        return self._read(f"keys/{key_file(category)}")

    def token(self, category: str) -> bytes:
        """The category's file as it is, still encrypted."""
        return self._read(f"secrets/{SECRET_FILES[category]}")

    def decrypt_json(self, category: str) -> dict[str, Any]:
        """The category's JSON object."""
        try:
            value = json.loads(self.decrypt(category))
        except ValueError as error:
            raise SecretUnavailable(f"secrets/{SECRET_FILES[category]} holds no JSON") from error
        if not isinstance(value, dict):
            raise SecretUnavailable(f"secrets/{SECRET_FILES[category]} holds no JSON object")
        return value

    def manifest(self) -> Mapping[str, Any]:
        """The generation's MANIFEST.json."""
        try:
            value = json.loads(self._read(MANIFEST))
        except ValueError as error:
            raise SecretUnavailable(f"{MANIFEST} of the current generation is damaged") from error
        if not isinstance(value, dict):
            raise SecretUnavailable(f"{MANIFEST} of the current generation is damaged")
        return value

    def _read(self, name: str) -> bytes:
        if self._keys_outside is not None and name.startswith("keys/"):
            return _outside_key(self._keys_outside, Path(name).stem, self.manifest())
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._handle)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise SecretUnavailable(f"{name} cannot be read: {error.strerror}") from error
        with os.fdopen(handle, "rb") as file:
            data = file.read(_MAX_FILE)
        if not data:
            raise SecretUnavailable(f"{name} is empty. {way_back(name)}")
        return data


def is_lost(error: SecretUnavailable | FileNotFoundError) -> bool:
    """Whether what could not be opened is missing or damaged, and not merely unreadable at this moment."""
    return not isinstance(error.__cause__, OSError) or isinstance(error.__cause__, FileNotFoundError)


def _exact(token: bytes) -> bytes:
    """A Fernet token still decrypts with blanks or padding appended; a file that is not exactly what was written is
    damaged. Raises InvalidToken."""
    try:
        same = base64.urlsafe_b64encode(base64.urlsafe_b64decode(token)) == token
    except ValueError:
        same = False
    if not same:
        raise InvalidToken
    return token


def way_back(name: str) -> str:
    """What whoever finds the file `name` of the generation in use lost or damaged can do, in sentences."""
    category = Path(name).stem
    if name in _NEEDED_TO_LOG_IN:
        return (
            "Nobody can log in until that is put right: put the file back, or stop the runner, move the link "
            "tbot_bot/storage/current away, start it, and restore a backup on its first page with the recovery key."
        )
    if name.startswith("keys/"):
        return (
            f"Mark the category {category} as lost on the page Keys (its values are asked again), or restore a backup."
        )
    if name.startswith("secrets/"):
        return "Save the configuration again, or restore a backup."
    return "Put it back from a copy, or restore a backup."


def with_generation(paths: Paths, use: Callable[[GenerationFolder], _T], purpose: str = "") -> _T:
    """`use` on the current generation, again from the start when it was replaced and removed meanwhile.

    `purpose`: what for, in the audit log's words. Raises NotProvisioned when there is none, SecretUnavailable when a
    file of it is missing for good."""
    missing: FileNotFoundError | None = None
    for _ in range(_TRIES):
        handle = _open_folder(paths.current_generation)
        try:
            return use(GenerationFolder(handle, purpose, paths.keys_outside))
        except FileNotFoundError as error:
            missing = error
        finally:
            os.close(handle)
        time.sleep(_PAUSE)
    name = missing.filename if missing is not None else "a file"
    raise SecretUnavailable(f"{name} is missing from the current generation. {way_back(name)}") from missing


def in_folder(folder: Path, use: Callable[[GenerationFolder], _T], purpose: str) -> _T:
    """`use` on one generation's own folder, in use or not. Raises SecretUnavailable, or FileNotFoundError."""
    handle = _open_folder(folder)
    try:
        return use(GenerationFolder(handle, purpose))
    finally:
        os.close(handle)


def check_outside_key(category: str, data: bytes, manifest: Mapping[str, Any]) -> None:
    """Raises SecretUnavailable unless `data` is the key file that the manifest's generation was written with."""
    files = manifest.get("files")
    entry = files.get(f"keys/{key_file(category)}") if isinstance(files, dict) else None
    if not isinstance(entry, dict) or entry.get("sha256") != hashlib.sha256(data).hexdigest():
        raise SecretUnavailable(
            f"the key of {category} in {KEYS_VARIABLE} is not the one that generation {manifest.get('number')} was "
            f"encrypted with. {_REFILL}"
        )


def _outside_key(folder: Path, category: str, manifest: Mapping[str, Any]) -> bytes:
    try:
        handle = os.open(folder / key_file(category), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            data = file.read(_MAX_FILE)
    except OSError as error:
        raise SecretUnavailable(
            f"the key of {category} is not in {KEYS_VARIABLE}: {error.strerror}. {_REFILL}"
        ) from error
    check_outside_key(category, data, manifest)
    return data


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotProvisioned("there are no keys and secrets yet: open the web page and save a configuration") from error
    except OSError as error:
        raise SecretUnavailable(f"the keys and secrets cannot be opened: {error.strerror}") from error
