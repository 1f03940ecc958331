"""Minute bars from a Parquet file, checked row by row and cut into regular sessions."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.market import Bar, Symbol
from tbot_bot.domain.money import from_ticks, parse_decimal, to_ticks
from tbot_bot.domain.session import SessionHours

MINUTE = timedelta(minutes=1)
COLUMNS = ("symbol", "ts_utc", "open", "high", "low", "close", "volume")
_MOST_FAULTS = 5


@dataclass(frozen=True, slots=True)
class SessionBars:
    """One session's bars by start of minute and symbol; bars outside the regular hours are not in it."""

    hours: SessionHours
    minutes: Mapping[datetime, Mapping[Symbol, Bar]]


@dataclass(frozen=True, slots=True)
class History:
    """`sessions` in order, those without bars left out. `left_out`: rows outside regular hours.

    `fingerprint`: SHA-256 of the file."""

    sessions: tuple[SessionBars, ...]
    left_out: int
    fingerprint: str


def read_history(path: Path, sessions: Sequence[SessionHours]) -> History:
    """The bars of `sessions` in `path`. Raises DataInvalid, naming the column or the first rows that are wrong.

    Columns: symbol (text), ts_utc (timestamp with zone, the START of the minute), open, high, low, close (USD), volume
    (shares, whole). Prices are rounded to 1/10000 USD."""
    table = _read(path)
    by_day = {hours.day: hours for hours in sessions}
    minutes: dict[date, dict[datetime, dict[Symbol, Bar]]] = defaultdict(lambda: defaultdict(dict))
    faults: list[str] = []
    left_out = 0
    for number, row in enumerate(_rows(table), 1):
        bar = _bar(row)
        if isinstance(bar, str):
            faults.append(f"row {number}: {bar}")
            if len(faults) == _MOST_FAULTS:
                break
            continue
        hours = by_day.get(bar.start.date())
        if hours is None or not hours.open <= bar.start < hours.close:
            left_out += 1
            continue
        minute = minutes[hours.day][bar.start]
        if bar.symbol in minute:
            faults.append(f"row {number}: {bar.symbol} has a second bar at {bar.start:%Y-%m-%d %H:%M} UTC")
        minute[bar.symbol] = bar
    if faults:
        raise DataInvalid(f"{path.name}: " + "; ".join(faults[:_MOST_FAULTS]))
    _check_spacing(path, minutes)
    found = tuple(SessionBars(by_day[day], dict(sorted(minutes[day].items()))) for day in sorted(minutes))
    with path.open("rb") as file:
        return History(found, left_out, hashlib.file_digest(file, "sha256").hexdigest())


def _read(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataInvalid(f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataInvalid(f"{path.name} lacks the columns {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    kind = table.schema.field("ts_utc").type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise DataInvalid(f"{path.name}: ts_utc must be a timestamp with a zone (UTC), not {kind}")
    return table.select(list(COLUMNS))


def _rows(table: pa.Table) -> Any:
    """Rows as tuples in the file's order, a batch at a time."""
    for batch in table.to_batches(max_chunksize=65_536):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _bar(row: tuple[Any, ...]) -> Bar | str:
    """The row as a bar, or what is wrong with it."""
    symbol, start, *prices, volume = row
    if not isinstance(symbol, str) or not symbol:
        return "the symbol is missing"
    if not isinstance(start, datetime):
        return f"{symbol} has no time"
    start = start.astimezone(UTC)
    if start.second or start.microsecond:
        return f"{symbol} at {start.isoformat()} does not start on a minute"
    if not all(isinstance(p, int | float) and math.isfinite(p) and p > 0 for p in prices):
        return f"{symbol} at {start:%Y-%m-%d %H:%M} has a price that is missing, not finite or not above 0"
    opened, high, low, close = prices
    if not low <= min(opened, close) <= max(opened, close) <= high:
        return f"{symbol} at {start:%Y-%m-%d %H:%M} has open or close outside low and high"
    if not isinstance(volume, int | float) or not volume >= 0 or volume != int(volume):
        return f"{symbol} at {start:%Y-%m-%d %H:%M} has volume {volume}, which is no whole number of shares"
    ticks = [from_ticks(to_ticks(parse_decimal(price) or from_ticks(0))) for price in prices]
    return Bar(Symbol(symbol), start, ticks[0], ticks[1], ticks[2], ticks[3], int(volume))


def _check_spacing(path: Path, minutes: Mapping[date, Mapping[datetime, Mapping[Symbol, Bar]]]) -> None:
    """Five-minute bars would be taken for thin one-minute bars: at least one pair must be a minute apart."""
    starts = [start for day in minutes.values() for start in day]
    known = set(starts)
    if len(starts) > 1 and not any(start + MINUTE in known for start in starts):
        raise DataInvalid(f"{path.name}: no two bars are one minute apart; the backtest needs one-minute bars")
