"""What a root holds, as plain facts that two roots can be compared by: the old state, the new one, or neither."""

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tbot_bot.backup.maker import verify
from tbot_bot.backup.recovery import backup_keys
from tbot_bot.config.config_encryption import read_stored
from tbot_bot.config.generations import current_number
from tbot_bot.domain.errors import NotProvisioned, StateCorrupt
from tbot_bot.support.atomic_file import read_lines
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.decrypt_secrets import GenerationFolder, with_generation
from tbot_bot.support.encrypt_secrets import SECRET_FILES
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.state_file import StateFile
from tools.faults.house import House

Facts = dict[str, Any]
_SIDES = ("-wal", "-shm", "-journal")
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - copies that are gone at once
KNOWN_LOGINS: Mapping[str, tuple[str, str]] = {
    "admin": ("admin", "canary old password of admin"),
    "admin, new password": ("admin", "canary new password of admin"),
    "ben": ("ben", "canary password of another"),
}
"""Who may log in with what, in one scenario or another."""


def look(house: House) -> Facts:
    """All facts of a started house. Logs in and out, so it is the last thing to be done to a root."""
    paths = house.paths
    return {
        **still_facts(paths),
        "problem": house.published("system").get("problem"),
        "logins": {name: _logs_in(house, *who) for name, who in KNOWN_LOGINS.items()},
    }


def still_facts(paths: Paths) -> Facts:
    """The facts that lie in files, read without starting anything. Raises TbotError when something cannot be opened."""
    return {
        "config": _config(paths),
        "secrets": _decrypted(paths),
        "keys": key_prints(paths),
        "generations": _generations(paths),
        "state": _state(paths),
        "recovery": _print(paths.recovery / "recovery.json"),
        "first audit key": sorted(path.name for path in paths.audit_log.parent.glob("first*")),
        "backups": _backups(paths),
        "ledger": _rows(paths.ledger_db, "entry"),
        "kept by a restore": _kept(paths),
    }


def relative(facts: Facts, base: Facts) -> Facts:
    """`facts` with keys told as same or other than `base`'s: a fresh key is different each time."""
    before = base["keys"]
    keys = {
        name: "absent" if not prints else "same" if prints == before.get(name) else f"other, {len(prints)} in the file"
        for name, prints in facts["keys"].items()
    }
    recovery = "none" if not facts["recovery"] else "same" if facts["recovery"] == base["recovery"] else "other"
    return {**facts, "keys": keys, "recovery": recovery}


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Where the two differ, in words."""
    return "; ".join(
        f"{name}: {found[name]} instead of {wanted[name]}" for name in wanted if found[name] != wanted[name]
    )


def key_prints(paths: Paths) -> dict[str, list[str]]:
    """Category → sha256 of each key in its file, the newest first."""
    if not paths.keys.is_dir():
        return {}
    return {
        path.stem: [hashlib.sha256(line).hexdigest()[:16] for line in path.read_bytes().split()]
        for path in sorted(paths.keys.glob("*.key"))
    }


def events_since(paths: Paths, seq: int) -> Counter[str]:
    """How often each event was recorded after record `seq`."""
    return Counter(str(row["event"]) for row in read_lines(paths.audit_log) if int(row["seq"]) > seq)


def last_seq(paths: Paths) -> int:
    rows = read_lines(paths.audit_log)
    return int(rows[-1]["seq"]) if rows else 0


def tree(root: Path, left_out: Iterable[str] = ()) -> dict[str, str]:
    """Every file, folder and link below `root` with mode and content; `left_out`: folders and files to skip."""
    skipped = tuple(left_out)
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            shown = str(path.relative_to(root))
            if not shown.startswith(skipped):
                found[shown] = _entry(path)
    return found


def _entry(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    mode = f"{path.stat().st_mode:o}"
    return mode if path.is_dir() else f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _config(paths: Paths) -> str:
    try:
        stored = read_stored(paths)
    except NotProvisioned:
        return "none"
    text = json.dumps([stored.env_bot, dict(stored.others)], sort_keys=True)
    minutes = stored.others["LOGIN_LOCKOUT_MINUTES"]
    return f"{minutes} minutes, {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _decrypted(paths: Paths) -> str:
    """How many secrets there are, each opened with its key."""

    def open_all(folder: GenerationFolder) -> int:
        return len([folder.decrypt(category) for category in SECRET_FILES])

    return "none" if current_number(paths) is None else f"{with_generation(paths, open_all)} opened"


def _generations(paths: Paths) -> int:
    """How many whole generations lie there."""
    return sum(1 for path in paths.generations.iterdir() if path.name.isdigit()) if paths.generations.is_dir() else 0


def _state(paths: Paths) -> str:
    try:
        return StateFile(paths, SystemClock()).read()
    except StateCorrupt as corrupt:
        return f"corrupt: {corrupt}"


def _backups(paths: Paths) -> str:
    """How many there are, each read through by the key of the drill."""
    names = [path for path in paths.backups.glob("*.age") if not path.name.startswith(".")]
    keys = backup_keys(paths) if names else None
    if keys is not None:
        for path in names:
            verify(path, keys.drill, keys.mac_key)
    return f"{len(names)} whole"


def _kept(paths: Paths) -> dict[str, str]:
    """What the first restore put aside: each file with how much is in it."""
    folders = sorted(paths.before_restore.iterdir()) if paths.before_restore.is_dir() else []
    files = [path for path in folders[0].rglob("*") if path.is_file()] if folders else []
    return {
        str(path.relative_to(folders[0])).removesuffix(".damaged"): _amount(path)
        for path in sorted(files)
        if not path.name.endswith(_SIDES)
    }


def _amount(path: Path) -> str:
    table = {"LEDGER.db": "entry", "SYSTEM_USERS.db": "users"}.get(path.name.removesuffix(".damaged"))
    return _rows(path, table) if table else f"{path.stat().st_size} bytes"


def _rows(database: Path, table: str) -> str:
    """How many rows are in it; asked of a copy, for a question too may change files."""
    if not database.is_file():
        return "none"
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        for side in ("", *_SIDES):
            if (log := database.with_name(database.name + side)).exists():
                shutil.copy(log, Path(folder) / f"copy.db{side}")
        try:
            with closing(sqlite3.connect(Path(folder) / "copy.db")) as db:
                return f"{db.execute(f'SELECT count(*) FROM {table}').fetchone()[0]} rows"  # noqa: S608 - our own names
        except sqlite3.Error as error:
            return f"damaged: {error}"


def _print(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else ""


def _logs_in(house: House, username: str, password: str) -> str:
    reply = house.ask("login", {"username": username, "password": password, "device": ""}, token="")
    if reply.ok:
        assert house.ask("logout", token=str(reply.body["token"])).ok
    return reply.code
