import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tbot_bot.config import generations
from tbot_bot.config.key_manager import create_keys, key_faults
from tbot_bot.support.atomic_file import json_line
from tbot_bot.support.clock import ManualClock
from tbot_bot.support.encrypt_secrets import CATEGORIES
from tbot_bot.support.path_resolver import Paths

CLOCK = ManualClock(datetime(2026, 1, 5, tzinfo=UTC))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    _add(made)
    return made


def _add(paths: Paths) -> int:
    number = generations.next_number(paths)
    create_keys(generations.open_staging(paths, number) / "keys")
    generations.seal_generation(paths, number, CLOCK)
    generations.activate(paths, number)
    return number


def test_all_names_lead_through_current(paths: Paths) -> None:
    _add(paths)

    assert generations.current_number(paths) == 2
    assert os.path.samefile(paths.keys, generations.folder_of(paths, 2) / "keys")
    assert os.path.samefile(paths.secrets, generations.folder_of(paths, 2) / "secrets")
    assert not os.path.isabs(os.readlink(paths.current_generation))


def test_every_category_has_a_different_key(paths: Paths) -> None:
    keys = {(paths.keys / f"{category}.key").read_bytes() for category in CATEGORIES}

    assert len(keys) == len(CATEGORIES) == 12
    assert (paths.keys / "alert.key").read_bytes() == (paths.keys / "alert_channels.key").read_bytes()


def test_staging_is_no_generation_until_it_is_sealed(paths: Paths) -> None:
    staging = generations.open_staging(paths, 2)
    create_keys(staging / "keys")

    assert not generations.is_sealed(paths, 2)
    assert generations.next_number(paths) == 2
    (staging / "keys" / "stray").write_bytes(b"from an interrupted attempt")
    assert not (generations.open_staging(paths, 2) / "keys" / "stray").exists()


def test_going_back_leads_to_the_one_before_or_to_none(paths: Paths) -> None:
    _add(paths)
    generations.deactivate(paths, 1)
    assert generations.current_number(paths) == 1

    generations.deactivate(paths, None)
    assert generations.current_number(paths) is None
    assert not paths.keys.is_symlink()


def test_the_one_in_use_is_never_removed(paths: Paths) -> None:
    generations.remove(paths, 1)
    assert generations.is_sealed(paths, 1)


def test_an_interrupted_removal_is_finished_later(paths: Paths) -> None:
    shutil.copytree(generations.folder_of(paths, 1), paths.generations / ".doomed.abc")

    generations.sweep(paths)

    assert [path.name for path in paths.generations.iterdir()] == ["00000001"]


@pytest.mark.parametrize("damage", ["changed", "missing", "extra", "manifest", "no manifest"])
def test_damage_is_named(paths: Paths, damage: str) -> None:
    folder = generations.folder_of(paths, 1)
    match damage:
        case "changed":
            (folder / "keys" / "broker.key").write_bytes(b"x")
        case "missing":
            (folder / "keys" / "broker.key").unlink()
        case "extra":
            (folder / "keys" / "broker.key.old").write_bytes(b"x")
        case "manifest":
            (folder / "MANIFEST.json").write_bytes(b'{"files":[]}')
        case _:
            (folder / "MANIFEST.json").unlink()

    (fault,) = generations.faults_of(folder)
    assert ("MANIFEST" if "manifest" in damage else "broker.key") in fault
    assert not generations.is_sealed(paths, 1)


def test_an_open_key_is_a_fault(paths: Paths) -> None:
    assert key_faults(paths.keys) == ()
    (paths.keys / "broker.key").chmod(0o644)

    assert "broker.key" in key_faults(paths.keys)[0]


def _forged(data: bytes) -> list[bytes]:
    """The manifest with another meaning, with another spelling, and as that of the first release."""
    row = json.loads(data)
    plain = {key: value for key, value in row.items() if key != "mac"}
    other = {**row, "number": 9}
    return [
        data.replace(b'"dual":false', b'"dual":true'),
        data + b"\n",
        json.dumps(row).encode(),
        json_line(plain),
        json_line({**plain, "mac": "00"}),
        json_line({**plain, "mac": None}),
        json_line(other),
    ]


@pytest.mark.parametrize("number", range(7))
def test_a_manifest_that_is_not_byte_for_byte_what_was_written_is_a_fault(paths: Paths, number: int) -> None:
    folder = generations.folder_of(paths, 1)
    path = folder / "MANIFEST.json"
    assert generations.faults_of(folder) == ()
    path.write_bytes(_forged(path.read_bytes())[number])

    (fault,) = generations.faults_of(folder)
    assert "MANIFEST.json of generation 00000001" in fault


def test_a_manifest_of_the_first_release_is_still_good(paths: Paths) -> None:
    folder = generations.folder_of(paths, 1)
    path = folder / "MANIFEST.json"
    row = json.loads(path.read_bytes())
    path.write_bytes(json_line({key: row[key] for key in ("number", "created_at", "files")} | {"version": 1}))

    assert generations.faults_of(folder) == ()


def test_what_was_staged_and_not_sealed_is_dropped_after_a_restart(paths: Paths) -> None:
    staging = generations.open_staging(paths, 2)
    create_keys(staging / "keys")
    doomed = paths.generations / ".doomed.0123456789ab"
    doomed.mkdir()

    generations.drop_staged(paths)

    assert not staging.exists()
    assert not doomed.exists()
