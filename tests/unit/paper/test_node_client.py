"""The broker's own Node client against the venue."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.paper.conftest import RunningVenue

SOURCE = Path(__file__).parents[2] / "judges_npm"
INSTALLED = Path(sys.prefix) / "judges_npm"
MUST_RUN = os.environ.get("CI") == "true"


def missing(why: str) -> None:
    """In CI a judge that cannot be had is a failure."""
    (pytest.fail if MUST_RUN else pytest.skip)(why)


@pytest.fixture(scope="module")
def node() -> str:
    """The program; its packages are installed exactly as locked."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        missing("no Node.js: install Node 20 or newer")
        raise AssertionError
    lock = (SOURCE / "package-lock.json").read_bytes()
    if not (INSTALLED / "node_modules").is_dir() or (INSTALLED / "package-lock.json").read_bytes() != lock:
        INSTALLED.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, INSTALLED / name)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode != 0:
            shutil.rmtree(INSTALLED, ignore_errors=True)
            missing(f"npm ci failed: {done.stderr[-300:]}")
    return program


@pytest.mark.slow
def test_every_flow_of_the_node_client_goes_through(node: str, venue: RunningVenue) -> None:
    admin = f"http://127.0.0.1:{venue.server.admin_port}"
    command = [node, str(SOURCE / "flows.mjs"), venue.url, venue.stream_url, admin]
    done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {name: wrong for name, wrong in told.items() if wrong} == {}
    assert len(told) >= 9
