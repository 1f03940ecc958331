"""The runner as a whole: first provisioning, people, start, and what a hostile web process may try."""

import json
import os
import re
import stat
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tbot_bot.config import request_counter
from tbot_bot.config.audit_intake import TOLD_BY_OTHERS
from tbot_bot.config.passwords import Hasher
from tbot_bot.config.provisioning_helper import Provisioning
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.domain.errors import LedgerRefused
from tbot_bot.domain.session import BotState
from tbot_bot.domain.settings import BrokerName
from tbot_bot.interface.sessions import Sessions
from tbot_bot.interface.state import current_state
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.support.audit_drop import AuditDrop
from tbot_bot.support.envelope import Request, encode_request
from tbot_bot.support.path_resolver import CODE_ROOT
from tbot_bot.support.sealing import new_private_key, public_bytes, read_public_key
from tbot_bot.support.state_file import StateFile
from tests.unit.config.conftest import Pulse


def test_a_fresh_system_waits_in_initialize_and_publishes_its_form(rig: Any) -> None:
    form = rig.published.read("form")

    assert current_state(rig.paths) is BotState.INITIALIZE
    assert form.body["values"]["BROKER_NAME"] == "PAPER"
    assert form.body["groups"]
    assert rig.published.read("system").body["provisioned"] is False


def test_first_provisioning_ends_idle_with_every_step_done(ready: Any) -> None:
    progress = ready.progress()
    ready.until(lambda: ready.published.read("system").body["provisioned"])

    assert {step["status"] for step in progress["steps"]} == {"done"}
    assert current_state(ready.paths) is BotState.IDLE
    loaded = open_secrets(ready.paths)
    assert loaded.broker.broker_code is BrokerName.PAPER
    assert loaded.broker.broker_api_key
    assert loaded.broker.broker_secret_key
    assert loaded.bot_id.startswith("TB")
    assert loaded.bot_id != "TBOT01"


def test_keys_and_secrets_are_private_from_birth(ready: Any) -> None:
    for folder in (ready.paths.keys, ready.paths.secrets, ready.paths.generations):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in (*ready.paths.keys.iterdir(), *ready.paths.secrets.iterdir(), ready.paths.users_db):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (ready.paths.keys / "login.key").exists()
    assert ready.paths.env_enc.exists()
    assert (ready.paths.secrets / ".env_bot.enc").exists()


def test_wrong_values_come_back_all_at_once_and_change_nothing(rig: Any) -> None:
    reply = rig.ask("provision", {"values": {"MAX_TRADES": "x", "TOTAL_ALLOCATION": "7", "NO_KEY": "1"}})

    assert reply.code == "invalid"
    assert {"MAX_TRADES", "TOTAL_ALLOCATION", "NO_KEY"} <= {fault["key"] for fault in reply.faults}
    assert current_state(rig.paths) is BotState.INITIALIZE
    assert not rig.paths.current_generation.exists()


@pytest.mark.parametrize("values", [None, [], "x", {"MAX_TRADES": 3}, {"MAX_TRADES": None}, {"": ""}])
def test_a_body_of_the_wrong_shape_is_answered_and_harms_nothing(rig: Any, values: object) -> None:
    assert rig.ask("validate", {"values": values}).code in {"ok", "invalid"}
    assert rig.ask("validate").ok


def test_a_failed_step_is_named_taken_back_and_can_be_repeated(rig: Any) -> None:
    def fail() -> None:
        raise LedgerRefused("the disk is on holiday")

    rig.ledger_fails = fail
    assert rig.ask("provision", {"values": {}}).ok
    rig.until(lambda: rig.progress()["state"] == "failed")

    failed = next(step for step in rig.progress()["steps"] if step["status"] == "failed")
    assert failed["name"] == rig.progress()["failed"] == "ledger"
    assert "holiday" in failed["why"]
    assert failed["fix"]
    rig.until(lambda: current_state(rig.paths) is BotState.INITIALIZE)
    rig.until(lambda: "provisioning_failed" in rig.audit_text())
    assert not rig.paths.users_db.exists()
    assert not rig.paths.current_generation.is_symlink()
    assert list(rig.paths.generations.iterdir()) == []
    rig.ledger_fails = None
    rig.until(lambda: not (rig.paths.runner_private / "provisioning.json").exists())
    rig.provision()


