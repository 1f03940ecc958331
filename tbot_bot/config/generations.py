"""Generations of keys and secrets: staged aside, made durable, renamed, and switched to by swapping one symlink.

Readers see the old generation or the new one, whole. Layout: `storage/gen/00000001/{keys,secrets,MANIFEST.json}`;
`storage/current` → the generation; `storage/keys`, `storage/secrets` and the root's `.env.enc` lead through it."""

import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tbot_bot.domain.errors import SecretUnavailable
from tbot_bot.ports.clock import Clock
from tbot_bot.support.atomic_file import ensure_folder, json_line, make_folder, sync_folder, write_new
from tbot_bot.support.decrypt_secrets import way_back
from tbot_bot.support.encrypt_secrets import CATEGORIES, MANIFEST, SECRET_FILES, fingerprint, key_file, keys_in
from tbot_bot.support.path_resolver import Paths

_NUMBER = re.compile(r"\d{8}")


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """Which key a category has, and since when (UTC)."""

    category: str
    made_at: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a generation's manifest says. `dual`: the middle of a rotation, holding old keys beside the new.
    `condemns`: the keys of all earlier generations were lost or compromised, so none of them is to be kept."""

    number: int
    created_at: datetime
    keys: tuple[KeyFacts, ...]
    dual: bool
    condemns: bool


def current_number(paths: Paths) -> int | None:
    """The generation in use; None when nothing was ever provisioned."""
    try:
        name = os.readlink(paths.current_generation)
    except FileNotFoundError:
        return None
    last = Path(name).name
    return int(last) if _NUMBER.fullmatch(last) else None


def folder_of(paths: Paths, number: int) -> Path:
    return paths.generations / f"{number:08d}"


def staging_of(paths: Paths, number: int) -> Path:
    return paths.generations / f".{number:08d}.staging"


def next_number(paths: Paths) -> int:
    """One more than any generation that exists or is in use."""
    return max([current_number(paths) or 0, *numbers(paths)]) + 1


def numbers(paths: Paths) -> tuple[int, ...]:
    """The generations that exist, the oldest first."""
    if not paths.generations.is_dir():
        return ()
    return tuple(sorted(int(path.name) for path in paths.generations.iterdir() if _NUMBER.fullmatch(path.name)))


def open_staging(paths: Paths, number: int) -> Path:
    """An empty staging folder; whatever an interrupted attempt left there is dropped."""
    staging = staging_of(paths, number)
    _drop(staging)
    ensure_folder(paths.generations)
    # Not synced: sealing does that, and what a power cut takes before is dropped anyway.
    for folder in (staging, staging / "keys", staging / "secrets"):
        make_folder(folder)
    return staging


def is_sealed(paths: Paths, number: int) -> bool:
    """Whether generation `number` was staged completely and is intact."""
    folder = folder_of(paths, number)
    return folder.is_dir() and not faults_of(folder)


def manifest_checksum(paths: Paths, number: int) -> str:
    """sha256 of the generation's manifest, "" before it is sealed; the manifest holds those of all files."""
    path = folder_of(paths, number) / MANIFEST
    return _sha256(path) if path.is_file() else ""


