"""Rotation over a real provisioned root: every category, each step failing, a crash at each step, readers meanwhile."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tbot_bot.config import generations, rotation
from tbot_bot.config.build_check import check
from tbot_bot.config.checkpoint import checkpoint_file, read_checkpoint
from tbot_bot.config.env_bot import default_config
from tbot_bot.config.grace import Grace
from tbot_bot.config.lockout import LockoutRule
from tbot_bot.config.progress import Progress
from tbot_bot.config.provisioning_helper import TITLES, Provisioning, Tools
from tbot_bot.config.rotation import Asked, Rotation, all_or
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.config.security_users import UserStore
from tbot_bot.config.steps import Failure
from tbot_bot.config.version import version_tag
from tbot_bot.domain.errors import AuditUnavailable, SecretUnavailable
from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.decrypt_secrets import GenerationFolder, with_generation
from tbot_bot.support.encrypt_secrets import CATEGORIES, key_file
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.snapshot import Publisher
from tbot_bot.support.state_file import StateFile

CLOCK = SystemClock()
PASSWORD = "a battery of horses"
STEPS = ("record", "stage", "activate", "users", "clean", "switch", "prove", "audit", "logins")


REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent
READER = """
import sys
from pathlib import Path
from tbot_bot.config.security_bot import open_secrets
from tbot_bot.support.path_resolver import Paths

paths = Paths(Path(sys.argv[1]))
secrets, reads = open_secrets(paths), 0
for _ in range(100):
    assert open_secrets(paths) == secrets
    reads += 1
print(reads)
"""
"""Another process that reads all the while; it ends with an error at the first read that fails."""


class PowerCut(BaseException):
    """The end of the process, in the middle of a step."""


class Bench:
    """A provisioned root with one user, and an audit log that can be told to fail."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        state = StateFile(self.paths, CLOCK)
        state.initialize("test")
        self.events: list[tuple[str, dict[str, object]]] = []
        self.fail_event = ""
        self.logins_ended = 0
        progress = Progress(Publisher(self.paths, "runner", CLOCK), TITLES)
        self.tools = Tools(self.paths, CLOCK, state, self, progress, self._create_ledger, 4)
        assert Provisioning(self.tools).run(default_config(version_tag()), "test", "::1")
        self.users().register_first("ada", PASSWORD, "ada@example.com")
        self.rotation = Rotation(self.tools, self._end_logins)

    def record(self, event: str, actor: str, detail: dict[str, object]) -> None:
        if event == self.fail_event:
            raise AuditUnavailable("the disk is full")
        self.events.append((event, detail))

    def users(self) -> UserStore:
        keys = with_generation(self.paths, lambda now: now.keys("login"))
        return UserStore(self.paths.users_db, keys, CLOCK, 4)

    def rotate(self, *categories: str, reason: str = "asked") -> Failure | None:
        return self.rotation.run(Asked(all_or(categories), reason, "ada", "::1"))

    def key(self, category: str) -> bytes:
        return (self.paths.keys / key_file(category)).read_bytes()

    def is_whole(self) -> bool:
        """Every secret opens, ada gets in, one key a category, nothing unfinished."""
        assert check(self.paths) == ()
        attempt = self.users().try_password("ada", PASSWORD, "", LockoutRule(10, 10))
        assert attempt.refusal is None
        assert all(len(self.key(category).split()) == 1 for category in CATEGORIES)
        assert not checkpoint_file(self.paths).exists()
        return not list(self.paths.generations.glob(".*"))

    def _create_ledger(self) -> None:
        write_bytes(self.paths.ledger_db, b"ledger")

    def _end_logins(self) -> None:
        self.logins_ended += 1


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def _break(bench: Bench, name: str, before: bool, error: BaseException) -> Callable[[], None]:
    """Let step `name` raise `error`, before or after its work; returns how to mend it."""
    real = bench.rotation._steps

    def steps(checkpoint: object) -> tuple[object, ...]:
        def broken(step: rotation.Step) -> rotation.Step:
            def do() -> None:
                if not before:
                    step.do()
                raise error

            return rotation.Step(step.name, do, step.undo) if step.name == name else step

        return tuple(broken(step) for step in real(checkpoint))  # type: ignore[arg-type]

    bench.rotation._steps = steps  # type: ignore[method-assign, assignment]

    def mend() -> None:
        bench.rotation._steps = real  # type: ignore[method-assign]

    return mend


@pytest.mark.parametrize("category", CATEGORIES)
def test_one_category_gets_a_new_key_and_the_others_keep_theirs(bench: Bench, category: str) -> None:
    before = {name: bench.key(name) for name in CATEGORIES}
    secrets = open_secrets(bench.paths)

    assert bench.rotate(category) is None

    assert {name for name in CATEGORIES if bench.key(name) != before[name]} == {category}
    assert open_secrets(bench.paths) == secrets
    assert bench.is_whole()
    assert bench.logins_ended == (category == "session")