def test_the_first_user_becomes_admin_and_is_the_only_one_to_register(ready: Any) -> None:
    token = ready.register()

    login = Sessions(ready.paths, ready.clock).lookup(token)
    assert login is not None
    assert (login.user, login.role) == ("ada", "admin")
    again = ready.ask("register", {"username": "mallory", "password": "a battery of horses", "email": ""})
    assert again.code == "not_allowed"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ab"),
        ("username", "a b c"),
        ("username", "x" * 65),
        ("password", "short"),
        ("password", "x" * 129),
        ("password", "a" * 20),
        ("email", "nonsense"),
    ],
)
def test_a_registration_says_which_field_is_wrong(ready: Any, field: str, value: str) -> None:
    body = {"username": "ada", "password": "a battery of horses", "email": "", field: value}

    reply = ready.ask("register", body)

    assert reply.code == "invalid"
    assert [fault["key"] for fault in reply.faults] == [field]


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(ready: Any) -> None:
    ready.register()

    known = ready.ask("login", {"username": "ada", "password": "not the right one"})
    unknown = ready.ask("login", {"username": "mallory", "password": "not the right one"})

    assert known == unknown
    assert known.code == "bad_credentials"
    assert "mallory" not in ready.audit_text()


def test_logging_out_ends_the_login_within_one_request(ready: Any) -> None:
    token = ready.register()

    assert ready.ask("logout", token=token).ok
    assert Sessions(ready.paths, ready.clock).lookup(token) is None
    assert ready.ask("build_universe", token=token).code == "expired"


def test_deleting_the_session_file_is_logging_out(ready: Any) -> None:
    token = ready.register()
    for path in ready.paths.sessions.iterdir():
        path.unlink()

    assert ready.ask("build_universe", token=token).code == "expired"


def test_a_forged_session_file_gives_no_authority(ready: Any) -> None:
    token = ready.register()
    (real,) = ready.paths.sessions.iterdir()
    forged = Sessions(ready.paths, ready.clock)
    real.with_name("0" * 64).write_bytes(real.read_bytes())

    assert ready.ask("build_universe", token=token + "=").code == "expired"
    assert forged.lookup(token + "\n") is None


def test_start_writes_the_flag_after_the_build_check_and_is_on_record(ready: Any) -> None:
    token = ready.register()

    assert ready.ask("start", token=token).ok
    assert json.loads(ready.paths.start_flag.read_bytes())["by"] == "ada"
    assert '"event":"start"' in ready.audit_text()


def test_start_is_refused_when_the_build_check_objects(ready: Any) -> None:
    token = ready.register()
    ready.problems = ("keys/broker.key is missing",)

    reply = ready.ask("start", token=token)

    assert reply.code == "failed"
    assert "broker.key" in reply.message
    assert not ready.paths.start_flag.exists()


def test_start_is_refused_without_a_login_and_while_running(ready: Any) -> None:
    assert ready.ask("start").code == "expired"
    token = ready.register()
    StateFile(ready.paths, ready.clock).move(BotState.IDLE, BotState.ANALYZING, "test", "running")

    assert ready.ask("start", token=token).code == "busy"
    assert not ready.paths.start_flag.exists()


def test_jobs_are_queued_as_files(ready: Any) -> None:
    token = ready.register()

    universe = ready.ask("build_universe", token=token)
    backtest = ready.ask("backtest", {"first": "2019-02-11", "last": "2019-02-15", "file": "bars/x.parquet"}, token)

    assert (ready.paths.job_folder("universe") / f"{universe.body['job']}.job").exists()
    job = json.loads((ready.paths.job_folder("backtest") / f"{backtest.body['job']}.job").read_bytes())
    assert (job["first"], job["file"], job["by"]) == ("2019-02-11", "bars/x.parquet", "ada")


