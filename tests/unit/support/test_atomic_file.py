import errno
import os
from pathlib import Path

import pytest

from tbot_bot.support.atomic_file import LineLog, create_bytes, ensure_folder, read_lines, write_bytes, write_json


def test_a_write_replaces_the_whole_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_bytes(path, b"old and long")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    before = os.umask(0)
    try:
        write_bytes(path, b"x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_keeps_the_old_file_and_no_debris(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        write_bytes(path, b"x")
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_way_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"untouched")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_bytes(link, b"new")
    assert target.read_bytes() == b"untouched"
    assert not link.is_symlink()


def test_create_refuses_to_replace(tmp_path: Path) -> None:
    path = tmp_path / "once"
    create_bytes(path, b"first")
    with pytest.raises(FileExistsError):
        create_bytes(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_written_sorted_with_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "ü"})
    assert (tmp_path / "a.json").read_text() == '{"a":"ü","b":1}\n'


def test_a_torn_last_line_is_closed_off_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log" / "a.jsonl"
    log = LineLog(path)
    log.append({"n": 1})
    log.close()
    with path.open("ab") as file:
        file.write(b'{"n": 2, "torn')
    log = LineLog(path)
    log.append({"n": 3})
    log.close()
    assert [row["n"] for row in read_lines(path)] == [1, 3]


def test_an_error_of_close_takes_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    log = LineLog(path)
    log.append({"n": 1})
    real = os.close

    def fails_after(handle: int) -> None:
        real(handle)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", fails_after)
        log.close()
    assert [row["n"] for row in read_lines(path)] == [1]


def test_folders_are_born_private_and_kept_as_they_are(tmp_path: Path) -> None:
    ensure_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    (tmp_path / "a" / "b").chmod(0o750)
    ensure_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o750