def seal_generation(paths: Paths, number: int, clock: Clock, *, dual: bool = False, condemns: bool = False) -> None:
    """Write the manifest, make everything durable, and give the staged folder its name."""
    staging = staging_of(paths, number)
    files = {
        str(path.relative_to(staging)): {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for path in sorted(staging.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    now = clock.now().isoformat()
    manifest = {"version": 2, "number": number, "created_at": now, "files": files, "dual": dual, "condemns": condemns}
    manifest["keys"] = _keys_of(paths, staging, now)
    manifest["mac"] = _mac(manifest, staging / "keys")
    write_new(staging / MANIFEST, json_line(manifest))
    for folder in (staging / "keys", staging / "secrets", staging):
        sync_folder(folder)
    staging.rename(folder_of(paths, number))
    sync_folder(paths.generations)


def read_facts(paths: Paths, number: int) -> Facts:
    """What the manifest of generation `number` says. Raises SecretUnavailable when it is missing or damaged."""
    try:
        row = json.loads((folder_of(paths, number) / MANIFEST).read_bytes())
        created_at = str(row["created_at"])
        # Manifests of the first release name no keys: all were made with the first generation that is known.
        known: Mapping[str, Any] = row.get("keys") or _fingerprints(folder_of(paths, number))
        keys = tuple(
            KeyFacts(category, str(known[category].get("made_at", created_at)), str(known[category]["fingerprint"]))
            for category in CATEGORIES
            if category in known
        )
        return Facts(
            number, datetime.fromisoformat(created_at), keys, row.get("dual") is True, row.get("condemns") is True
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SecretUnavailable(
            f"{MANIFEST} of generation {number} is missing or damaged; restore it from a backup"
        ) from error


def activate(paths: Paths, number: int) -> None:
    """Switch to generation `number`; the links beside it are made on first use. Done twice is done once."""
    _link(paths.current_generation, Path("gen") / f"{number:08d}")
    _link(paths.keys, Path("current") / "keys")
    _link(paths.secrets, Path("current") / "secrets")
    sync_folder(paths.storage)
    through = paths.secrets.relative_to(paths.root) / SECRET_FILES["env_enc"]
    if _link(paths.env_enc, through):
        sync_folder(paths.root)


def deactivate(paths: Paths, previous: int | None) -> None:
    """Back to generation `previous`, or to no generation at all."""
    if previous is not None:
        activate(paths, previous)
        return
    for link in (paths.current_generation, paths.keys, paths.secrets, paths.env_enc):
        if link.is_symlink():
            link.unlink()
    for folder in (paths.storage, paths.root):
        sync_folder(folder)


def remove(paths: Paths, number: int) -> None:
    """Drop generation `number`, staged or complete; never the one in use."""
    _drop(staging_of(paths, number))
    if number != current_number(paths):
        _drop(folder_of(paths, number))


def faults_of(folder: Path, keys: Path | None = None) -> tuple[str, ...]:
    """How the files differ from the manifest, in sentences. `keys`: where the keys are, if not in the generation.

    Who uses the keys and does not own them looks at what it may read: the login keys, and with them the manifest's
    signature, are the runner's to check."""
    try:
        data = (folder / MANIFEST).read_bytes()
        manifest = json.loads(data)
        listed = {str(name): str(entry["sha256"]) for name, entry in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return (f"{MANIFEST} of generation {folder.name} is missing or damaged",)
    faults = []
    closed = False
    for name, checksum in listed.items():
        path = keys / Path(name).name if keys is not None and name.startswith("keys/") else folder / name
        if _closed_to_us(path):
            closed = True
        elif not path.is_file() or path.is_symlink():
            faults.append(f"{name} is missing from generation {folder.name}. {way_back(name)}")
        elif _sha256(path) != checksum:
            faults.append(f"{name} is not as it was written (generation {folder.name}). {way_back(name)}")
    extra = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    faults += [f"{name} does not belong to generation {folder.name}" for name in sorted(extra - {*listed, MANIFEST})]
    if not faults and not closed and not _genuine(data, manifest, keys or folder / "keys"):
        faults.append(f"{MANIFEST} of generation {folder.name} is not as it was written; restore it from a backup")
    return tuple(faults)


def _closed_to_us(path: Path) -> bool:
    """Whether the file is another user's, who keeps it to himself."""
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_uid != os.geteuid() and not os.access(path, os.R_OK)


def _genuine(data: bytes, manifest: dict[str, Any], keys: Path) -> bool:
    """Whether the manifest is byte for byte what was written beside these keys. The first release signed none."""
    if manifest.get("version") == 1 and "mac" not in manifest:
        return True
    mac = manifest.pop("mac", None)
    try:
        same = isinstance(mac, str) and hmac.compare_digest(mac.encode(), _mac(manifest, keys).encode())
        return same and json_line({**manifest, "mac": mac}) == data
    except ValueError:
        return False


def _mac(manifest: Mapping[str, Any], keys: Path) -> str:
    """HMAC-SHA256 of the rest of the manifest, by all of the generation's keys."""
    secret = hashlib.sha256(b"tbot-generation-manifest")
    for name in sorted(manifest["files"]):
        if name.startswith("keys/"):
            secret.update((keys / Path(name).name).read_bytes() + b"\n")
    return hmac.new(secret.digest(), json_line(manifest), hashlib.sha256).hexdigest()


def _link(link: Path, target: Path) -> bool:
    """Whether the link had to be made; the caller makes it durable."""
    if link.is_symlink() and Path(os.readlink(link)) == target:
        return False
    temp = link.with_name(f".{link.name}.{secrets.token_hex(6)}.tmp")
    temp.symlink_to(target)
    temp.rename(link)
    return True


def _keys_of(paths: Paths, staging: Path, now: str) -> dict[str, dict[str, str]]:
    """The manifest's word on the keys: a key that the generation in use has too keeps the time it was made at."""
    number = current_number(paths)
    try:
        before = {} if number is None else {key.fingerprint: key.made_at for key in read_facts(paths, number).keys}
    except SecretUnavailable:
        before = {}
    return {
        category: {"made_at": before.get(facts["fingerprint"], now), "fingerprint": facts["fingerprint"]}
        for category, facts in _fingerprints(staging).items()
    }


def _fingerprints(folder: Path) -> dict[str, dict[str, str]]:
    """The newest key of each category whose key file is there."""
    found = {}
    for category in CATEGORIES:
        path = folder / "keys" / key_file(category)
        keys = keys_in(path.read_bytes()) if path.is_file() else ()
        if keys:
            found[category] = {"fingerprint": fingerprint(keys[0])}
    return found


def _drop(folder: Path) -> None:
    """Remove a generation under another name first, so that a crash leaves no half one with a real name."""
    if not folder.exists():
        return
    if not _NUMBER.fullmatch(folder.name):
        shutil.rmtree(folder)
        return
    doomed = folder.with_name(f".doomed.{secrets.token_hex(6)}")
    folder.rename(doomed)
    sync_folder(folder.parent)
    shutil.rmtree(doomed)


def sweep(paths: Paths) -> None:
    """Finish removals that a crash interrupted."""
    if paths.generations.is_dir():
        for path in paths.generations.glob(".doomed.*"):
            shutil.rmtree(path)


def drop_staged(paths: Paths) -> None:
    """After a restart: nothing goes on from what was staged and not sealed, nor from a removal half done."""
    sweep(paths)
    if paths.generations.is_dir():
        for path in paths.generations.glob(".*.staging"):
            shutil.rmtree(path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