def test_all_categories_get_new_keys_at_once(bench: Bench) -> None:
    before = {name: bench.key(name) for name in CATEGORIES}
    secrets = open_secrets(bench.paths)

    assert bench.rotate("all") is None

    assert all(bench.key(name) != before[name] for name in CATEGORIES)
    assert open_secrets(bench.paths) == secrets
    assert bench.is_whole()
    assert generations.numbers(bench.paths) == (1, 3)
    assert [event for event, _ in bench.events[-2:]] == ["rotation_started", "keys_rotated"]
    assert bench.events[-1][1]["generation"] == 3


def test_nothing_wrapped_under_the_old_login_key_is_left_in_the_database(bench: Bench) -> None:
    old = UserStore(bench.paths.users_db, with_generation(bench.paths, lambda now: now.keys("login")), CLOCK, 4)

    assert bench.rotate("login") is None

    with pytest.raises(SecretUnavailable, match=r"login\.key"):
        old.try_password("ada", PASSWORD, "", LockoutRule(10, 10))


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_fails_leaves_the_earlier_keys_in_use(bench: Bench, name: str, before: bool) -> None:
    keys = {category: bench.key(category) for category in CATEGORIES}
    mend = _break(bench, name, before, OSError(28, "No space left on device"))

    failure = bench.rotate("all")

    assert failure is not None
    assert (failure.step, failure.also) == (name, "")
    assert {category: bench.key(category) for category in CATEGORIES} == keys
    assert generations.numbers(bench.paths) == (1,)
    assert bench.events[-1][0] == "rotation_failed"
    assert bench.is_whole()
    mend()
    assert bench.rotate("all") is None
    assert bench.is_whole()


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("name", STEPS)
def test_after_a_crash_in_any_step_the_keys_are_old_or_new(bench: Bench, name: str, before: bool) -> None:
    old = {category: bench.key(category) for category in CATEGORIES}
    secrets = open_secrets(bench.paths)
    mend = _break(bench, name, before, PowerCut())
    with pytest.raises(PowerCut):
        bench.rotate("all")
    mend()

    assert open_secrets(bench.paths) == secrets
    assert bench.users().try_password("ada", PASSWORD, "", LockoutRule(10, 10)).refusal is None
    for _ in range(2):
        generations.sweep(bench.paths)
        bench.rotation.recover()
        Grace(bench.paths, CLOCK, bench).sweep()

    now = {category: bench.key(category) for category in CATEGORIES}
    finished = name not in {"record", "stage"} or (name == "stage" and not before)
    assert all((now[category] != old[category]) == finished for category in CATEGORIES)
    assert bench.events[-1][0] == ("keys_rotated" if finished else "rotation_failed")
    assert bench.logins_ended >= finished
    assert open_secrets(bench.paths) == secrets
    assert bench.is_whole()
    assert generations.numbers(bench.paths) == ((1, 3) if finished else (1,))


def test_a_crash_while_taking_back_is_taken_back_later(bench: Bench) -> None:
    mend = _break(bench, "users", before=False, error=OSError(5, "Input/output error"))
    bench.fail_event = "rotation_failed"
    failure = bench.rotate("all")
    mend()

    assert failure is not None
    assert failure.also
    assert read_checkpoint(bench.paths) is not None
    bench.fail_event = ""
    bench.rotation.recover()
    assert bench.is_whole()


def test_a_rotation_left_unfinished_is_ended_before_the_next_and_before_a_save(bench: Bench) -> None:
    mend = _break(bench, "users", before=False, error=PowerCut())
    with pytest.raises(PowerCut):
        bench.rotate("all")
    mend()
    provisioning = Provisioning(bench.tools, bench.rotation.recover)

    assert provisioning.run(default_config(version_tag()), "test", "::1")
    assert bench.is_whole()

    mend = _break(bench, "stage", before=True, error=PowerCut())
    with pytest.raises(PowerCut):
        bench.rotate("all")
    mend()
    assert bench.rotate("broker") is None
    assert bench.is_whole()


def test_no_key_is_replaced_without_a_record(bench: Bench) -> None:
    keys = {category: bench.key(category) for category in CATEGORIES}
    for event in ("rotation_started", "keys_rotated"):
        bench.fail_event = event
        assert bench.rotate("all") is not None
        assert {category: bench.key(category) for category in CATEGORIES} == keys
        assert bench.is_whole()


def test_a_user_who_is_added_between_rotations_stays(bench: Bench) -> None:
    assert bench.rotate("login") is None
    assert bench.rotate("all") is None

    assert bench.is_whole()
    assert bench.users().count() == 1


def test_a_category_that_cannot_be_decrypted_stops_an_ordinary_rotation_only(bench: Bench) -> None:
    folder = generations.folder_of(bench.paths, 1)
    (folder / "keys" / "smtp.key").write_bytes(b"garbage")

    failure = bench.rotate("all")
    assert failure is not None
    assert "smtp" in failure.why
    assert bench.rotate("broker") is None
    assert bench.key("smtp") == b"garbage"

    assert bench.rotate("smtp", reason="lost") is None
    assert bench.is_whole()


