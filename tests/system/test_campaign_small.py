"""The campaigns at their small size: what `make campaign` does in full."""

import json
from pathlib import Path

import pytest

from tbot_bot.support.path_resolver import Paths
from tests.conftest import need_strace
from tools.campaign import PARTS
from tools.campaign_kill import lost_units
from tools.demo_process import Killed
from tools.faults.selftest import Verdict
from tools.figures import report_campaign

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.parametrize(("part", "points"), [("inbox", 4_000), ("venue", 50), ("simulation", 50), ("audit", 2000)])
def test_a_small_campaign_violates_nothing(
    part: str, points: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = PARTS[part]("small", 1)
    report_campaign(Paths(tmp_path), found)

    assert found.violations == ()
    assert found.points >= points
    kept = json.loads((tmp_path / "output" / "figures" / f"campaign_{part}.json").read_bytes())
    assert kept["points"] == found.points
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"campaign {part}: points={found.points} violations=0 seconds={found.seconds:.1f}"]


def test_a_small_orders_campaign_sends_nothing_twice_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = PARTS["orders"]("small", 1)
    report_campaign(Paths(tmp_path), found)

    assert found.violations == ()
    for broker in ("alpaca", "ibkr", "tradier"):
        assert found.detail[f"{broker} cases"] == 6
        assert found.detail[f"{broker} deaths"] >= 4
        assert found.detail[f"{broker} duplicates"] == found.detail[f"{broker} orphans"] == 0


@pytest.mark.timeout(900)
def test_a_small_storage_campaign_violates_nothing_and_its_self_test_finds_something(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_strace()
    found = PARTS["storage"]("small", 1)
    report_campaign(Paths(tmp_path), found)

    assert found.violations == ()
    assert found.points >= 300
    assert {found.detail[kind] > 0 for kind in ("kill", "errno", "power cut")} == {True}
    assert {row["verdict"] for row in found.detail["self-test"] if row["kind"] == "fsync"} == {Verdict.LAW}
    assert {row["kind"] for row in found.detail["self-test"]} == {"fsync", "call", "step"}
    *_, counts, closing = capsys.readouterr().out.splitlines()
    assert counts.startswith("  storage: kill=")
    assert closing == f"campaign storage: points={found.points} violations=0 seconds={found.seconds:.1f}"


def test_a_process_that_stays_dead_is_a_violation() -> None:
    dead, alive = Killed("web", 1.0, "at 1 s", None), Killed("bot", 2.0, "at 2 s", 0.5)

    assert lost_units([dead, alive]) == ("web, killed at 1 s, was not restarted",)
    assert lost_units([alive, dead]) == ()
