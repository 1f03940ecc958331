"""Backup, drill and restore in the units that do them, whose sandbox forbids chown and hides all other users."""

from collections.abc import Iterator

import pytest

from tests.system.test_systemd_docs import keep_recovery_key
from tools.lab.trading import BOT, PERSON, TARGET, TradingLab, Trees
from tools.patience import press, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.systemd,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
PROOF = {"step_up_password": PERSON["password"], "step_up_code": ""}


@pytest.fixture(scope="module")
def machine(trees: Trees, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TradingLab]:
    made = TradingLab(tmp_path_factory.mktemp("restore"), trees, 60, ("1.0.0",))
    try:
        installed = made.install()
        assert installed.code == 0, installed.output
        made.lab.systemctl("start", TARGET)
        made.set_up()
        yield made
    finally:
        made.down()


def ask(machine: TradingLab, page: str, action: str) -> None:
    press(machine.browser, page, action, {}, lambda: False)


def test_what_was_backed_up_in_its_unit_is_restored_in_the_runners_and_is_the_bots_again(machine: TradingLab) -> None:
    machine.build_universe()
    identity = keep_recovery_key(machine)
    ask(machine, "/backups", "/backups/now")
    (backup,) = until("the backup", 120, lambda: machine.part("backups").get("backups"))
    ask(machine, "/backups", "/backups/drill")
    drill = until("the drill", 120, lambda: machine.part("backups")["drill"].get("at") and machine.part("backups"))
    assert drill["drill"]["ok"], drill

    machine.paths.universe.unlink()
    browser = machine.browser
    page = browser.open("/restore")
    chosen = {"backup": backup["name"], "identity": identity, **PROOF}
    shown = browser.send(page, page.form("/restore/preview"), chosen)
    restored = browser.send(shown, shown.form("/restore"), PROOF)

    assert restored.status == 200, restored.text
    assert owners(machine, machine.paths.universe, machine.paths.ledger_db) == [
        "tbot-keys tbot-state 660",
        "tbot-keys tbot-state 660",
    ]
    machine.log_in()
    until("the bot's status", 60, lambda: machine.part("status").get("state") == "idle")
    machine.start()
    assert machine.lab.property_of(BOT, "NRestarts") == "0"
    assert machine.lab.systemctl("--failed", "--no-legend").output.strip() == ""


def owners(machine: TradingLab, *paths: object) -> list[str]:
    top = str(machine.lab.root)
    inside = [str(path).removeprefix(top) for path in paths]
    return machine.lab.run("stat", "-c", "%U %G %a", *inside).output.splitlines()
