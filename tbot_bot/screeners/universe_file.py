"""The cached universe on disk: JSON with schema and checksum, so that a damaged or old one is never traded on.

Shape: {"checksum": sha256 of the canonical body, "body": {"schema", "counts", "reasons", "universe": {…}}}.
"""

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tbot_bot.domain.errors import DataInvalid, UniverseUnusable
from tbot_bot.screeners.universe import Universe
from tbot_bot.support.atomic_file import ensure_folder, write_json
from tbot_bot.support.codec import from_json, to_json

SCHEMA = 1
_MAX_BYTES = 200_000_000
_AHEAD = timedelta(minutes=5)
_AGAIN = "build it again"


def write(path: Path, universe: Universe) -> None:
    """Replace the cached universe, whole or not at all. Raises UniverseUnusable for an empty one: the old stays."""
    if not universe.listings:
        raise UniverseUnusable(_empty_words(universe))
    body = {
        "schema": SCHEMA,
        "counts": dict(universe.counts),
        "reasons": dict(universe.reasons),
        "universe": to_json(universe),
    }
    ensure_folder(path.parent, 0o755)
    write_json(path, {"checksum": _checksum(body), "body": body}, 0o644)


def load(path: Path, now: datetime, max_age: timedelta) -> Universe:
    """The cached universe. `now` is market time, as `built_at` is. Raises UniverseUnusable, saying what is wrong."""
    universe = read(path)
    age = now - universe.built_at
    if age > max_age:
        raise UniverseUnusable(f"the symbol universe is stale: built {universe.built_at:%Y-%m-%d %H:%M} UTC; {_AGAIN}")
    if age < -_AHEAD:
        raise UniverseUnusable(f"the symbol universe is of another market: it is {-age} ahead of this one; {_AGAIN}")
    return universe


def read(path: Path) -> Universe:
    """The cached universe of whatever age, to be shown, not traded on. Raises UniverseUnusable."""
    universe = _parsed(_body(path))
    if not universe.listings:
        raise UniverseUnusable(_empty_words(universe))
    return universe


def _body(path: Path) -> dict[str, Any]:
    """The checked body of the file."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UniverseUnusable(f"the symbol universe is too large to be one of ours; {_AGAIN}")
        whole = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UniverseUnusable("there is no symbol universe yet; build it from the web page") from error
    except (OSError, ValueError) as error:
        raise UniverseUnusable(f"the symbol universe cannot be read ({error}); {_AGAIN}") from error
    body = whole.get("body") if isinstance(whole, dict) else None
    if not isinstance(body, dict) or whole.get("checksum") != _checksum(body):
        raise UniverseUnusable(f"the symbol universe does not match its checksum: it is damaged; {_AGAIN}")
    if body.get("schema") != SCHEMA:
        raise UniverseUnusable(f"the symbol universe has schema {body.get('schema')}, this is {SCHEMA}; {_AGAIN}")
    return body


def _parsed(body: dict[str, Any]) -> Universe:
    row = body.get("universe")
    if not isinstance(row, dict):
        raise UniverseUnusable(f"the symbol universe cannot be read: it holds none; {_AGAIN}")
    try:
        return from_json(Universe, row)
    except DataInvalid as error:
        raise UniverseUnusable(f"the symbol universe cannot be read ({error}); {_AGAIN}") from error


def _checksum(body: dict[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _empty_words(universe: Universe) -> str:
    refused = ", ".join(f"{rule} {count}" for rule, count in list(universe.reasons.items())[:4]) or "nothing was listed"
    return f"the symbol universe is empty: of {universe.listed} listed none was kept ({refused}); widen the filters"
