"""What the state folder says about its layout: `layout.json` at its top."""

import json
from dataclasses import asdict, dataclass, replace

from tbot_bot.domain.errors import StateCorrupt
from tbot_bot.support.atomic_file import write_json
from tbot_bot.support.path_resolver import Paths


@dataclass(frozen=True, slots=True)
class Record:
    """`settings_from`, `settings_made`: the generation before the newest upgrade of the settings, and the one that it
    makes; 0 when there was none. `universe_from`: name of the universe that was put aside, "" when none was."""

    layout: int = 0
    settings_from: int = 0
    settings_made: int = 0
    universe_from: str = ""


def read_record(paths: Paths) -> Record:
    """Layout 0 when nothing was ever written down. Raises StateCorrupt."""
    path = paths.layout_record
    try:
        row = json.loads(path.read_bytes())
        return Record(**{name: type(value)(row[name]) for name, value in asdict(Record()).items()})
    except FileNotFoundError:
        return Record()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateCorrupt(f"{path} is damaged: restore it from a backup, or ask for help before you go on") from error


def write_record(paths: Paths, record: Record) -> None:
    write_json(paths.layout_record, asdict(record), 0o640)


def at_layout(paths: Paths, layout: int) -> None:
    write_record(paths, replace(read_record(paths), layout=layout))
