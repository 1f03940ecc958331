import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.backtest.worker import run_job
from tbot_bot.config.parse import ParsedConfig, parse
from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.settings import BotSettings
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.path_resolver import Paths
from tests.unit.backtest.bars import DAYS, day_of, rally, write

CLOCK = ManualClock(datetime(2026, 1, 5, tzinfo=UTC))
FILES = {"config.json", "trades.csv", "equity.csv", "metrics.json", "summary.txt"}


def settings(**keys: str) -> BotSettings:
    parsed = parse({"MIN_VOLUME_THRESHOLD": "1000", **keys}, "v1.0.0")
    assert isinstance(parsed, ParsedConfig), parsed
    return parsed.bot


def run(root: Path, used: BotSettings | None = None, **changes: Any) -> Path:
    job = root / "one.job"
    job.write_text(json.dumps({"first": "2025-01-07", "last": "2025-01-08", "file": "bars.parquet", **changes}))
    return run_job(Paths(root=root), job, CLOCK, used or settings())


def trades(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "trades.csv").read_text())))


def test_a_breakout_is_bought_after_its_signal_and_the_day_ends_flat(tmp_path: Path) -> None:
    write(tmp_path / "bars.parquet", rally())
    folder = run(tmp_path, settings(ENABLE_SLIPPAGE_MODEL="false", SIMULATED_LATENCY_MS="0"))
    found = trades(folder)
    assert {path.name for path in folder.iterdir()} == FILES
    assert [(t["session"], t["strategy"]) for t in found] == [("2025-01-07", "open"), ("2025-01-08", "open")]
    assert found[0]["entry_at"] == "2025-01-07T14:53:00+00:00"
    assert Decimal(found[0]["entry_price"]) == Decimal("51.5")
    assert all(Decimal(t["pnl"]) > 0 for t in found)
    assert "did not end flat" not in (folder / "summary.txt").read_text()


def test_money_in_the_results_adds_up(tmp_path: Path) -> None:
    write(tmp_path / "bars.parquet", rally())
    folder = run(tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    curve = list(csv.DictReader(io.StringIO((folder / "equity.csv").read_text())))
    earned = sum(Decimal(t["pnl"]) for t in trades(folder))
    assert Decimal(metrics["closing_equity"]) == Decimal(metrics["opening_equity"]) + earned
    assert Decimal(curve[-1]["equity"]) == Decimal(metrics["closing_equity"])
    assert len(curve) == 2 * 390


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for name in ("a", "b"):
        root = tmp_path / name
        root.mkdir()
        write(root / "bars.parquet", rally())
        folder = run(root)
        results.append((folder.name, {path.name: path.read_bytes() for path in folder.iterdir()}))
    assert results[0] == results[1]


def test_other_inputs_have_another_folder(tmp_path: Path) -> None:
    write(tmp_path / "bars.parquet", rally())
    assert run(tmp_path) != run(tmp_path, seed=8) != run(tmp_path, settings(MAX_TRADES="1", WEIGHTS="1"))


def test_the_future_changes_nothing_in_the_past(tmp_path: Path) -> None:
    """The same day with everything after its exit rewritten: the trades of before are the same."""
    write(tmp_path / "bars.parquet", rally())
    whole = trades(run(tmp_path))
    crash = day_of("AAA", DAYS[2], {22: 1.5, 27: 1.0, 35: 2.0, 200: -40.0})
    write(tmp_path / "bars.parquet", [row for row in rally() if row[1].date() != DAYS[2]] + crash)
    assert trades(run(tmp_path)) == whole
    write(tmp_path / "bars.parquet", [row for row in rally() if row[1].date() != DAYS[2]])
    assert trades(run(tmp_path)) == whole[:1]


def test_slippage_only_costs(tmp_path: Path) -> None:
    write(tmp_path / "bars.parquet", rally())
    free = trades(run(tmp_path, settings(ENABLE_SLIPPAGE_MODEL="false")))
    paid = trades(run(tmp_path, settings(SLIPPAGE_SIMULATION_TYPE="rule_based")))
    assert [t["entry_at"] for t in free] == [t["entry_at"] for t in paid]
    assert all(Decimal(p["pnl"]) < Decimal(f["pnl"]) for p, f in zip(paid, free, strict=True))


def test_assumptions_and_refusals_are_written_down(tmp_path: Path) -> None:
    write(tmp_path / "bars.parquet", rally())
    folder = run(tmp_path, settings(MAX_PRICE="20"))
    text = (folder / "summary.txt").read_text()
    assert trades(folder) == []
    assert "candidates were refused by MAX_PRICE" in text
    assert "stops fill at their price" in text
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["filters"]["max_price"] == "20"
    assert config["symbols"] == ["AAA"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first": "soon"}, "first must be a date"),
        ({"first": "2025-01-09"}, "must not be after"),
        ({"last": "2026-01-05"}, "before today"),
        ({"file": ""}, "must name a Parquet file"),
        ({"file": "none.parquet"}, "cannot be read as Parquet"),
        ({"equity": -5}, "equity must be above 0"),
        ({"seed": "x"}, "seed must be a whole number"),
        ({"leverage": 3}, "unknown keys: leverage"),
        ({"first": "2025-02-03", "last": "2025-02-04"}, "holds no bars of a session"),
    ],
)
def test_a_job_that_cannot_run_is_refused_in_words(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    write(tmp_path / "bars.parquet", rally())
    with pytest.raises(DataInvalid, match=words):
        run(tmp_path, **changes)
    assert not (tmp_path / "backtest_results").exists()


def test_a_job_that_is_no_json_is_refused(tmp_path: Path) -> None:
    job = tmp_path / "one.job"
    for text in ("{", "[]", ""):
        job.write_text(text)
        with pytest.raises(DataInvalid, match=r"the job one\.job"):
            run_job(Paths(root=tmp_path), job, CLOCK, settings())


@pytest.mark.shared_data
def test_a_recorded_week_runs_flat_every_day(tmp_path: Path, shared_data: Any) -> None:
    file = shared_data("minute/eqker_24sym_1m_2019-02-11_15.parquet")
    keys = {"STRAT_OPEN_BUFFER": "0.001", "STRAT_MID_VWAP_THRESHOLD": "0.004", "STRAT_CLOSE_VIX_THRESHOLD": "10"}
    folder = run(tmp_path, settings(**keys), first="2019-02-11", last="2019-02-15", file=str(file))
    found = trades(folder)
    assert len(found) >= 3
    assert all(t["entry_at"][:10] == t["exit_at"][:10] == t["session"] for t in found)
    assert "did not end flat" not in (folder / "summary.txt").read_text()
    assert "VIX" not in {t["symbol"] for t in found}
