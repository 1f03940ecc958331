"""Killers kill the right process at the right time; figures are written as agreed."""

import json
import random
import sys
from pathlib import Path

import pytest

from tbot_bot.support.path_resolver import Paths
from tools.child import child_running, children, command_line, end, start_python
from tools.demo_process import MODULES
from tools.figures import Campaign, Measure, report_campaign, report_measures
from tools.foreground import Program as ForegroundProgram
from tools.foreground import demo_root, programs
from tools.killers import Moment, kill_script, random_moments
from tools.runner_process import wait_for

PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'http.server', '0', '--bind', '127.0.0.1'])"


def test_every_supervised_process_can_be_killed() -> None:
    driver = ForegroundProgram("driver", "tools.demo", 90, once=True)
    supervised = {program.name: program.module for program in programs((), driver)}

    assert {name: module for name, module in supervised.items() if name != "driver"} == MODULES


def test_a_child_is_found_by_its_module_and_ends_with_its_parent(tmp_path: Path) -> None:
    parent = start_python(["-c", PARENT], tmp_path / "out")
    try:
        child = wait_for("the child", lambda: child_running(parent.pid, "http.server"))
        assert command_line(child)[0] == sys.executable
        assert children(parent.pid) == (child,)
        assert child_running(parent.pid, "http") is None
    finally:
        end(parent, 0.1)
    wait_for("the child's end", lambda: not command_line(child))


def test_the_same_seed_kills_at_the_same_moments() -> None:
    assert kill_script(3, 50) == kill_script(3, 50)
    assert kill_script(3, 50) != kill_script(4, 50)


@pytest.mark.parametrize("seed", range(20))
def test_every_script_kills_every_process(seed: int) -> None:
    moments, strikes = kill_script(seed, 50)

    assert {moment.unit for moment in moments} == set(MODULES)
    assert all(1 <= moment.at <= 50 for moment in moments)
    assert strikes


def test_moments_come_in_order_of_time() -> None:
    moments = random_moments(random.Random(1), tuple(MODULES), 1, 9)

    assert list(moments) == sorted(moments, key=lambda moment: moment.at)
    assert all(isinstance(moment, Moment) for moment in moments)


def test_a_campaign_ends_with_one_line_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_campaign(Paths(tmp_path), Campaign("kill", 3, ("a", "b"), 1.26, {"x": 1}))

    assert capsys.readouterr().out.splitlines() == [
        "  VIOLATION: a",
        "  VIOLATION: b",
        "campaign kill: points=3 violations=2 seconds=1.3",
    ]
    kept = json.loads((tmp_path / "output/figures/campaign_kill.json").read_bytes())
    assert kept["violations"] == ["a", "b"]
    assert kept["detail"] == {"x": 1}


def test_a_measure_is_one_line_and_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_measures(Paths(tmp_path), "start", (Measure("second_start", 2.0, 0.5, "s", "python_c_pass"),))

    assert capsys.readouterr().out == "bench second_start: 2 s ratio=4 vs=python_c_pass\n"
    rows = json.loads((tmp_path / "output/figures/bench_start.json").read_bytes())["measures"]
    assert [row["ratio"] for row in rows] == [4.0]


def test_a_demo_never_clears_a_folder_that_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")

    with pytest.raises(SystemExit, match="empty"):
        demo_root(tmp_path, str(tmp_path))
    assert (tmp_path / "mine").read_text() == "keep"
    assert demo_root(tmp_path, str(tmp_path / "new")) == tmp_path / "new"


def test_the_default_demo_folder_is_made_anew(tmp_path: Path) -> None:
    old = tmp_path / "output" / "demo" / "old"
    old.mkdir(parents=True)

    assert demo_root(tmp_path, None) == tmp_path / "output" / "demo"
    assert not old.exists()
