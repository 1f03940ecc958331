"""A backup's manifest: what is in it, and from which moment; signed, so that nothing else is ever extracted."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tbot_bot.domain.errors import BackupRefused

MANIFEST = "MANIFEST.json"
VERSION = 1
MOST_FILES = 20_000
LARGEST_FILE = 8 * 1024**3 - 1
"""A USTAR header's limit."""
LARGEST_TOTAL = 64 * 1024**3
PARTS: Mapping[str, str] = {
    "settings": "Settings, credentials and keys",
    "users": "Users",
    "ledger": "Ledger",
    "records": "Order journals, session reports, alerts, universe",
    "audit": "Audit log",
}
"""Part, the first folder of a name, → its title. `recovery` is there to be looked at, never restored."""

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,60}(/[A-Za-z0-9._@-]{1,60}){1,3}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular file: `name` is relative, of plain characters, and begins with its part."""

    name: str
    size: int
    sha256: str

    @property
    def part(self) -> str:
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where the append-only records ended: (number, digest) of the last audit record and of the last ledger entry."""

    audit_seq: int
    audit_hash: str
    ledger_entries: int
    ledger_digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`made_at`: UTC. `tbot`: version of the maker. `recipient`: the recovery key it was made for."""

    bot: str
    tbot: str
    made_at: datetime
    generation: int
    recipient: str
    anchors: Anchors
    files: tuple[Entry, ...]

    def of(self, part: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.files if entry.part == part)


def encode(manifest: Manifest, mac_key: bytes) -> bytes:
    body = {**asdict(manifest), "version": VERSION, "made_at": manifest.made_at.isoformat()}
    return _canonical({**body, "mac": _mac(body, mac_key)})


def decode(data: bytes, mac_key: bytes) -> Manifest:
    """Raises BackupRefused unless `data` is, byte for byte, what `encode` wrote with this key."""
    try:
        row = json.loads(data)
        mac = row.pop("mac")
        if _canonical({**row, "mac": mac}) != data or not hmac.compare_digest(str(mac), _mac(row, mac_key)):
            raise BackupRefused("The manifest's signature is wrong: this backup was not made by tbot for this key.")
        if row["version"] != VERSION:
            raise BackupRefused(f"The backup has format {row['version']}; this release reads {VERSION}.")
        return _checked(_manifest(row))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BackupRefused("The manifest is damaged; this is no backup of tbot.") from error


def name_is_plain(name: str) -> bool:
    """Whether `name` can be a member: below a known part, nowhere else."""
    plain = _NAME.fullmatch(name) is not None and len(name) <= _LONGEST_NAME
    parts = name.split("/")
    return plain and parts[0] in {*PARTS, "recovery"} and not {".", ".."} & set(parts)


def _manifest(row: Mapping[str, Any]) -> Manifest:
    return Manifest(
        bot=str(row["bot"]),
        tbot=str(row["tbot"]),
        made_at=datetime.fromisoformat(row["made_at"]),
        generation=int(row["generation"]),
        recipient=str(row["recipient"]),
        anchors=Anchors(**row["anchors"]),
        files=tuple(Entry(str(one["name"]), int(one["size"]), str(one["sha256"])) for one in row["files"]),
    )


def _checked(manifest: Manifest) -> Manifest:
    """Signed or not, a manifest can only name what a backup can hold."""
    names = [entry.name for entry in manifest.files]
    sizes = [entry.size for entry in manifest.files]
    if len(names) > MOST_FILES or len(set(names)) != len(names) or not all(map(name_is_plain, names)):
        raise BackupRefused("The manifest names files that no backup of tbot holds.")
    if not all(0 <= size <= LARGEST_FILE for size in sizes) or sum(sizes) > LARGEST_TOTAL:
        raise BackupRefused("The manifest names sizes that no backup of tbot has.")
    if not all(_SHA256.fullmatch(entry.sha256) for entry in manifest.files):
        raise BackupRefused("The manifest is damaged; this is no backup of tbot.")
    return manifest


def _mac(body: Mapping[str, Any], mac_key: bytes) -> str:
    return hmac.new(mac_key, _canonical(body), hashlib.sha256).hexdigest()


def _canonical(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode()