@pytest.mark.parametrize("body", [{}, {"first": "2020-02-02", "last": "2020-01-01"}, {"first": 1, "last": []}])
def test_a_backtest_with_impossible_days_is_refused(ready: Any, body: dict[str, object]) -> None:
    assert ready.ask("backtest", body, ready.register()).code == "invalid"


@pytest.mark.parametrize("file", ["/etc/passwd", "../secret", "a/../../b"])
def test_a_backtest_reads_only_below_the_root(ready: Any, file: str) -> None:
    body = {"first": "2020-01-02", "last": "2020-01-03", "file": file}

    assert ready.ask("backtest", body, ready.register()).code == "invalid"


def test_later_settings_make_a_new_generation_and_keep_what_was_left_empty(ready: Any) -> None:
    token = ready.register()
    before = open_secrets(ready.paths)

    assert ready.ask("provision", {"values": {"MAX_TRADES": "2", "WEIGHTS": "0.5,0.5"}}).code == "expired"
    assert ready.ask("provision", {"values": {"MAX_TRADES": "2", "WEIGHTS": "0.5,0.5"}}, token).ok
    ready.until(lambda: open_secrets(ready.paths).bot.risk.max_trades == 2)
    ready.until(lambda: ready.progress()["state"] == "done")

    after = open_secrets(ready.paths)
    assert after.broker == before.broker
    assert after.bot_id == before.bot_id
    assert os.readlink(ready.paths.current_generation) == "gen/00000002"
    assert ready.ask("build_universe", token=token).ok


def test_everything_is_there_after_a_restart(ready: Any) -> None:
    token = ready.register()
    ready.stop()
    ready.start()

    assert ready.ask("build_universe", token=token).ok
    assert ready.progress()["state"] == "done"


def test_a_damaged_state_word_on_a_provisioned_system_becomes_error(ready: Any) -> None:
    ready.stop()
    ready.paths.bot_state.write_bytes(b"tradin")
    ready.start()

    ready.until(lambda: current_state(ready.paths) is BotState.ERROR)


def test_the_lockout_survives_a_restart(ready: Any) -> None:
    ready.register()
    for _ in range(10):
        assert ready.ask("login", {"username": "mallory", "password": "guess number one"}).code == "bad_credentials"
    ready.stop()
    ready.start()

    assert ready.ask("login", {"username": "mallory", "password": "guess number one"}).code == "locked"
    assert ready.ask("login", {"username": "ada", "password": "a battery of horses"}).ok


def test_events_of_other_processes_reach_the_audit_log(rig: Any) -> None:
    drop = AuditDrop(rig.paths, rig.clock)

    drop.record("fill", "bot", {"symbol": "XYZ"})

    rig.until(lambda: '"event":"fill"' in rig.audit_text())
    rig.until(lambda: list(rig.paths.audit_inbox.iterdir()) == [])
    (rig.paths.audit_inbox / "x.event").write_bytes(b"garbage")
    rig.until(lambda: "event_refused" in rig.audit_text())


def test_no_other_process_can_make_up_a_login(rig: Any) -> None:
    AuditDrop(rig.paths, rig.clock).record("login", "ada", {"ip": "192.0.2.1", "drop": "none"})

    rig.until(lambda: "claimed:login" in rig.audit_text())
    row = json.loads(rig.audit_text().splitlines()[-1])
    assert (row["actor"], row["detail"]["actor"]) == ("unknown", "ada")
    assert row["detail"]["drop"].endswith(".event")


@pytest.mark.parametrize("folder", ["runtime", "backtest", "backup", "support"])
def test_every_event_that_our_processes_drop_is_known(folder: str) -> None:
    """An event with a new name is added to the list, or it is recorded as claimed."""
    said = re.compile(r"(?:\brecord_fact\([\w.]+, |\b_?record\()\"([a-z_]+)\"")
    runner = {"desk.py", "restore.py"}
    files = [path for path in (CODE_ROOT / "tbot_bot" / folder).rglob("*.py") if path.name not in runner]
    names = {name for path in files for name in said.findall(path.read_text())}

    assert names <= TOLD_BY_OTHERS


