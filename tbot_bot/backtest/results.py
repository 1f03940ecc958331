"""The files of one run. The same run gives the same bytes: nothing in them tells when or where it ran."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tbot_bot.backtest.session import EquityPoint
from tbot_bot.domain.books import RoundTrip
from tbot_bot.domain.settings import LogFormat
from tbot_bot.reporting.trade_history import plain, render
from tbot_bot.support.atomic_file import ensure_folder, write_bytes


@dataclass(frozen=True, slots=True)
class RunResult:
    """`config`: job, settings, data and assumptions. `notes`: what the reader must know, in sentences."""

    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    trades: Sequence[RoundTrip]
    curve: Sequence[EquityPoint]
    notes: Sequence[str]


def write_results(folder: Path, result: RunResult) -> None:
    """Write the five files; summary.txt comes last, so that a folder with it is complete."""
    ensure_folder(folder)
    write_bytes(folder / "config.json", _json(result.config))
    write_bytes(folder / "trades.csv", render(result.trades, LogFormat.CSV))
    write_bytes(folder / "equity.csv", _equity(result.curve))
    write_bytes(folder / "metrics.json", _json(result.metrics))
    write_bytes(folder / "summary.txt", summary(result).encode())


def summary(result: RunResult) -> str:
    """A page: result, by strategy, notes and every assumption."""
    m, config = result.metrics, result.config
    lines = [
        f"Backtest {config['first']} to {config['last']}, {m['sessions']} sessions, {len(config['symbols'])} symbols",
        f"Equity    {m['opening_equity']} → {m['closing_equity']} USD, return {_percent(m['return'])}",
        f"Risk      max drawdown {_percent(m['max_drawdown'])}, Sharpe {m['sharpe'] or 'unknown'} (daily, yearly)",
        f"Trades    {m['trades']}, hit rate {_percent(m['hit_rate'])}, profit factor {m['profit_factor'] or 'unknown'}",
        "",
        "By strategy",
    ]
    for name, own in m["by_strategy"].items():
        lines.append(
            f"  {name:<6} {own['trades']:>4} trades, P&L {own['pnl']} USD, hit rate {_percent(own['hit_rate'])}"
        )
    lines += ["", "Notes", *(f"  {note}" for note in result.notes or ("none",))]
    lines += ["", "Assumptions", *(f"  {words}" for words in config["assumptions"])]
    return "\n".join(lines) + "\n"


def as_plain(value: Any) -> Any:
    """Settings as JSON: dataclasses to objects, sets sorted, exact decimals and times as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, frozenset | tuple | list):
        rows = [as_plain(one) for one in value]
        return sorted(rows) if isinstance(value, frozenset) else rows
    return plain(value)


def _percent(text: str | None) -> str:
    return "unknown" if text is None else f"{Decimal(text) * 100:.2f} %"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def _equity(curve: Sequence[EquityPoint]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("at", "equity", "exposure"))
    writer.writerows((plain(point.at), plain(point.equity), plain(point.exposure)) for point in curve)
    return text.getvalue().encode()
