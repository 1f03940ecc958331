"""A small recorded market as a Parquet file."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = tuple[str, datetime, float, float, float, float, int]
DAYS = (date(2025, 1, 6), date(2025, 1, 7), date(2025, 1, 8))


def opening(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)


def day_of(symbol: str, day: date, moves: dict[int, float], start: float = 50.0, minutes: int = 390) -> list[Row]:
    """A day of bars that wiggle by a cent; from minute k on, the price has moved by `moves[k]`."""
    rows, price = [], start
    for minute in range(minutes):
        before = price
        price = start + sum(move for k, move in moves.items() if k <= minute) + (0.01 if minute % 2 else 0.0)
        high, low = max(before, price) + 0.01, min(before, price) - 0.01
        rows.append((symbol, opening(day) + timedelta(minutes=minute), before, high, low, price, 10_000))
    return rows


def rally(symbol: str = "AAA") -> list[Row]:
    """Three days; on each the price breaks out after the analysis window and goes on rising."""
    return [row for day in DAYS for row in day_of(symbol, day, {22: 1.5, 27: 1.0, 35: 2.0})]


def write(path: Path, rows: Sequence[tuple[Any, ...]], **columns: Any) -> Path:
    """`columns` replace whole columns; None drops one."""
    names = ("symbol", "ts_utc", "open", "high", "low", "close", "volume")
    table: dict[str, Any] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    table["ts_utc"] = pa.array(table["ts_utc"], pa.timestamp("ms", tz="UTC"))
    table |= columns
    pq.write_table(pa.table({name: values for name, values in table.items() if values is not None}), path)
    return path