def test_the_audit_log_of_all_this_verifies(ready: Any) -> None:
    token = ready.register()
    ready.ask("login", {"username": "ada", "password": "not the right one"})
    ready.ask("start", token=token)
    ready.ask("logout", token=token)
    ready.stop()

    found = verify(ready.paths)

    assert found.problem is None
    events = [json.loads(line)["event"] for line in ready.audit_text().splitlines()]
    for event in ("provisioning_started", "provisioned", "registration", "login", "login_refused", "start", "logout"):
        assert event in events


def _request(rig: Any, kind: str = "validate", **changes: Any) -> tuple[str, bytes]:
    """(file name, content) of a request, true but for `changes`."""
    number = os.urandom(16).hex()
    request = Request(
        kind=kind,
        id=number,
        at=rig.clock.now() + changes.get("late", timedelta()),
        ip="192.0.2.7",
        reply_to=changes.get("reply_to", public_bytes(new_private_key())),
        token=None,
        body=changes.get("body", {"values": {}}),
    )
    to = changes.get("to") or read_public_key(rig.paths.runner_public_key)
    return f"{number}.req", encode_request(request, to)


def _drop(rig: Any, name: str, data: bytes) -> Path:
    path = rig.paths.requests / name
    temp = rig.paths.runner_private / "made"
    temp.write_bytes(data)
    temp.rename(path)
    return Path(path)


def _nothing_was_done(rig: Any, refusals: int) -> None:
    """The bad files are gone and on record, the runner lives and serves others."""
    rig.until(lambda: not any(not p.name.startswith(".") for p in rig.paths.requests.iterdir()))

    def counted() -> bool:
        rows = [json.loads(line) for line in rig.audit_text().splitlines()]
        return sum(row["detail"]["count"] for row in rows if row["event"] == "requests_refused") >= refusals

    rig.until(counted)
    assert current_state(rig.paths) is BotState.INITIALIZE
    assert rig.ask("validate").ok