def test_a_missing_key_file_is_replaced_when_it_is_marked_as_lost(bench: Bench) -> None:
    for name in ("broker", "alert_channels"):
        (generations.folder_of(bench.paths, 1) / "keys" / key_file(name)).unlink()

    assert bench.rotate("alert_channels", reason="lost") is None
    assert bench.rotate("broker", reason="lost") is None

    assert bench.is_whole()
    assert open_secrets(bench.paths).broker.broker_api_key


@pytest.mark.slow
def test_readers_meanwhile_never_fail_and_never_mix(bench: Bench) -> None:
    secrets = open_secrets(bench.paths)
    stop, faults, reads = threading.Event(), [], [0]

    def read_configs() -> None:
        while not stop.is_set():
            try:
                assert open_secrets(bench.paths) == secrets
                reads[0] += 1
            except BaseException as error:
                faults.append(error)

    def read_generation() -> None:
        while not stop.is_set():
            try:
                with_generation(bench.paths, lambda now: [now.decrypt_json(name) for name in ("broker", "smtp")])
                reads[0] += 1
            except BaseException as error:
                faults.append(error)

    threads = [threading.Thread(target=read_generation) for _ in range(2)] + [threading.Thread(target=read_configs)]
    for thread in threads:
        thread.start()
    another = subprocess.Popen([sys.executable, "-c", READER, str(bench.paths.root)], cwd=REPOSITORY, stdout=-1)
    rotations = 0
    while rotations < 50 or another.poll() is None:
        assert bench.rotate("all") is None
        Grace(bench.paths, CLOCK, bench).destroy_all("test", "test", "")
        rotations += 1
    stop.set()
    for thread in threads:
        thread.join()
    told, _ = another.communicate()

    assert faults == []
    assert reads[0] > 50
    assert (another.returncode, told.strip()) == (0, b"100")
    assert bench.is_whole()


def test_the_manifest_says_since_when_each_key_is_in_use(bench: Bench) -> None:
    before = {key.category: key for key in generations.read_facts(bench.paths, 1).keys}

    assert bench.rotate("broker") is None

    after = {key.category: key for key in generations.read_facts(bench.paths, 3).keys}
    assert after["broker"].made_at > before["broker"].made_at
    assert after["broker"].fingerprint != before["broker"].fingerprint
    assert all(after[name] == before[name] for name in CATEGORIES if name != "broker")
    assert not generations.read_facts(bench.paths, 3).dual


def test_a_manifest_of_the_first_release_is_read(bench: Bench) -> None:
    path = bench.paths.current_generation / "MANIFEST.json"
    row = json.loads(path.read_bytes())
    created_at, keys = row["created_at"], row.pop("keys")
    row.pop("dual")
    path.write_text(json.dumps(row))

    facts = generations.read_facts(bench.paths, 1)

    assert {key.category: key.fingerprint for key in facts.keys} == {
        name: entry["fingerprint"] for name, entry in keys.items()
    }
    assert {key.made_at for key in facts.keys} == {created_at}


def test_a_rotation_whose_tidying_fails_is_done(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = generations.remove

    def fail(paths: Paths, number: int) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(generations, "remove", fail)
    assert bench.rotate("broker") is None
    monkeypatch.setattr(generations, "remove", real)

    Grace(bench.paths, CLOCK, bench).sweep()
    assert generations.numbers(bench.paths) == (1, 3)
    assert bench.is_whole()


@pytest.mark.parametrize("name", ["keys/session.key", "secrets/broker_credentials.json.enc"])
def test_what_cannot_be_read_just_now_is_not_taken_for_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A folder that answers EIO once: the rotation of another category must not go on without that file."""
    before = {category: bench.key(category) for category in CATEGORIES}
    real = GenerationFolder._read

    def read(folder: GenerationFolder, wanted: str) -> bytes:
        if wanted == name:
            raise SecretUnavailable(f"{wanted} cannot be read") from OSError(5, "Input/output error")
        return real(folder, wanted)

    monkeypatch.setattr(GenerationFolder, "_read", read)
    failure = bench.rotate("smtp")
    monkeypatch.setattr(GenerationFolder, "_read", real)

    assert failure is not None
    assert {category: bench.key(category) for category in CATEGORIES} == before
    assert bench.is_whole()


def test_after_a_crash_the_generations_before_a_compromise_go_at_the_next_look(bench: Bench) -> None:
    mend = _break(bench, "audit", before=False, error=PowerCut())
    with pytest.raises(PowerCut):
        bench.rotate("broker", reason="compromised")
    mend()

    bench.rotation.recover()
    Grace(bench.paths, CLOCK, bench).sweep()

    assert generations.numbers(bench.paths) == (3,)
    assert bench.events[-1][0] == "generations_destroyed"
