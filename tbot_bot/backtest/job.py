"""What a backtest is asked to do: a small JSON file, parsed once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.money import parse_decimal

MOST_BYTES = 64 * 1024
DEFAULT_EQUITY = Decimal(100_000)
_STAMP = frozenset({"id", "by", "at"})
"""What the runner adds: which request, whose, when."""
_KEYS = frozenset({"first", "last", "file", "equity", "seed"}) | _STAMP


@dataclass(frozen=True, slots=True)
class Job:
    """Trade the sessions from `first` to `last` (both included) on the bars of `file`.

    `equity`: opening cash, USD. `seed`: of the randomised slippage."""

    first: date
    last: date
    file: Path
    equity: Decimal = DEFAULT_EQUITY
    seed: int = 7


def read_job(path: Path, root: Path, today: date) -> Job:
    """The job in `path`; a relative `file` is below `root`. Raises DataInvalid, naming the key and what is wrong."""
    try:
        with path.open("rb") as file:
            values = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError) as error:
        raise DataInvalid(f"the job {path.name} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise DataInvalid(f"the job {path.name} must be an object with first, last and file")
    unknown = sorted(values.keys() - _KEYS)
    if unknown:
        raise DataInvalid(
            f"the job {path.name} has unknown keys: {', '.join(unknown)}; known: {', '.join(sorted(_KEYS - _STAMP))}"
        )
    first, last = _day(values, "first"), _day(values, "last")
    if not first <= last < today:
        raise DataInvalid(f"first {first} must not be after last {last}, and last must be before today, {today}")
    name = values.get("file")
    if not isinstance(name, str) or not name or "\0" in name:
        raise DataInvalid("file must name a Parquet file of minute bars")
    return Job(first, last, root / name, _equity(values), _seed(values))


def _day(values: Mapping[str, Any], key: str) -> date:
    try:
        return date.fromisoformat(values[key])
    except (KeyError, TypeError, ValueError) as error:
        raise DataInvalid(f"{key} must be a date like 2025-03-10, not {values.get(key)!r}") from error


def _equity(values: Mapping[str, Any]) -> Decimal:
    equity = parse_decimal(values.get("equity", DEFAULT_EQUITY))
    if equity is None or not 0 < equity <= 10**9:
        raise DataInvalid(f"equity must be above 0 and at most 1000000000 USD, not {values.get('equity')!r}")
    return equity


def _seed(values: Mapping[str, Any]) -> int:
    seed = values.get("seed", 7)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise DataInvalid(f"seed must be a whole number, not {seed!r}")
    return seed
