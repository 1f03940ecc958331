"""Settings of an earlier release, on a root that a real runner provisioned."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tbot_bot.config import generations, version
from tbot_bot.config.config_encryption import read_stored
from tbot_bot.config.key_manager import carry_keys
from tbot_bot.config.schema import BY_NAME
from tbot_bot.config.security_bot import open_config
from tbot_bot.domain.errors import ConfigInvalid
from tbot_bot.reporting.audit_verify import verify
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.encrypt_secrets import SECRET_FILES, key_file, keys_in, write_secret
from tbot_bot.support.path_resolver import Paths
from tests.unit.backup.conftest import Rig
from tools.migration import settings
from tools.migration.record import read_record

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that was set up by the release of now, and stopped."""
    root = tmp_path_factory.mktemp("installed") / "root"
    made = Rig(root).start()
    try:
        made.set_up()
    finally:
        made.stop()
    return root


@pytest.fixture
def rig(installed: Path, tmp_path: Path) -> Rig:
    shutil.copytree(installed, tmp_path / "root", symlinks=True)
    return Rig(tmp_path / "root")


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def install(tag: str) -> None:
        (tmp_path / "VERSION.md").write_text(f"{tag}\n")
        monkeypatch.setattr(version, "CODE_ROOT", tmp_path)

    return install


def rewrite(paths: Paths, change: Callable[[str], str]) -> None:
    """A generation whose `.env_bot` an earlier release would have written."""
    text = change(read_stored(paths).env_bot)
    number = generations.next_number(paths)
    staging = generations.open_staging(paths, number)
    carry_keys(paths, staging / "keys")
    name = SECRET_FILES["env_bot"]
    for path in paths.secrets.iterdir():
        if path.name != name:
            shutil.copy2(path, staging / "secrets" / path.name)
    key = keys_in((staging / "keys" / key_file("env_bot")).read_bytes())[0]
    write_secret(staging / "secrets", "env_bot", key, text.encode())
    generations.seal_generation(paths, number, CLOCK)
    generations.activate(paths, number)


def without_line(name: str) -> Callable[[str], str]:
    return lambda text: "".join(line for line in text.splitlines(True) if not line.startswith(f"{name}="))


def test_settings_that_fit_are_left_alone(rig):
    assert not settings.refresh(rig.paths, CLOCK)
    assert generations.current_number(rig.paths) == 1


def test_an_upgrade_makes_a_generation_for_the_new_version_and_audits_it(rig, next_release):
    next_release("v1.1.0")
    with pytest.raises(ConfigInvalid, match=r"this program is v1\.1\.0"):
        open_config(rig.paths)
    assert settings.refresh(rig.paths, CLOCK)
    assert open_config(rig.paths).raw["VERSION_TAG"] == "v1.1.0"
    assert open_config(rig.paths).broker.broker_secret_key == "canary-of-the-broker"
    rows = [json.loads(line) for line in rig.paths.audit_log.read_text().splitlines()]
    saved = [row for row in rows if row["event"] == "config_saved"]
    assert [(row["actor"], row["detail"]["generation"]) for row in saved] == [("upgrade", 2)]
    assert verify(rig.paths).problem is None
    assert not settings.refresh(rig.paths, CLOCK)


def test_a_key_that_is_new_in_this_release_gets_its_default(rig):
    rewrite(rig.paths, without_line("MAX_TRADES"))
    with pytest.raises(ConfigInvalid, match="MAX_TRADES"):
        open_config(rig.paths)
    assert settings.refresh(rig.paths, CLOCK)
    assert open_config(rig.paths).raw["MAX_TRADES"] == BY_NAME["MAX_TRADES"].default


def test_a_value_that_this_release_refuses_stops_the_upgrade_and_stays(rig):
    rewrite(rig.paths, lambda text: text + "KEY_OF_ANOTHER_RELEASE=1\n")
    before = generations.current_number(rig.paths)
    with pytest.raises(ConfigInvalid, match="KEY_OF_ANOTHER_RELEASE"):
        settings.refresh(rig.paths, CLOCK)
    assert generations.current_number(rig.paths) == before


def test_going_back_uses_the_settings_of_before(rig, next_release):
    next_release("v1.1.0")
    settings.refresh(rig.paths, CLOCK)
    assert settings.undo(rig.paths)
    next_release("v1.0.0")
    assert generations.current_number(rig.paths) == 1
    assert open_config(rig.paths).raw["VERSION_TAG"] == "v1.0.0"
    assert not settings.undo(rig.paths)
    assert read_record(rig.paths).settings_made == 0


def test_settings_saved_since_the_upgrade_are_not_thrown_away(rig, next_release):
    next_release("v1.1.0")
    settings.refresh(rig.paths, CLOCK)
    rewrite(rig.paths, lambda text: text)
    assert not settings.undo(rig.paths)
    assert generations.current_number(rig.paths) == 3


def test_what_is_not_provisioned_is_left_alone(tmp_path):
    assert not settings.refresh(Paths(tmp_path), CLOCK)
    assert list(tmp_path.iterdir()) == []
