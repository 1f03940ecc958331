"""A day of one machine that never saw tbot, on a real systemd, told in order: installed, set up through the web's
socket, traded on, processes killed and frozen, stopped, rebooted, upgraded, flattened, and removed without a trace."""

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tools.installer.layout import STATE_DIR
from tools.lab.probe import try_as_user, try_in_sandbox
from tools.lab.trading import BOT, PAPER, RUNNER, SERVING, SOCKET, TARGET, WEB, TradingLab, Trees
from tools.patience import press, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.systemd,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

FIRST, NEXT, BROKEN = "1.0.0", "1.0.1", "1.0.2"
SPEED = 100
WATCHDOG = 30.0
"""Seconds; the longest of the units' own is the runner's, a minute."""
S = str(STATE_DIR)
KEYS, STORAGE, DATABASES = f"{S}/tbot_bot/storage/current/keys", f"{S}/tbot_bot/storage", f"{S}/tbot_bot/core/databases"


def breaks(source: Path) -> None:
    """A release whose bot ends as soon as it starts."""
    (source / "tbot_bot" / "runtime" / "trader.py").write_text('raise SystemExit("broken")\n')


@pytest.fixture(scope="module")
def machine(trees: Trees, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TradingLab]:
    trees.source(FIRST)
    trees.source(NEXT)
    trees.source(BROKEN, breaks)
    machine = TradingLab(tmp_path_factory.mktemp("machine"), trees, SPEED, (FIRST, NEXT, BROKEN))
    try:
        yield machine
    finally:
        machine.down()


def test_it_is_installed_from_a_source_tree(machine: TradingLab) -> None:
    done = machine.install()

    assert done.code == 0, done.output
    machine.adjust(RUNNER, f"[Service]\nWatchdogSec={WATCHDOG:.0f}s\n")
    assert machine.lab.systemctl("is-enabled", TARGET).output.strip() == "enabled"
    assert machine.installer("install", FIRST).code == 0


def test_the_target_starts_everything_and_all_are_ready(machine: TradingLab) -> None:
    started = machine.lab.systemctl("start", TARGET)

    assert started.code == 0, started.output
    machine.wait_until_up()
    assert machine.lab.state(SOCKET) == "active"
    assert all(machine.lab.property_of(unit, "Type") == "notify" for unit in SERVING)
    assert machine.lab.systemctl("--failed", "--no-legend").output.strip() == ""


def test_a_first_run_through_the_socket_reaches_the_first_trade(machine: TradingLab) -> None:
    machine.set_up()
    machine.build_universe()
    machine.start()

    machine.wait_for_position()


def test_the_bot_starts_after_the_runner(machine: TradingLab) -> None:
    assert RUNNER in machine.lab.property_of(BOT, "After").split()
    assert RUNNER not in machine.lab.property_of(BOT, "BindsTo").split()


def test_the_status_line_says_state_result_and_age_of_the_data(machine: TradingLab) -> None:
    status = machine.lab.property_of(BOT, "StatusText")

    assert "P&L" in status
    assert "data" in status


def test_the_journal_has_our_fields(machine: TradingLab) -> None:
    rows = machine.lab.journal(BOT)

    orders = [row for row in rows if row.get("TBOT_EVENT") == "order" or row.get("MESSAGE") == "order"]
    assert orders
    assert {"TBOT_SYMBOL", "TBOT_CLIENT_ID"} <= orders[0].keys()
    assert {row["PRIORITY"] for row in rows} >= {"6"}


@pytest.mark.parametrize("unit", SERVING)
def test_neither_core_dumps_nor_swap(machine: TradingLab, unit: str) -> None:
    facts = machine.lab.properties(unit, "LimitCORE", "MemorySwapMax", "NoNewPrivileges")

    assert facts == {"LimitCORE": "0", "MemorySwapMax": "0", "NoNewPrivileges": "yes"}


NOBODYS = ("write /opt/tbot/current/VERSION.md", "execute /bin/sh", "read /root/.bashrc", "read /etc/shadow")
"""What no process of ours may."""

