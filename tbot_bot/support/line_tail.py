"""A line log from its end: for what only the newest rows say, whatever the file has grown to."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_BLOCK = 8_192
LONGEST_LINE = 65_536
"""Bytes; a longer line is no row of ours and is passed over, so that a damaged file fills no memory."""


def newest_first(path: Path) -> Iterator[dict[str, Any]]:
    """The complete JSON objects of a line log, the newest first; nothing when there is no file.

    Lines that are torn, damaged or too long are left out. Raises OSError when the file cannot be read."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in _lines_from_the_end(file):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value


def _lines_from_the_end(file: BinaryIO) -> Iterator[bytes]:
    """`rest` is the beginning of the line in hand, as far as it was read; too long, only its length still counts."""
    place, rest = file.seek(0, 2), b""
    while place:
        size = min(_BLOCK, place)
        place -= size
        file.seek(place)
        first, *lines = file.read(size).split(b"\n")
        if lines:
            last = lines.pop() + rest
            if len(last) <= LONGEST_LINE:
                yield last
            yield from reversed(lines)
            rest = first
        else:
            rest = (first + rest)[: LONGEST_LINE + 1]
    if len(rest) <= LONGEST_LINE:
        yield rest