def test_links_pipes_folders_and_huge_files_are_moved_aside(rig: Any, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    name, data = _request(rig, "provision")
    victim.write_bytes(data)
    (rig.paths.requests / name).symlink_to(victim)
    (rig.paths.requests / ("1" * 32 + ".req")).hardlink_to(victim)
    os.mkfifo(rig.paths.requests / ("2" * 32 + ".req"))
    (rig.paths.requests / ("3" * 32 + ".req")).mkdir()
    _drop(rig, "4" * 32 + ".req", b"x" * 70_000)
    (rig.paths.requests / "PROVISION_FLAG").mkdir()
    (rig.paths.requests / "something else").mkdir()

    _nothing_was_done(rig, 7)


def test_forged_stale_and_foreign_requests_are_refused(rig: Any) -> None:
    name, data = _request(rig, "provision")
    head = data.index(b"\n") + 1
    changed = data[:head] + data[head:-1] + bytes([data[-1] ^ 1])
    _drop(rig, name, changed)
    _drop(rig, "5" * 32 + ".req", data)
    other, foreign = _request(rig, "provision", to=public_bytes(new_private_key()))
    _drop(rig, other, foreign)
    renamed, as_login = _request(rig, "login")
    _drop(rig, renamed, as_login.replace(b" login ", b" start ", 1))
    _drop(rig, *_request(rig, "provision", late=timedelta(seconds=-61)))
    _drop(rig, *_request(rig, "provision", late=timedelta(seconds=30)))
    _drop(rig, *_request(rig, "format_disk"))
    _drop(rig, "6" * 32 + ".req", b"")
    _drop(rig, "7" * 32 + ".req", os.urandom(500))

    _nothing_was_done(rig, 9)


def test_a_replayed_request_is_acted_on_once_even_across_a_restart(ready: Any) -> None:
    name, data = _request(ready, "login", body={"username": "mallory", "password": "guess number one"})
    _drop(ready, name, data)
    ready.until(lambda: ready.audit_text().count("login_refused") == 1)
    _drop(ready, name, data)
    ready.until(lambda: "replay" in ready.audit_text())
    ready.stop()
    ready.start()
    _drop(ready, name, data)
    ready.until(lambda: ready.audit_text().count("replay") == 2)

    assert ready.audit_text().count("login_refused") == 1


def test_an_unusable_reply_key_hurts_no_one(rig: Any) -> None:
    _drop(rig, *_request(rig, reply_to=bytes(32)))

    rig.until(lambda: not list(rig.paths.requests.glob("*.req")))
    assert rig.ask("validate").ok


def test_the_runner_rests_when_nothing_comes_in(rig: Any) -> None:
    (rig.paths.requests / "stuck").mkdir()
    rig.until(lambda: not (rig.paths.requests / "stuck").exists())
    before = rig.pulse.beats
    rig.until(lambda: rig.pulse.beats > before + 1, 5)

    assert rig.pulse.beats < before + 10


def test_the_runner_is_ready_when_it_can_be_asked_and_says_what_it_has(ready: Any) -> None:
    said = ready.pulse.said
    assert [text for text in said if text in ("READY=1", "STOPPING=1")] == ["READY=1"]
    ready.until(lambda: "STATUS=generation 1 · 0 requests waiting" in said)
    ready.stop()
    assert [text for text in said if text in ("READY=1", "STOPPING=1")] == ["READY=1", "STOPPING=1"]


def test_it_is_not_ready_while_it_recovers_and_that_may_take_its_time(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.stop()
    rig.pulse = Pulse()
    seen: list[list[str]] = []
    real = Provisioning.recover

    def recover(self: Provisioning) -> None:
        seen.append(list(rig.pulse.said))
        real(self)

    monkeypatch.setattr(Provisioning, "recover", recover)
    rig.start()
    rig.until(lambda: seen)
    assert seen == [["EXTEND_TIMEOUT_USEC=600000000"]]
    rig.until(lambda: "READY=1" in rig.pulse.said)


def test_a_request_that_hangs_stops_the_heartbeat(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    real = Hasher.matches

    def slow(self: Hasher, *given: Any) -> bool:
        released.wait(20)
        return real(self, *given)

    monkeypatch.setattr(Hasher, "matches", slow)
    monkeypatch.setattr(request_counter, "_LONGEST_WORK", 0.3)
    asker = threading.Thread(target=ready.log_in)
    asker.start()
    try:
        ready.until(lambda: ready.runner._counter.hangs)
        time.sleep(0.1)  # the beat that was under way
        beats = ready.pulse.beats
        time.sleep(1.5)
        assert ready.pulse.beats == beats
    finally:
        released.set()
        asker.join()
    ready.until(lambda: ready.pulse.beats > beats)


def test_planted_secrets_appear_in_no_file_and_no_log(rig: Any, caplog: pytest.LogCaptureFixture) -> None:
    canaries = {
        "BROKER_NAME": "ALPACA",
        "BROKER_API_KEY": "CANARYAPIKEY0001",
        "BROKER_SECRET_KEY": "CANARYSECRET0002",
        "ALERT_URL_EMAIL": "mailtos://user:CANARYMAIL0003@example.com",
        "SCREENER_API_KEY": "CANARYSCREENER04",
    }
    rig.ask("validate", {"values": {**canaries, "BROKER_APIKEY": "CANARYMISSPELT05", "MAX_TRADES": "CANARYnone"}})
    rig.provision(canaries)
    password = "CANARY pass word 06"
    reply = rig.ask("register", {"username": "ada", "password": password, "email": "CANARY07@example.com"})
    rig.ask("login", {"username": password, "password": password})
    token = reply.body["token"]
    rig.ask("start", token=token)
    rig.stop()

    for path in rig.paths.root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"CANARY" not in content, path
            assert token.encode() not in content, path
    assert "CANARY" not in caplog.text
    assert "CANARY" not in repr(open_secrets(rig.paths))