FORBIDDEN = {
    WEB: (
        *NOBODYS,
        f"read {KEYS}/broker.key",
        f"list {STORAGE}",
        f"read {DATABASES}/SYSTEM_USERS.db",
        f"read {DATABASES}/ledger/LEDGER.db",
        f"list {S}/output",
        f"list {S}/control/requests",
        f"folder-in {S}/control/requests",
        f"link-in {S}/control/requests",
        f"write {S}/control/bot_state.txt",
        f"replace {S}/control/bot_state.txt",
        f"create-in {S}/control",
        f"create-in {S}/control/published",
        f"create-in {S}/control/sessions",
        f"create-in {S}/control/replies",
        f"create-in {S}/control/jobs/universe",
        "connect 127.0.0.1:8090",
        "connect 1.1.1.1:443",
    ),
    BOT: (
        *NOBODYS,
        f"read {KEYS}/login.key",
        f"read {KEYS}/session.key",
        f"read {DATABASES}/SYSTEM_USERS.db",
        f"replace {DATABASES}/SYSTEM_USERS.db",
        f"write {STORAGE}/audit/audit.jsonl",
        f"list {STORAGE}/runner",
        f"list {S}/control/sessions",
        f"create-in {S}/control/sessions",
        f"list {S}/output/paper",
    ),
    RUNNER: (*NOBODYS, f"list {S}/output/paper", "connect 127.0.0.1:8090", "connect 1.1.1.1:443"),
    PAPER: (
        *NOBODYS,
        f"read {KEYS}/broker.key",
        f"list {S}/control",
        f"read {S}/control/bot_state.txt",
        f"list {STORAGE}",
        f"read {DATABASES}/ledger/LEDGER.db",
        "connect 1.1.1.1:443",
    ),
}
ALLOWED = {
    WEB: (f"create-in {S}/control/requests", f"read {S}/control/bot_state.txt", f"list {S}/control/published"),
    BOT: (
        f"read {KEYS}/broker.key",
        f"create-in {S}/control/published",
        f"create-in {STORAGE}/audit/inbox",
        f"create-in {DATABASES}/ledger",
        "connect 127.0.0.1:8090",
    ),
    RUNNER: (f"read {KEYS}/login.key", f"list {S}/control/requests", f"create-in {S}/control/jobs/universe"),
    PAPER: (f"create-in {S}/output/paper",),
}
SANDBOX_ONLY = ("execute", "connect", "folder-in", "link-in")
OPEN = {PAPER: (f"list {S}/control", f"read {S}/control/bot_state.txt"), RUNNER: (f"list {S}/output/paper",)}
"""Open to all of tbot's users, and to the owner of every folder."""
USERS = {WEB: "tbot-web", BOT: "tbot-bot", RUNNER: "tbot-keys", PAPER: "tbot-paper"}


@pytest.mark.parametrize("unit", SERVING)
def test_in_its_sandbox_a_process_can_do_its_work_and_no_more(machine: TradingLab, unit: str) -> None:
    outcomes = try_in_sandbox(machine.lab, unit, (*FORBIDDEN[unit], *ALLOWED[unit]))

    assert {words: outcomes[words] for words in ALLOWED[unit] if outcomes[words] != "ok"} == {}
    assert [words for words in FORBIDDEN[unit] if outcomes[words] == "ok"] == []


@pytest.mark.parametrize("unit", SERVING)
def test_the_rights_of_files_alone_keep_its_user_from_what_belongs_to_others(machine: TradingLab, unit: str) -> None:
    """As if there were no sandbox; running programs and the network are the sandbox's business."""
    words = (words for words in FORBIDDEN[unit] if not words.startswith(SANDBOX_ONLY))
    files = tuple(each for each in words if each not in OPEN.get(unit, ()))
    outcomes = try_as_user(machine.lab, USERS[unit], files)

    assert [words for words in files if outcomes[words] == "ok"] == []


def finished(machine: TradingLab, unit: str) -> int:
    """How often a unit that comes and goes has ended well."""
    rows = machine.lab.journal("", f"UNIT={unit}")
    return sum(1 for row in rows if row["MESSAGE"].startswith("Finished"))


def test_a_timer_wakes_its_unit(machine: TradingLab) -> None:
    before = finished(machine, "tbot-universe.service")
    every_second = "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\nAccuracySec=1s\n"

    machine.adjust("tbot-universe.timer", every_second)
    machine.lab.systemctl("restart", "tbot-universe.timer")
    try:
        until("the universe by the clock", 60, lambda: finished(machine, "tbot-universe.service") > before)
    finally:
        machine.adjust("tbot-universe.timer", "")
        machine.lab.systemctl("restart", "tbot-universe.timer")


def test_a_backtest_that_was_asked_for_wakes_its_unit(machine: TradingLab) -> None:
    asked = {"first": "2025-01-06", "last": "2025-01-07", "file": "bars/none.parquet"}
    press(machine.browser, "/backtests", "/backtests", asked, lambda: bool(machine.part("jobs").get("rows")))

    (row,) = until("the job", 60, lambda: machine.part("jobs").get("rows"))
    until("its end", 60, lambda: machine.part("jobs")["rows"][0]["state"] == "failed")
    assert "none.parquet" in machine.part("jobs")["rows"][0]["why"], row


def test_a_job_that_cannot_be_done_does_not_wake_its_unit_for_ever(machine: TradingLab) -> None:
    """A backup without a recovery key."""
    (machine.paths.job_folder("backup") / "by-hand.job").write_text('{"what": "backup", "by": "someone"}')

    time.sleep(3)

    assert machine.lab.state("tbot-backup.path") == "active"
    assert not machine.paths.job_folder("backup").joinpath("by-hand.job").exists()


