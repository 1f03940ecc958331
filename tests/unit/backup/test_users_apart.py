"""Runner, backup and bot as the users of an installation: what one writes the other reads, whichever way it came."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.accounting.store import LedgerStore
from tbot_bot.backup.worker import BackupWorker
from tbot_bot.config.build_check import check
from tbot_bot.config.readiness import readiness
from tbot_bot.support.atomic_file import LineLog, write_bytes
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.flags import FlagClaimer
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tests.service_users import BOT, KEYS, WEB, as_user, install
from tests.unit.backup.conftest import CHEAP, DAY, Rig

pytestmark = pytest.mark.root
BLOCKED = b"GME\n"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """Set up by the runner's user, below a folder that every user may pass through, as pytest's own are not."""
    root = Path(tempfile.mkdtemp(prefix="tbot-users-"))
    root.chmod(0o755)
    rig = Rig(install(root / "state").root)
    told = root / "told.json"
    told.touch(mode=0o666)
    told.chmod(0o666)

    def set_up() -> None:
        rig.start()
        rig.set_up()
        told.write_text(json.dumps([rig.make_key(), rig.token]))
        rig.stop()

    try:
        as_user(KEYS, set_up)
        rig.identity, rig.token = json.loads(told.read_text())
        yield rig
    finally:
        shutil.rmtree(root)


def running(rig: Rig, act: Callable[[], object]) -> None:
    """`act` beside the runner, both the runner's user."""

    def both() -> None:
        rig.start()
        act()
        rig.stop()

    as_user(KEYS, both)


def write_records(paths: Paths) -> None:
    """As the bot does in a session."""
    for path in (paths.alerts_log, paths.journal(DAY)):
        log = LineLog(path)
        log.append({"kind": "bot"})
        log.close()
    write_bytes(paths.session_folder(DAY) / "summary.json", b'{"pnl":"2.00"}\n')
    write_bytes(paths.blocklist, BLOCKED)


def test_after_a_first_run_nothing_is_wrong_for_the_runner_nor_for_the_bot(rig: Rig) -> None:
    def sound() -> None:
        assert check(rig.paths) == ()

    def ready() -> None:
        problems = readiness(rig.paths, datetime.now(UTC), lambda: "")
        assert [words for words in problems if "backup" not in words] == []

    def not_for_it_to_say() -> None:
        (words,) = readiness(rig.paths, datetime.now(UTC), lambda: "")
        assert "may be read by the runner's user alone" in words

    as_user(KEYS, sound)
    as_user(KEYS, ready)
    as_user(BOT, sound)
    as_user(BOT, not_for_it_to_say)


@pytest.mark.parametrize("kind", ["universe", "backtest"])
def test_what_the_runner_queues_the_bots_user_claims(rig: Rig, kind: str) -> None:
    def queue() -> None:
        body = {"first": "2019-02-11", "last": "2019-02-11"} if kind == "backtest" else {}
        asked = rig.ask("backtest" if kind == "backtest" else "build_universe", **body)
        assert asked.ok, asked

    def claimed() -> None:
        jobs = FlagClaimer(rig.paths.private / "claims").take_jobs(rig.paths.job_folder(kind))
        assert [job["by"] for job in jobs] == ["ada"]

    running(rig, queue)
    as_user(BOT, claimed)
    assert list(rig.paths.job_folder(kind).iterdir()) == []


def test_a_backup_holds_what_the_bot_wrote_and_stands_the_drill(rig: Rig) -> None:
    def made() -> None:
        clock = SystemClock()
        publisher, audit = Publisher(rig.paths, "backup", clock), AuditDrop(rig.paths, clock)
        worker = BackupWorker(rig.paths, clock, publisher, audit, lambda _: None, CHEAP)
        names = {entry.name for entry in rig.back_up().manifest.files}
        assert worker.drill("test"), rig.published("backups")["drill"]
        assert {
            "records/alerts.jsonl",
            "records/blocklist.txt",
            f"records/journal/{DAY}.jsonl",
            f"records/sessions/{DAY}/summary.json",
        } <= names

    as_user(BOT, lambda: write_records(rig.paths))
    as_user(KEYS, made)


def test_what_a_restore_puts_back_is_the_bots_to_go_on_with(rig: Rig) -> None:
    name = next(path.name for path in sorted(rig.paths.backups.glob("*.age")))

    def lose() -> None:
        rig.book("PA2")
        rig.paths.blocklist.unlink()
        shutil.rmtree(rig.paths.journals)

    def restore() -> None:
        reply = rig.restore(name, "settings", "users", "ledger", "records")
        assert reply.ok, reply

    def goes_on() -> None:
        assert check(rig.paths) == ()
        assert rig.paths.blocklist.read_bytes() == BLOCKED
        write_records(rig.paths)
        store = LedgerStore(rig.paths.ledger_db)
        try:
            assert store.head()[0] == 1
        finally:
            store.close()
        rig.book("PA3")

    as_user(BOT, lose)
    running(rig, restore)
    as_user(BOT, goes_on)
    as_user(WEB, lambda: kept_from(rig.paths.blocklist))


def kept_from(path: Path) -> None:
    with pytest.raises(PermissionError):
        path.read_bytes()
