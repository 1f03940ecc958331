"""The state folder's layout, forward and back, killed anywhere."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tbot_bot.domain.errors import LedgerRefused, StateCorrupt
from tbot_bot.screeners.universe_file import SCHEMA
from tbot_bot.support.clock import SystemClock
from tbot_bot.support.path_resolver import Paths
from tools.migration import ledger_place, universe
from tools.migration.__main__ import back, forward
from tools.migration.layout_version import LAYOUT
from tools.migration.record import read_record
from tools.migration.steps import STEPS

CLOCK = SystemClock()


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


@pytest.fixture
def old_ledger(paths: Paths) -> Path:
    """With an entry that is only in the write-ahead log, as a kill leaves it."""
    place = paths.users_db.parent / "LEDGER.db"
    place.parent.mkdir(parents=True)
    with closing(sqlite3.connect(place)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE entry (id INTEGER)")
        database.execute("INSERT INTO entry VALUES (7)")
        database.commit()
        # The last close would write it back.
        kept = {each.name: each.read_bytes() for each in place.parent.iterdir()}
    for name, data in kept.items():
        (place.parent / name).write_bytes(data)
    assert (place.parent / "LEDGER.db-wal").stat().st_size > 0
    return place


def entries(place: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(place)) as database:
        return database.execute("SELECT id FROM entry").fetchall()


def test_the_number_that_the_installer_reads_is_that_of_the_steps():
    assert len(STEPS) == LAYOUT


def test_the_ledger_moves_with_what_its_write_ahead_log_holds_and_back_with_what_came_since(paths, old_ledger):
    forward(paths, CLOCK)
    new = old_ledger.parent / "ledger" / "LEDGER.db"
    assert (entries(new), old_ledger.exists()) == ([(7,)], False)
    with closing(sqlite3.connect(new)) as database:
        database.execute("INSERT INTO entry VALUES (8)")
        database.commit()
    back(paths, 0)
    assert (entries(old_ledger), new.exists()) == ([(7,), (8,)], False)
    assert read_record(paths).layout == 0


@pytest.mark.root
def test_in_an_installations_folder_the_ledger_becomes_the_bots_to_write(paths, old_ledger):
    folder = old_ledger.parent / "ledger"
    folder.mkdir()
    os.chown(folder, 0, 60001)
    folder.chmod(0o2770)
    old_ledger.chmod(0o600)
    forward(paths, CLOCK)
    moved = (folder / "LEDGER.db").stat()
    assert (moved.st_gid, moved.st_mode & 0o777) == (60001, 0o660)


def test_done_again_it_changes_nothing(paths, old_ledger):
    for _ in range(2):
        forward(paths, CLOCK)
    assert read_record(paths).layout == LAYOUT
    for _ in range(2):
        back(paths, 0)
    assert entries(old_ledger) == [(7,)]


@pytest.mark.parametrize("at", range(4))
def test_killed_at_any_rename_the_next_run_ends_it(paths, old_ledger, monkeypatch, at):
    left = [at]
    real = Path.rename

    def rename(source: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == -1:
            raise Died
        return real(source, target)

    monkeypatch.setattr(Path, "rename", rename)
    try:
        forward(paths, CLOCK)
    except Died:
        forward(paths, CLOCK)
    assert entries(old_ledger.parent / "ledger" / "LEDGER.db") == [(7,)]
    assert read_record(paths).layout == LAYOUT


def test_two_ledgers_are_a_question_for_people(paths, old_ledger):
    (old_ledger.parent / "ledger").mkdir()
    (old_ledger.parent / "ledger" / "LEDGER.db").write_bytes(b"")
    with pytest.raises(LedgerRefused, match="two ledgers"):
        ledger_place.do(paths)


def test_a_ledger_that_someone_is_writing_is_not_moved(paths, old_ledger):
    with closing(sqlite3.connect(old_ledger)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO entry VALUES (9)")
        with pytest.raises(LedgerRefused, match="stop tbot-bot first"):
            ledger_place.do(paths)
    assert old_ledger.exists()


def test_a_folder_of_a_newer_release_is_refused(paths):
    paths.layout_record.write_text(
        json.dumps({"layout": 99, "settings_from": 0, "settings_made": 0, "universe_from": ""})
    )
    with pytest.raises(StateCorrupt, match="has layout 99"):
        forward(paths, CLOCK)


def test_a_damaged_record_is_not_taken_for_layout_nought(paths):
    paths.layout_record.write_text('{"layout": "1"')
    with pytest.raises(StateCorrupt, match="is damaged"):
        forward(paths, CLOCK)


def test_a_universe_of_another_schema_makes_way_and_comes_back(paths):
    paths.universe.parent.mkdir(parents=True)
    paths.universe.write_text(json.dumps({"body": {"schema": SCHEMA + 1}}))
    forward(paths, CLOCK)
    assert not paths.universe.exists()
    paths.universe.write_text(json.dumps({"body": {"schema": SCHEMA}}))
    forward(paths, CLOCK)
    back(paths, LAYOUT)
    assert json.loads(paths.universe.read_text()) == {"body": {"schema": SCHEMA + 1}}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"body": {"schema": null}}'])
def test_a_damaged_universe_is_left_to_those_who_read_it(paths, text):
    paths.universe.parent.mkdir(parents=True)
    paths.universe.write_text(text)
    assert not universe.put_aside(paths)
    assert paths.universe.read_text() == text
