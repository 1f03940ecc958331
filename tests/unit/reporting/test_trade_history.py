import csv
import io
import json
from pathlib import Path

import pytest

from tbot_bot.domain.settings import LogFormat
from tbot_bot.reporting.trade_history import COLUMNS, render, trade_row, write
from tbot_bot.support.path_resolver import Paths
from tests.unit.reporting.day import DAY, trade


def test_json_lines_hold_one_trade_each() -> None:
    lines = render([trade(), trade("-1.5")], LogFormat.JSON).splitlines()
    assert [json.loads(line)["pnl"] for line in lines] == ["9.65", "-1.5"]
    assert json.loads(lines[0]) == trade_row(trade())


def test_csv_has_a_header_and_reads_back() -> None:
    text = render([trade("-1.5", why='stop, "hit"\nat once')], LogFormat.CSV).decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert tuple(row) == COLUMNS
    assert (row["pnl"], row["why"], row["exit_slippage_bps"]) == ("-1.5", 'stop, "hit"\nat once', "")


@pytest.mark.parametrize("why", ["=1+1", "+cmd", "-2+3", "@sum"])
def test_no_cell_is_a_formula_to_a_spreadsheet(why: str) -> None:
    (row,) = csv.DictReader(io.StringIO(render([trade(why=why)], LogFormat.CSV).decode()))
    assert row["why"] == f"'{why}"


@pytest.mark.parametrize(("log_format", "name"), [(LogFormat.JSON, "trades.jsonl"), (LogFormat.CSV, "trades.csv")])
def test_the_file_is_replaced_whole_and_private(tmp_path: Path, log_format: LogFormat, name: str) -> None:
    paths = Paths(root=tmp_path)
    write(paths, DAY, [trade(), trade()], log_format)
    path = write(paths, DAY, [trade()], log_format)
    assert path == paths.session_folder(DAY) / name
    assert path.read_bytes() == render([trade()], log_format)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_day_without_trades_still_has_its_file(tmp_path: Path) -> None:
    path = write(Paths(root=tmp_path), DAY, [], LogFormat.CSV)
    assert path.read_text().strip() == ",".join(COLUMNS)
