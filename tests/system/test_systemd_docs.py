"""The handbook, tried: every command for an installed machine, in the order of the pages, while tbot trades."""

from collections.abc import Iterator

import pytest

from tests.docs.pages import Block, pages
from tools.child import Finished
from tools.lab.trading import PERSON, TARGET, TradingLab, Trees
from tools.patience import until

pytestmark = [
    pytest.mark.root,
    pytest.mark.systemd,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

BLOCKS = [block for page in pages() for block in page.blocks if block.info == "bash systemd"]
TYPED = "/root/typed"
STATE_AFTER = {"control_stop.flag": "idle", "control_kill.flag": "shutdown_triggered"}
"""What a block holds → the state word that it must lead to, from an armed bot."""
GROUPS = 11
"""The recovery key's fixed beginning and ten groups."""


@pytest.fixture(scope="module")
def machine(trees: Trees, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TradingLab]:
    made = TradingLab(tmp_path_factory.mktemp("handbook"), trees, 60, ("1.0.0",))
    try:
        installed = made.install()
        assert installed.code == 0, installed.output
        made.lab.systemctl("start", TARGET)
        made.set_up()
        made.build_universe()
        keep_recovery_key(made)
        made.lab.path(TYPED).write_text(f"{PERSON['password']}\n")
        yield made
    finally:
        made.down()


def keep_recovery_key(machine: TradingLab) -> str:
    browser = machine.browser
    page = browser.open("/recovery")
    shown = browser.send(page, page.form("/recovery"), {})
    words = shown.text[shown.text.index("AGE-SECRET-KEY-1") :].split()
    confirmed = browser.send(shown, shown.form("/recovery/confirm"), {"last_group": words[GROUPS - 1]})
    assert confirmed.status == 200, confirmed.text
    return "".join(words[:GROUPS])


def read_out(machine: TradingLab, block: Block) -> Finished:
    """As an admin at a root shell, who types the password when asked."""
    commands = f"exec <{TYPED}\n{block.text}"
    return machine.lab.run("bash", "-euo", "pipefail", "-c", commands, folder="/root", seconds=180)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.where for block in BLOCKS])
def test_every_command_for_an_installed_machine_does_what_it_says(block: Block, machine: TradingLab) -> None:
    expected = next((state for words, state in STATE_AFTER.items() if words in block.text), "")
    if expected and not machine.armed:
        machine.start()

    done = read_out(machine, block)

    assert done.code == 0, f"{block.text}\n{done.output}"
    if expected:
        until(f"the state {expected}", 60, lambda: machine.state_word() == expected)
