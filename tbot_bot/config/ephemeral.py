"""Keys from outside, for deployments whose disk must hold none: the sealed export, and filling the folder in memory.

Such a deployment uses what another installation made: it has that one's secrets and its own `TBOT_KEYS_DIR`. Whatever
would make or change keys is refused there, for it would have to be written to the disk."""

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyrage
from cryptography.fernet import Fernet

from tbot_bot.config.access import Access
from tbot_bot.config.desk_kind import Kind, Kinds, Lane, Outcome, done, fault, name_of, refused, text_of
from tbot_bot.config.generations import current_number
from tbot_bot.config.security_users import User
from tbot_bot.domain.errors import NotProvisioned, SecretUnavailable
from tbot_bot.ports.books import AuditLog
from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.decrypt_secrets import GenerationFolder, check_outside_key, with_generation
from tbot_bot.support.encrypt_secrets import CATEGORIES, MANIFEST, key_file
from tbot_bot.support.envelope import Reply, Request
from tbot_bot.support.hygiene import in_memory_only
from tbot_bot.support.key_use import used
from tbot_bot.support.path_resolver import KEYS_VARIABLE, Paths

CREDENTIAL, IDENTITY_CREDENTIAL = "tbot-keys", "tbot-keys-identity"
"""What the systemd credentials are called that hold the bundle and the identity it is sealed to."""

_AGE = b"age-encryption.org/"
_LARGEST = 64 * 1024
_FROZEN = frozenset({"provision", "rotate", "compromised", "destroy_old", "restore"})

Bundle = Mapping[str, bytes]
"""Category → the content of its key file."""


class EphemeralDesk:
    """`export_keys`: the keys in use, sealed to an age recipient, for a deployment that holds none."""

    def __init__(self, access: Access, audit: AuditLog) -> None:
        self._access = access
        self._audit = audit

    def kinds(self) -> Kinds:
        return {"export_keys": Kind(self._export, Lane.WORK)}

    def _export(self, request: Request, user: User | None) -> Outcome:
        paths = self._access.paths
        recipient = text_of(request, "recipient").strip()
        try:
            to = pyrage.x25519.Recipient.from_str(recipient)
        except pyrage.RecipientError:
            wrong = (fault("recipient", "must be an age public key, such as age1…"),)
            return Outcome(refused("invalid", "The recipient is no age public key. Nothing was written.", wrong))
        number = current_number(paths)
        file = paths.exports / f"keys-{number or 0:08d}.age"
        detail = {"generation": number, "recipient": recipient, "file": file.name, "ip": request.ip}
        self._audit.record("keys_exported", name_of(user), detail)
        ensure_folder(paths.exports)
        with used("export", "encrypt", "export of the keys"):
            write_bytes(file, pyrage.encrypt(pack(number or 0, with_generation(paths, _bundle, "export")), [to]))
        return done(body={"file": str(file.relative_to(paths.root))})


def frozen(paths: Paths, kind: str) -> Reply | None:
    """Why a request of `kind` cannot be done where the keys come from outside; None when it can."""
    if kind not in _FROZEN or paths.keys_outside is None:
        return None
    return refused(
        "keys_outside",
        f"This installation's keys come from outside ({KEYS_VARIABLE}) and nothing that changes them is kept here. "
        "Do this on the installation that the keys were exported from, export them again, and deploy the result.",
    )


def pack(number: int, keys: Bundle) -> bytes:
    """The keys of generation `number` as one file's content; to be sealed."""
    rows = {category: data.decode("ascii") for category, data in keys.items()}
    return json.dumps({"version": 1, "generation": number, "keys": rows}).encode()


@dataclass(frozen=True, slots=True)
class Source:
    """`bundle`: a file (packed keys, sealed or in the clear) or a folder of `<category>.key` files. `identity`: the
    file with the age identity that the bundle is sealed to."""

    bundle: Path
    identity: Path | None = None


