"""Only an adapter knows its broker: six unified variables for all, and no vendor's name or library anywhere else."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent
ADAPTERS = "tbot_bot/broker/brokers/"
OWN_VARIABLE = re.compile(
    r"\b(?:SECONDARY_)?(?:ALPACA|APCA|IBKR|IBAPI|IB|TWS|TRADIER)_(?:PAPER_|LIVE_|API_|CLIENT_|ACCESS_)*"
    r"(?:KEY|KEY_ID|SECRET|SECRET_KEY|TOKEN|URL|HOST|PORT|USER|USERNAME|PASSWORD|ACCOUNT|ACCOUNT_ID|ACCOUNT_NUMBER|ID|CODE)\b"
)
NAME = re.compile(r"alpaca|ibkr|ib_insync|ib_async|tradier|\btws\b", re.IGNORECASE)
LIBRARIES = {"alpaca", "ib_insync", "ib_async", "ibapi", "lumiwealth_tradier", "uvatradier"}
UNAWARE = ("accounting", "backtest", "engine", "reporting", "risk", "runtime", "screeners", "strategy", "ports")
CALLS_IT_BY_NAME = frozenset({"tbot_bot/broker/gateway.py"})


def _sources() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        path = REPOSITORY / name
        if path.suffix in {".py", ".sh", ".service", ".timer", ".html", ".js", ".md", ".yaml"} and path.is_file():
            yield name, path.read_text()


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return dict(_sources())


def test_no_broker_has_variables_of_its_own(sources: dict[str, str]) -> None:
    own = Path(__file__).relative_to(REPOSITORY).as_posix()
    found = [f"{name}: {hit}" for name, text in sources.items() if name != own for hit in OWN_VARIABLE.findall(text)]
    assert not found


@pytest.mark.parametrize("name", ["ALPACA_API_KEY", "TRADIER_ACCESS_TOKEN", "IBKR_CLIENT_ID", "SECONDARY_IB_HOST"])
def test_such_a_variable_would_be_found(name: str) -> None:
    assert OWN_VARIABLE.search(f"os.environ[{name}]")


def test_vendors_libraries_are_imported_by_adapters_alone(sources: dict[str, str]) -> None:
    found = [
        f"{name}: {module}"
        for name, text in sources.items()
        if name.startswith(("tbot_bot/", "tbot_web/")) and name.endswith(".py") and not name.startswith(ADAPTERS)
        for module in _imported(text)
        if module.split(".")[0] in LIBRARIES
    ]
    assert not found


def test_what_trades_knows_no_broker_by_name(sources: dict[str, str]) -> None:
    rooms = (*tuple(f"tbot_bot/{room}/" for room in UNAWARE), "tbot_bot/broker/")
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in sources.items()
        if name.startswith(rooms) and not name.startswith(ADAPTERS) and name not in CALLS_IT_BY_NAME
        for number, line in enumerate(text.splitlines(), 1)
        if NAME.search(line)
    ]
    assert not found


def _imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
