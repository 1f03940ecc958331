"""Releases for the private machines, built once a run."""

from pathlib import Path

import pytest

from tests.conftest import lacking
from tools.lab.installed import python_missing
from tools.lab.lab import missing
from tools.lab.trading import Trees


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    if missing() or python_missing():
        lacking(missing() or python_missing())
    folder: Path = tmp_path_factory.mktemp("trees")
    return Trees(folder)
