"""The session's round trips as a file for people and spreadsheets, in LOG_FORMAT."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path

from tbot_bot.domain.books import RoundTrip
from tbot_bot.domain.settings import LogFormat
from tbot_bot.support.atomic_file import ensure_folder, write_bytes
from tbot_bot.support.path_resolver import Paths

COLUMNS = tuple(field.name for field in fields(RoundTrip))


def plain(value: object) -> str | None:
    """A value as reports write it: exact decimals, ISO times, an enum's word; None stays None."""
    if value is None:
        return None
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def trade_row(trade: RoundTrip) -> dict[str, str | None]:
    """One round trip by column, every value as text."""
    return {name: plain(getattr(trade, name)) for name in COLUMNS}


def render(trades: Sequence[RoundTrip], log_format: LogFormat) -> bytes:
    """JSON lines, or CSV with a header (RFC 4180; nothing = an empty cell)."""
    rows = [trade_row(trade) for trade in trades]
    if log_format is LogFormat.JSON:
        return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def write(paths: Paths, session: date, trades: Sequence[RoundTrip], log_format: LogFormat) -> Path:
    """Replace the session's trade history by `trades`; returns its path (trades.jsonl or trades.csv)."""
    name = "trades.jsonl" if log_format is LogFormat.JSON else "trades.csv"
    path = paths.session_folder(session) / name
    ensure_folder(path.parent)
    write_bytes(path, render(trades, log_format))
    return path


def _cell(value: str | None) -> str:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe, numbers stay."""
    if value is None:
        return ""
    if value[:1] in {"=", "+", "@", "\t", "\r"} or (value[:1] == "-" and not _is_number(value)):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdigit()
