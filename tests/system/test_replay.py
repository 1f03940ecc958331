"""Recorded bars through the real processes: a first session, a session with history, and one symbol alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.day_verdict import day_faults
from tools.demo_process import DemoProcess

pytestmark = [pytest.mark.slow, pytest.mark.shared_data, pytest.mark.timeout(240)]

MANY, ALONE = "eqker_24sym_1m_2019-02-11_15.parquet", "pyalgotrade_SPY_1m_2011-01_2011-03.parquet"
DAYS = {"2019-02-11": MANY, "2019-02-15": MANY, "2011-03-14": ALONE}


def test_recorded_sessions_end_flat_and_say_why_nothing_was_traded(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    demos = {
        day: DemoProcess(tmp_path / day, 900, more=("--data", str(shared_data(f"minute/{name}")), "--date", day))
        for day, name in DAYS.items()
    }
    try:
        for demo in demos.values():
            demo.start()
        codes = {day: demo.wait(200) for day, demo in demos.items()}
    finally:
        for demo in demos.values():
            demo.end()
    words = {day: demo.terminal.read_text() for day, demo in demos.items()}
    assert codes == dict.fromkeys(DAYS, 0), words
    for day, demo in demos.items():
        assert day_faults(demo.paths) == ()
        assert f"Session {day}" in words[day]
        assert "Nearest misses" in words[day]
