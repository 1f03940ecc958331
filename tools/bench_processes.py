"""What a person waits for: a request's way to the runner and back, and a second start of everything."""

import statistics
import time
from pathlib import Path

from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.path_resolver import ROOT_VARIABLE
from tools.child import end, start_python
from tools.figures import Measure
from tools.foreground import free_port, free_port_pair
from tools.page_client import Browser
from tools.patience import calmly
from tools.runner_process import RunnerProcess, wait_for
from tools.stopwatch import medians, timed

REQUESTS = 200
SEALED_BYTES = 400
STARTS = 3


def request_bench(folder: Path) -> tuple[Measure, ...]:
    """Median milliseconds from asking to the opened answer of a kind without work, beside one fsynced file pair."""
    runner = RunnerProcess(folder)
    try:
        runner.start()
        runner.provision()
        runner.token = ""
        data = b"x" * SEALED_BYTES

        def pair() -> None:
            write_bytes(folder / "request", data)
            write_bytes(folder / "reply", data)

        ours, theirs = medians(lambda: runner.ask("logout"), pair, REQUESTS)
    finally:
        runner.end()
    return (Measure("request_round_trip", ours * 1000, theirs * 1000, "ms", "fsynced_file_pair"),)


def start_bench(folder: Path) -> tuple[Measure, ...]:
    """Seconds from `make run`'s own command to the web's first answer, when everything was started once before."""
    _started(folder)
    ours = statistics.median(_started(folder) for _ in range(STARTS))
    theirs = statistics.median(
        timed(lambda: start_python(["-c", "pass"], folder / "pass").wait()) for _ in range(STARTS)
    )
    return (Measure("second_start", ours, theirs, "s", "python_c_pass"),)


def _started(folder: Path) -> float:
    """Start all processes on the same root, wait for /health, stop them; seconds until the answer."""
    web = free_port()
    browser = Browser(f"http://127.0.0.1:{web}")
    variables = {
        ROOT_VARIABLE: str(folder / "root"),
        "TBOT_WEB_PORT": str(web),
        "TBOT_PAPER_PORT": str(free_port_pair()),
    }
    began = time.monotonic()
    process = start_python(["-m", "tools.foreground"], folder / "terminal.txt", variables)
    try:
        wait_for("the web's answer", lambda: calmly(lambda: browser.open("/health").status == 200, False), 60)
        return time.monotonic() - began
    finally:
        end(process)
