"""The backtest form's text as the runner's request takes it, or what is wrong with each field, all at once.

The runner and the worker check again; here it is so that a slip shows beside its field before anything is queued."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tbot_bot.domain.money import parse_decimal

NAMES = ("first", "last", "file", "equity", "seed")
MOST_EQUITY = 10**9
_SEED = re.compile(r"[0-9]{1,9}")
_NO_DAY = "A day such as 2025-03-10 is needed."
_NO_PATH = "The path is below the root folder: no leading / and no .. in it."


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """`body` is what the runner is asked; an optional field left empty is not in it. `faults` by field name."""

    body: Mapping[str, Any]
    faults: Mapping[str, str] = field(default_factory=dict)


def read_request(typed: Mapping[str, str], today: date) -> BacktestRequest:
    """`today` in UTC: a backtest ends before it."""
    text = {name: typed.get(name, "").strip() for name in NAMES}
    body: dict[str, Any] = {"file": text["file"]}
    faults = _days(text, today, body)
    if not text["file"]:
        faults["file"] = "Name a Parquet file of minute bars below the root folder."
    elif text["file"].startswith("/") or ".." in text["file"].split("/"):
        faults["file"] = _NO_PATH
    if text["equity"]:
        equity = parse_decimal(text["equity"])
        body["equity"] = text["equity"]
        if equity is None or not 0 < equity <= MOST_EQUITY:
            faults["equity"] = f"A sum above 0 and at most {MOST_EQUITY} USD, without separators."
    if _SEED.fullmatch(text["seed"]):
        body["seed"] = int(text["seed"])
    elif text["seed"]:
        faults["seed"] = "A whole number of at most nine digits."
    return BacktestRequest(body, faults)


def _days(text: Mapping[str, str], today: date, body: dict[str, Any]) -> dict[str, str]:
    faults = {}
    found = {name: _day(text[name]) for name in ("first", "last")}
    for name, day in found.items():
        if day is None:
            faults[name] = _NO_DAY
        else:
            body[name] = day.isoformat()
    first, last = found["first"], found["last"]
    if first and last and first > last:
        faults["last"] = "Must not lie before the first day."
    elif last and last >= today:
        faults["last"] = f"Must lie before today, {today} (UTC): a day that is not over cannot be tried."
    return faults


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