@pytest.mark.parametrize("unit", SERVING)
def test_a_killed_process_is_restarted_and_the_session_goes_on(machine: TradingLab, unit: str) -> None:
    before = machine.lab.pid(unit)

    machine.lab.kill(unit)

    until("a successor", 30, lambda: machine.lab.pid(unit) not in (0, before) and machine.lab.state(unit) == "active")
    machine.goes_on()


def test_no_caller_is_turned_away_while_the_web_dies(machine: TradingLab) -> None:
    """systemd's socket keeps them waiting; a connection that the dead process had taken is lost."""
    machine.lab.kill(WEB)

    for _ in range(20):
        with machine.another_browser() as browser:
            assert browser.open("/health").status == 200


def test_frozen_processes_are_found_by_the_watchdog_and_restarted(machine: TradingLab) -> None:
    before = {unit: machine.lab.pid(unit) for unit in SERVING}
    for unit in SERVING:
        machine.lab.kill(unit, "SIGSTOP")

    def followed(unit: str) -> bool:
        return machine.lab.pid(unit) not in (0, before[unit])

    for unit in SERVING:
        until(f"a successor of {unit}", WATCHDOG + 60, partial(followed, unit))
    machine.wait_until_up()
    machine.goes_on()


def test_a_stop_is_graceful_and_the_next_start_goes_on(machine: TradingLab) -> None:
    stopped = machine.lab.systemctl("stop", TARGET)

    assert stopped.code == 0, stopped.output
    # The target's own stop is done at once; those that belong to it follow.
    machine.wait_until_down(30)
    assert machine.state_word() == "shutdown"
    assert [machine.lab.property_of(unit, "Result") for unit in SERVING] == ["success"] * len(SERVING)

    machine.lab.systemctl("start", TARGET)
    machine.wait_until_up()
    machine.goes_on()


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_reboot_in_the_middle_of_the_session_goes_on(machine: TradingLab, power_cut: bool) -> None:
    machine.lab.reboot(power_cut=power_cut)

    machine.wait_until_up()
    machine.goes_on()


def test_an_upgrade_under_the_running_session_goes_on(machine: TradingLab) -> None:
    done = machine.installer("upgrade", NEXT, "--without-backup")

    assert done.code == 0, done.output
    assert machine.release.startswith(NEXT)
    machine.wait_until_up(1)
    machine.goes_on()


def test_a_release_that_does_not_become_ready_is_taken_back(machine: TradingLab) -> None:
    done = machine.installer("upgrade", BROKEN, "--without-backup", "--ready-seconds=20")

    assert done.code != 0
    assert machine.release.startswith(NEXT), done.output
    machine.wait_until_up(1)
    machine.goes_on()


def test_kill_works_without_the_runner(machine: TradingLab) -> None:
    machine.lab.systemctl("stop", RUNNER)
    assert machine.lab.state(BOT) == "active"

    press(machine.browser, "/kill", "/kill", {}, lambda: machine.state_word() == "shutdown_triggered")
    until("the halt", 60, lambda: machine.state_word() == "shutdown_triggered")
    until("a flat account", 60, lambda: machine.positions == 0)
    machine.lab.systemctl("start", RUNNER)


def test_a_process_that_keeps_dying_is_left_alone_and_alerted(machine: TradingLab) -> None:
    deaths = 0
    while machine.lab.state(PAPER) != "failed" and deaths < 20:
        # It may die of the last blow between the look and the next one.
        with suppress(OSError):
            if machine.lab.pid(PAPER):
                machine.lab.kill(PAPER)
                deaths += 1
        time.sleep(0.2)

    assert machine.lab.property_of(PAPER, "Result") in ("start-limit-hit", "signal")
    until("the alert", 30, lambda: PAPER in machine.paths.alerts_log.read_text())
    machine.lab.systemctl("reset-failed", PAPER)
    machine.lab.systemctl("start", PAPER)


def test_at_the_end_the_books_and_the_venue_agree(machine: TradingLab) -> None:
    until("closed books", 60, lambda: any(machine.paths.output.glob("sessions/*/summary.json")))
    machine.lab.systemctl("stop", TARGET)
    machine.wait_until_down()

    assert machine.faults() == ()
    assert machine.fills() > 0


def test_an_uninstall_leaves_nothing_behind(machine: TradingLab) -> None:
    done = machine.installer("uninstall", NEXT, "--purge")

    assert done.code == 0, done.output
    left = machine.lab.run(
        "find", "/etc", "/usr", "/opt", "/var", "/run", "-xdev", "-name", "*tbot*", "-not", "-path", "/srv/*"
    )
    assert [line for line in left.output.splitlines() if "/systemd-private-" not in line] == []
    assert "tbot" not in machine.lab.path("/etc/passwd").read_text()
    assert "tbot" not in machine.lab.path("/etc/group").read_text()
    assert machine.lab.systemctl("list-units", "--all", "--no-legend", "tbot*").output.strip() == ""