def fill(paths: Paths, source: Source, *, allow_disk: bool = False) -> int:
    """Put the keys of `source` into `TBOT_KEYS_DIR`; how many files had to be written, 0 when all were there.

    Raises SecretUnavailable, saying what to do, before anything is written: a key that is missing, is none, or is not
    the one of the generation in use; a source that others can read; a target that is on a disk."""
    target = paths.keys_outside
    if target is None:
        raise SecretUnavailable(f"{KEYS_VARIABLE} names no folder to fill: set it to a folder in a tmpfs")
    keys = _whole(_load(source))
    _compare(paths, keys)
    if not allow_disk and not in_memory_only(target):
        raise SecretUnavailable(f"{target} is not in memory: mount a tmpfs there, or allow the disk with --allow-disk")
    ensure_folder(target)
    target.chmod(0o700)
    written = 0
    for category, data in keys.items():
        path = target / key_file(category)
        if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
            write_bytes(path, data)
            written += 1
    return written


def _bundle(folder: GenerationFolder) -> Bundle:
    return {category: folder.key_data(category) for category in CATEGORIES}


def _load(source: Source) -> Bundle:
    if source.bundle.is_dir():
        files = {category: source.bundle / key_file(category) for category in CATEGORIES}
        return {category: _private(path) for category, path in files.items() if path.exists()}
    data = _read(source.bundle)
    data = _opened(data, source) if data.startswith(_AGE) else _private(source.bundle)
    try:
        rows = json.loads(data)["keys"]
        return {str(category): str(text).encode("ascii") for category, text in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SecretUnavailable(f"{source.bundle.name} holds no exported keys: export them again") from None


def _opened(data: bytes, source: Source) -> bytes:
    if source.identity is None:
        raise SecretUnavailable(f"{source.bundle.name} is sealed: name the file with its age identity (--identity)")
    lines = _private(source.identity).decode("ascii", "replace").splitlines()
    text = next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")
    try:
        with used("export", "decrypt", "keys from outside"):
            return bytes(pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(text)]))
    except pyrage.IdentityError:
        raise SecretUnavailable(f"{source.identity.name} holds no age identity (AGE-SECRET-KEY-1…)") from None
    except pyrage.DecryptError as error:
        raise SecretUnavailable(
            f"{source.bundle.name} does not open with the identity given: it is damaged, or sealed to another one"
        ) from error


def _private(path: Path) -> bytes:
    """The content of a file that no one else can read, or that never was on a disk, as container secrets are."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise SecretUnavailable(f"{path} cannot be read: {error.strerror}") from error
    if mode & 0o077 and not in_memory_only(path.parent):
        raise SecretUnavailable(f"{path} can be read by others (mode {mode:o}): take that away with chmod go=")
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise SecretUnavailable(f"{path} cannot be read: {error.strerror}") from error


def _whole(keys: Bundle) -> dict[str, bytes]:
    """Every category's key file as the runner writes it; a hand-made one may end in a newline."""
    found = {}
    for category in CATEGORIES:
        lines = keys.get(category, b"").split()
        if not lines:
            raise SecretUnavailable(f"the key of {category} is missing from what was given: export the keys again")
        for line in lines:
            try:
                Fernet(line)
            except ValueError:
                raise SecretUnavailable(f"what was given as the key of {category} is none: export again") from None
        found[category] = b"\n".join(lines)
    return found


def _compare(paths: Paths, keys: Bundle) -> None:
    """Each key against the generation in use, so that a wrong set is told by category before it is put in place."""
    try:
        manifest = json.loads((paths.current_generation / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise NotProvisioned("there are no secrets yet that these keys could open: bring the root first") from None
    except ValueError as error:
        raise SecretUnavailable(f"{MANIFEST} of the current generation is damaged; bring the root again") from error
    for category, data in keys.items():
        check_outside_key(category, data, manifest)
