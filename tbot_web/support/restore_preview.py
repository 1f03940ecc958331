"""What a restore would change, as the runner told it once; the page carries it along until the restore is confirmed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tbot_web.support.ask import rows, texts
from tbot_web.support.utils_web import plain

MOST_CHANGES = 200
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a backup. `present`: whether the backup holds it; `more`: changes that are not listed."""

    part: str
    title: str
    present: bool
    changes: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """`preview` is the runner's name for it."""

    preview: str
    made_at: str
    version: str
    bot: str
    parts: tuple[Part, ...]
    warnings: tuple[str, ...]

    def to_text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def read_preview(body: Mapping[str, Any]) -> Preview:
    return Preview(
        preview=plain(body.get("preview")),
        made_at=plain(body.get("made_at")),
        version=str(body.get("version", "")),
        bot=plain(body.get("bot")),
        parts=tuple(_part(row) for row in rows(body, "parts")),
        warnings=tuple(texts(body, "warnings")),
    )


def carried(text: str) -> Preview | None:
    """The preview that a form brings back. It only fills the page again: what is restored the runner knows itself."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read_preview(body) if isinstance(body, dict) and plain(body.get("preview")) else None


def _part(row: Mapping[str, Any]) -> Part:
    changes = texts(row, "changes")
    hidden = row.get("more")
    return Part(
        part=plain(row.get("part")),
        title=plain(row.get("title")) or plain(row.get("part")),
        present=row.get("present") is True,
        changes=tuple(words[:_LONGEST] for words in changes[:MOST_CHANGES]),
        more=hidden if isinstance(hidden, int) else max(0, len(changes) - MOST_CHANGES),
    )
