"""Three clients of the gateway's protocol against the counterpart: they must decode all that it says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tbot_bot.support.path_resolver import CODE_ROOT
from tests.contract.judges.running import beside, told_by
from tools.counterparts.rigs import FIRST, IbkrRig

SYMBOL = "SPY"
_WITHOUT = "import sys; sys.modules['ib_insync'] = None; import runpy; sys.argv = sys.argv[1:]; "
_WITHOUT += "runpy.run_path(sys.argv[0], run_name='__main__')"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IbkrRig]:
    made = IbkrRig(tmp_path_factory.mktemp("judged"))
    made.start()
    made.run_from(FIRST + timedelta(minutes=40))
    yield made
    made.close()


def flows(rig: IbkrRig, script: str, client: int, folder: str = "", *, successor: bool = False) -> dict[str, Any]:
    """What the client was told. `folder`: where it is installed, beside the environment."""
    before = ["-c", _WITHOUT] if successor else []
    return told_by(script, [str(rig.port), str(client), SYMBOL], beside(folder) if folder else None, before)


@pytest.mark.parametrize(("library", "client", "folder"), [("ib_insync", 70, ""), ("ib_async", 170, "ib_async")])
def test_the_client_library_passes_a_whole_scenario(rig: IbkrRig, library: str, client: int, folder: str) -> None:
    told = flows(rig, "ib_library_flows.py", client, folder, successor=library == "ib_async")
    assert told["library"] == library
    assert told["undecoded"] == []
    assert told["accounts"] == [f"DU{1_000_000 + client // 10}"]
    assert float(told["values"]["NetLiquidation"]) == 100_000
    assert (len(told["details"]), told["unknown"]) == (1, 0)
    assert told["bought"][:2] == ["Filled", 5]
    assert told["modified"] == [6.0]
    assert told["cancelled"] == "Cancelled"
    assert told["trail"] == "PreSubmitted"
    assert told["bracket"] == [
        ["LMT", "PreSubmitted", True],
        ["LMT", "Submitted", False],
        ["STP", "PreSubmitted", True],
    ]
    assert told["oca"] == 3
    assert told["rejected"] in ("Inactive", "Cancelled")
    bid, ask, last = told["quote"]
    assert 0 < bid <= last <= ask
    assert told["line"][1:] == [0.0, 100_000.0]
    assert told["delayed"][0] == 3
    assert told["bars"] >= 25
    assert told["days"] >= 4
    assert told["positions"] == [[SYMBOL, 5.0]]
    assert told["completed"].count("Filled") == 1
    assert told["after reconnect"]["held"] == 1
    assert told["after reconnect"]["fills"] == len(told["fills"])
    assert {200, 201, 202} <= set(told["errors"])


def test_ibs_own_client_decodes_every_message(rig: IbkrRig) -> None:
    told = flows(rig, "ibapi_flows.py", 270, "judges")
    assert told["failed"] == []
    assert told["alive"]
    assert float(told["NetLiquidation"]) == pytest.approx(100_000, abs=50)
    assert told["position"] == [SYMBOL, "5"]
    assert told["portfolio"] == SYMBOL
    assert told["details"][1]
    assert told["bars"] in (9, 10)
    assert len({execution for execution, *_ in told["executions"]}) == len(told["executions"]) // 2
    kinds = told["told"]
    assert {"status Filled", "status Cancelled", "status Inactive", "tick 1", "tick 2", "generic 46"} <= kinds.keys()
    assert kinds["completed Filled"] == 1
    assert {201, 202, 2104, 2106, 2158} <= set(told["errors"])


SUITE = ["tests/contract/test_broker.py", "tests/contract/test_replace.py", "tests/contract/test_streams.py"]


@pytest.mark.timeout(300)
def test_the_contract_suite_is_as_green_with_the_librarys_successor() -> None:
    """In a process of its own, in which ib_insync cannot be imported."""
    folder = beside("ib_async")
    code = "import sys; sys.modules['ib_insync'] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", "-k", "ibkr", *SUITE],
        cwd=CODE_ROOT,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
