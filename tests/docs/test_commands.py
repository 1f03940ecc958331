"""Every command in the docs is run, or it is said why not and its words are checked."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.pages import NOT_COMMANDS, TRIED, Block, pages, read
from tests.docs.scratch import Scratch

BLOCKS = [block for page in pages() for block in page.blocks]
COMMANDS = [block for block in BLOCKS if block.info.startswith("bash")]


def blocks(info: str) -> list[Block]:
    return [block for block in COMMANDS if block.info == info]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    made = Scratch(tmp_path_factory.mktemp("docs"))
    try:
        made.set_up()
        yield made
    finally:
        made.end()


def test_every_fence_says_what_it_holds() -> None:
    assert [block.where for block in BLOCKS if block.info not in TRIED and block.info not in NOT_COMMANDS] == []


def test_no_command_hides_in_an_indented_block() -> None:
    """Those carry no word on how they are tried."""
    pairs = [(page.name, pair) for page in pages() for pair in pairwise(page.prose.splitlines())]

    assert [(name, line) for name, (before, line) in pairs if not before.strip() and line.startswith("    ")] == []


def test_a_command_that_is_not_classified_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Do this:\n\n```bash\nrm -rf /\n```\n\n   ```console\n   $ ls\n   ```\n")

    assert [block.info for block in read(page).blocks if block.info not in TRIED] == ["bash", "console"]


@pytest.mark.parametrize("block", COMMANDS, ids=[block.where for block in COMMANDS])
def test_every_command_is_a_shell_command(block: Block) -> None:
    parsed = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True)

    assert (parsed.returncode, parsed.stderr) == (0, "")


@pytest.mark.parametrize("block", blocks("bash run"), ids=[block.where for block in blocks("bash run")])
def test_every_command_that_can_run_here_does(block: Block, scratch: Scratch) -> None:
    done = scratch.run(block.text)

    assert done.returncode == 0, f"{block.text}\n{done.stdout}{done.stderr}"


def test_a_command_that_fails_is_noticed(scratch: Scratch) -> None:
    assert scratch.run("python -m tools.verify_audit --anchor 1:beef").returncode == 2


@pytest.mark.parametrize("block", blocks("bash ci"), ids=[block.where for block in blocks("bash ci")])
def test_what_ci_runs_is_at_least_understood_by_make(block: Block) -> None:
    """`run`, `demo` and `test` are run by CI and the system tests; the long ones are not, at this length."""
    only_print = {**os.environ, "MAKEFLAGS": "n"}
    for command in block.text.splitlines():
        words = shlex.split(command, comments=True)
        assert words[0] == "make"
        done = subprocess.run(words, cwd=REPOSITORY, env=only_print, capture_output=True, text=True, timeout=20)

        assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_programs_that_the_commands_need_are_found_or_ours() -> None:
    """`bash outside` apart: those may need what is not here."""
    needed = {line.split()[0] for block in blocks("bash run") for line in block.text.splitlines() if line.strip()}

    assert sorted(word for word in needed - {"python", "make"} if shutil.which(word) is None) == []
