"""Runs a flow of someone else's client in a process of its own, which sees the folder that the client lies in."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
MUST_RUN = os.environ.get("CI") == "true"


def beside(name: str) -> Path:
    """A folder of the environment that only judges see; in CI one that cannot be had is a failure."""
    folder = Path(sys.prefix) / name
    if not folder.is_dir():
        (pytest.fail if MUST_RUN else pytest.skip)(f"{name} is not installed (make setup-dev)")
    return folder


def told_by(script: str, arguments: Sequence[str], folder: Path | None, before: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON that the flow prints last. `before`: what python is given before the script."""
    done = subprocess.run(
        [sys.executable, *before, str(FOLDER / script), *arguments],
        env={**os.environ, **({"PYTHONPATH": str(folder)} if folder is not None else {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))
