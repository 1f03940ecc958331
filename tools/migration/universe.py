"""A symbol universe of another schema is put aside: it is built anew, and comes back when the upgrade is undone."""

import json
from dataclasses import replace
from pathlib import Path

from tbot_bot.screeners.universe_file import SCHEMA
from tbot_bot.support.atomic_file import sync_folder
from tbot_bot.support.path_resolver import Paths
from tools.migration.record import read_record, write_record


def put_aside(paths: Paths) -> bool:
    """Whether one had to make way."""
    schema = _schema_of(paths.universe)
    if schema is None or schema == SCHEMA:
        return False
    aside = paths.universe.with_name(f"{paths.universe.name}.schema-{schema}")
    write_record(paths, replace(read_record(paths), universe_from=aside.name))
    _rename(paths.universe, aside)
    return True


def bring_back(paths: Paths) -> None:
    """What was put aside, in place of whatever was built since, which an earlier release cannot read."""
    record = read_record(paths)
    aside = paths.universe.with_name(record.universe_from) if record.universe_from else None
    if aside is not None and aside.exists():
        _rename(aside, paths.universe)
    write_record(paths, replace(record, universe_from=""))


def _rename(source: Path, target: Path) -> None:
    source.rename(target)
    sync_folder(target.parent)


def _schema_of(path: Path) -> int | None:
    """None for a file that is missing or damaged: whoever reads it says so."""
    try:
        return int(json.loads(path.read_bytes())["body"]["schema"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
